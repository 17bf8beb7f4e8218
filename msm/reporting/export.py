"""Results that belong into version control: scores, manifests and report; no texts, no models, no logs."""

import shutil
from pathlib import Path

from msm.errors import BadInput
from msm.evaluation import exported
from msm.pipeline import artifacts
from msm.reporting import lineage
from msm.reporting.plain import METRICS, VALUES
from msm.reporting.results import read

LARGEST = 1 << 30
"""Bytes of a payload that is checked against its manifest before it is vouched for."""


def export(artifacts_root: Path, results_root: Path) -> int:
    """Write a recipe's results as `msm.evaluation.exported` keeps them, and its report.

    An earlier export is replaced; other files beside it, such as a reading of the results, stay.

    Args:
        artifacts_root: the recipe's folder, such as `artifacts/mini`, or an earlier export of it.
        results_root: such as `results/mini`.

    Returns:
        Bytes that lie there now.

    Raises:
        BadInput: nothing is scored, or a folder behind a score is no longer what its manifest says.
    """
    results = read(artifacts_root / "score")
    scores = [run.path for benchmark in results.benchmarks for model in benchmark.models for run in model.runs]
    if not scores:
        raise BadInput(f"{artifacts_root}: no scores to export")
    reports = sorted((artifacts_root / "report").glob("[!.]*"))
    names = [f"{path.parent.name}/{path.name}" for path in (*scores, *reports)]
    steps = {step.name: step for name in names for step in lineage.chain(name, artifacts_root, largest=LARGEST)}
    for step in steps.values():
        if step.problems:
            raise BadInput(f"{artifacts_root / step.name}: {step.problems[0]}; run the recipe again before exporting")
    manifests = {name: step.manifest for name, step in steps.items() if step.manifest}
    exported.write(results_root, manifests, sorted(scores))
    with artifacts.new_folder(results_root / "report") as partial:
        for path in reports:
            _copy_report(path, partial / path.name)
    # Exports of earlier versions held a folder a step.
    for folder in {path.parents[1] for path in results_root.glob("*/*/manifest.json")}:
        shutil.rmtree(folder)
    return sum(path.stat().st_size for path in results_root.rglob("*") if path.is_file())


def _copy_report(source: Path, target: Path) -> None:
    """A report without the plain files, which repeat the scores."""
    payload = artifacts.payload(source)
    shutil.copytree(payload, target / payload.name, ignore=shutil.ignore_patterns(METRICS, VALUES))
