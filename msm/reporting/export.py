"""Exports the results of a recipe for version control: scores and manifests, without texts, models and logs."""

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from msm.errors import BadInput
from msm.evaluation import exported
from msm.reporting import lineage
from msm.reporting.results import read

LARGEST = 1 << 30
"""Largest size of an output, in bytes, that is compared with its manifest before the export."""


def export_scores(
    artifacts_root: Path, results_root: Path, kept_rows: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
    """Write a recipe's scores and manifests as `msm.evaluation.exported` keeps them.

    An earlier export is replaced; other files beside it, such as a report and a reading of the results, stay.

    Args:
        artifacts_root: the recipe's folder, such as `artifacts/mini`, or an earlier export of it.
        results_root: folder of the export, such as `results/mini`.
        kept_rows: names of rows, such as `score/lareqa-msm-1`, that are taken from the earlier export even if the
            artifacts hold them too.

    Returns:
        Manifest of the recipe's report, by the report's name; nothing where there is no report.

    Raises:
        BadInput: there is no score folder, an output no longer matches its manifest, or a row of the earlier export was
            made from other data or weights of the same name.
    """
    results = read(artifacts_root / "score")
    runs = [scores for benchmark in results.benchmarks for model in benchmark.models for scores in model.seeds]
    scores = [run.path for run in runs if run.name not in kept_rows] + [results_root / name for name in kept_rows]
    if not scores:
        raise BadInput(f"{artifacts_root}: no scores to export")
    steps = _manifests(kept_rows, results_root, largest=0)
    new_rows = [f"score/{path.name}" for path in scores if f"score/{path.name}" not in kept_rows]
    for name, manifest in _manifests(new_rows, artifacts_root, largest=LARGEST).items():
        if name in steps and steps[name]["outputs"] != manifest["outputs"]:
            raise BadInput(
                f"{artifacts_root / name}: is not the one behind the rows in {results_root}; "
                f"run these again too (`msm run NAME --results ''`)"
            )
        steps[name] = manifest
    report_manifest = _report_manifest(artifacts_root) or _report_manifest(results_root)
    exported.write(results_root, steps | report_manifest, sorted(scores, key=lambda path: path.name))
    # Exports of earlier versions held one folder for each step.
    for folder in {path.parents[1] for path in results_root.glob("*/*/manifest.json")}:
        shutil.rmtree(folder)
    return report_manifest


def _manifests(names: Iterable[str], root: Path, *, largest: int) -> dict[str, dict[str, Any]]:
    """Return the manifests of some steps and of all steps behind them.

    Raises:
        BadInput: an output no longer matches its manifest.
    """
    steps = {step.name: step for name in names for step in lineage.chain(name, root, largest=largest)}
    for step in steps.values():
        if step.problems:
            raise BadInput(f"{root / step.name}: {step.problems[0]}; run the recipe again before exporting")
    return {name: step.manifest for name, step in steps.items() if step.manifest}


def _report_manifest(root: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest of a recipe's report, by the report's name; nothing where there is no report."""
    name = "report/all"
    return {name: lineage.read_manifest(root / name)} if lineage.has_manifest(root, name) else {}
