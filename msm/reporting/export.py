"""Results that belong into version control: scores, manifests and report; no texts, no models, no logs."""

import shutil
from pathlib import Path

from msm.errors import BadInput
from msm.pipeline import artifacts
from msm.reporting import lineage
from msm.reporting.results import read

WHOLE = ("score", "report")
"""Families whose payload is exported too; of the others only the manifest, for lineage."""
LARGEST = 1 << 30
"""Bytes of a payload that is checked against its manifest before it is vouched for."""


def export(artifacts_root: Path, results_root: Path) -> int:
    """Copy a recipe's results in the same layout, so that the same readers read them.

    Stage folders of an earlier export are replaced; other files beside them, such as a reading of the results, stay.

    Args:
        artifacts_root: the recipe's folder, such as `artifacts/mini`.
        results_root: such as `results/mini`.

    Returns:
        Bytes written.

    Raises:
        BadInput: nothing is scored, or a folder behind a score is no longer what its manifest says.
    """
    results = read(artifacts_root / "score")
    names = [run.name for benchmark in results.benchmarks for model in benchmark.models for run in model.runs]
    if not names:
        raise BadInput(f"{artifacts_root}: no scores to export")
    names += [f"report/{path.name}" for path in sorted((artifacts_root / "report").glob("[!.]*"))]
    steps = {step.name: step for name in names for step in lineage.chain(name, artifacts_root, largest=LARGEST)}
    for step in steps.values():
        if step.problems:
            raise BadInput(f"{artifacts_root / step.name}: {step.problems[0]}; run the recipe again before exporting")
    for family in artifacts.FOLDERS:
        rows = [step for step in steps.values() if step.manifest and step.name.startswith(f"{family}/")]
        if rows:
            with artifacts.new_folder(results_root / family) as partial:
                for step in rows:
                    _copy(artifacts_root / step.name, partial / lineage.portable(Path(step.name).name), family)
        else:
            shutil.rmtree(results_root / family, ignore_errors=True)
    return sum(path.stat().st_size for path in results_root.rglob("*") if path.is_file())


def _copy(source: Path, target: Path, family: str) -> None:
    target.mkdir()
    shutil.copy(source / artifacts.MANIFEST, target)
    if family in WHOLE:
        payload = artifacts.payload(source)
        shutil.copytree(payload, target / payload.name)
