"""Exports results for version control: scores, manifests and report; no texts, no models, no logs."""

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from msm.errors import BadInput
from msm.evaluation import exported
from msm.pipeline import artifacts
from msm.reporting import lineage, stage
from msm.reporting.plain import METRICS, VALUES
from msm.reporting.results import read
from msm.reporting.settings import Report
from msm.settings import make

LARGEST = 1 << 30
"""Largest number of bytes of a payload that is checked against its manifest before its export."""


def export(artifacts_root: Path, results_root: Path, kept: Collection[str] = ()) -> int:
    """Write a recipe's results as `msm.evaluation.exported` keeps them, with a report on all of them.

    An earlier export is replaced; other files beside it, such as a reading of the results, stay.

    Args:
        artifacts_root: the recipe's folder, such as `artifacts/mini`, or an earlier export of it.
        results_root: folder of the export, such as `results/mini`.
        kept: names such as `score/lareqa-msm-1` of rows that are taken from the earlier export, whether or not they
            are in the artifacts.

    Returns:
        Number of bytes of the export.

    Raises:
        BadInput: nothing is scored, a folder behind a score is no longer what its manifest says, or a kept row was
            made from other data or weights of the same name.
    """
    results = read(artifacts_root / "score")
    runs = [run for benchmark in results.benchmarks for model in benchmark.models for run in model.runs]
    scores = [run.path for run in runs if run.name not in kept] + [results_root / name for name in kept]
    if not scores:
        raise BadInput(f"{artifacts_root}: no scores to export")
    steps = _manifests(kept, results_root, largest=0)
    own = [f"score/{path.name}" for path in scores if f"score/{path.name}" not in kept]
    for name, manifest in _manifests(own, artifacts_root, largest=LARGEST).items():
        if name in steps and steps[name]["outputs"] != manifest["outputs"]:
            raise BadInput(
                f"{artifacts_root / name}: is not the one behind the rows in {results_root}; "
                f"run these again too (`msm run NAME --results ''`)"
            )
        steps[name] = manifest
    told = _report_manifest(artifacts_root) or _report_manifest(results_root)
    exported.write(results_root, steps | told, sorted(scores, key=lambda path: path.name))
    # Exports of earlier versions held a folder a step.
    for folder in {path.parents[1] for path in results_root.glob("*/*/manifest.json")}:
        shutil.rmtree(folder)
    for name, manifest in told.items():
        settings = make(Report, manifest["settings"], name)
        with artifacts.new_folder(results_root / name) as partial:
            _write_report(settings, results_root, partial / manifest["payload"])
    return sum(path.stat().st_size for path in results_root.rglob("*") if path.is_file())


def _manifests(names: Iterable[str], root: Path, *, largest: int) -> dict[str, dict[str, Any]]:
    """Return the manifests of some steps and of all behind them.

    Raises:
        BadInput: one no longer matches what lies there.
    """
    steps = {step.name: step for name in names for step in lineage.chain(name, root, largest=largest)}
    for step in steps.values():
        if step.problems:
            raise BadInput(f"{root / step.name}: {step.problems[0]}; run the recipe again before exporting")
    return {name: step.manifest for name, step in steps.items() if step.manifest}


def _report_manifest(root: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest of a recipe's report by its name; empty where there is none."""
    name = "report/all"
    return {name: lineage.read_manifest(root / name)} if lineage.has_manifest(root, name) else {}


def _write_report(settings: Report, root: Path, out: Path) -> None:
    """Write a report on what an export holds, without the plain files, which repeat the scores."""
    out.mkdir()
    stage.run(settings, scores=root / "score", out=out)
    for name in (METRICS, VALUES):
        (out / name).unlink()
