"""Prints the tables of a recipe, and exports its results for version control."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msm.errors import BadInput
from msm.evaluation import exported
from msm.execution import Execution
from msm.pipeline import recipes, runner
from msm.pipeline.artifacts import MANIFEST, new_folder
from msm.pipeline.fingerprints import exported_rows, notes
from msm.pipeline.recipes import Values
from msm.pipeline.tasks import Task, tasks
from msm.reporting import stage
from msm.reporting.export import export_scores
from msm.reporting.plain import METRICS, VALUES
from msm.reporting.settings import DOCUMENT, TABLE, Report
from msm.settings import make

REPORT = "report/all"


class ReportOutcome(NamedTuple):
    """Tables of a recipe, and the outcome of an export."""

    table: str
    """Tables as plain text, at most 110 characters wide."""
    document: Path
    """Path of the report in Markdown."""
    rows: list[str]
    """Names of the score folders that exist, such as `score/constructed-msm-1`."""
    missing: list[str]
    """Names of score folders that the recipe has and that do not exist."""
    kept_rows: list[str]
    """Names of rows that the export has taken from an earlier export, because the artifacts do not hold them."""
    lost: list[str]
    """Names of rows of an earlier export that the export has left out, because the recipe computes others now."""
    size: int
    """Size of the export in bytes; 0 without an export."""


def report(
    recipe: str | Path, *, artifacts: str | Path = "artifacts", results: str | Path = "results", export: bool = False
) -> ReportOutcome:
    """Report on the finished rows of a recipe, few or all, and export them if `export` is true.

    The report in the artifacts is written anew if further rows have been finished since.

    Args:
        recipe: name of the recipe, such as `demo`, or its file.
        artifacts: folder in which each recipe has the folder of its stages' outputs.
        results: folder in which each recipe has the folder of its exported results.
        export: whether the finished rows are added to `results`: scores and manifests, without texts, and a report.

    Raises:
        BadInput: no row is finished, or artifacts no longer match their manifests.
    """
    whole, all_tasks = _recipe(str(recipe), (Path(artifacts), Path(results)))
    here, there = Path(artifacts) / whole["recipe"], Path(results) / whole["recipe"]
    _bring_up(whole, all_tasks, here)
    earlier, kept_rows, size = _scores(exported.manifests(there)), [], 0
    if export:
        if not all_tasks and not any((folder / REPORT).is_dir() for folder in (here, there)):
            raise BadInput(f"{recipe}: no such recipe, and {here} has no report")
        kept_rows = exported_rows(all_tasks, there, here)
        size = write_export(here, there, kept_rows)
    root = there if export or not report_folder(here).is_dir() else here
    rows = _scores(exported.manifests(there)) if root == there else _finished(here)
    absent = [task.name for task in all_tasks if task.stage == "score" and task.name not in rows]
    lost_rows = [name for name in earlier if name not in rows] if export else []
    return ReportOutcome(terminal_table(root), report_folder(root) / DOCUMENT, rows, absent, kept_rows, lost_rows, size)


def write_export(artifacts_root: Path, results_root: Path, kept_rows: Collection[str] = ()) -> int:
    """Export the scores of a recipe with a report on all of them, without plain files, which would repeat the scores.

    Args:
        artifacts_root: the recipe's folder, such as `artifacts/mini`, or an earlier export of it.
        results_root: folder of the export, such as `results/mini`.
        kept_rows: names of rows that are taken from the earlier export; see `msm.reporting.export`.

    Returns:
        Size of the export in bytes.

    Raises:
        BadInput: there is no score folder, or what is exported does not fit together.
    """
    for name, manifest in export_scores(artifacts_root, results_root, kept_rows).items():
        settings = make(Report, manifest["settings"], name)
        with new_folder(results_root / name) as partial:
            out = partial / manifest["payload"]
            out.mkdir()
            stage.run(settings, scores=results_root / "score", out=out)
            for file in (METRICS, VALUES):
                (out / file).unlink()
    return sum(path.stat().st_size for path in results_root.rglob("*") if path.is_file())


def _recipe(name: str, roots: Sequence[Path]) -> tuple[Values, list[Task]]:
    """Return a recipe and its tasks; only the name of a recipe whose folders exist and whose file does not.

    The folders of such a recipe can still be read; no row of an earlier export is kept then.
    """
    try:
        path = recipes.find(name)
    except BadInput:
        if any((root / name).is_dir() for root in roots):
            return {"recipe": name}, []
        raise
    whole = recipes.load(path)
    return whole, tasks(whole, str(path))


def _bring_up(recipe: Values, all_tasks: Sequence[Task], root: Path) -> None:
    """Write the report in the artifacts anew unless it is one on the score folders that exist."""
    task = next((task for task in all_tasks if task.stage == "report"), None)
    if task is None or not _finished(root):
        return
    reads, out = {"scores": root / "score"}, root / REPORT
    if runner.finished(out, runner.describe(task.stage, task.settings, reads), any_code=True) is None:
        execution = Execution(work=out.with_name(f".{out.name}.work"))
        runner.run_stage(task.stage, task.settings, reads, out, execution, notes(task, all_tasks, recipe))


def _finished(root: Path) -> list[str]:
    return sorted(f"score/{path.parent.name}" for path in root.glob(f"score/[!.]*/{MANIFEST}"))


def _scores(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith("score/"))


def report_folder(folder: Path) -> Path:
    """Return the folder of a recipe's report."""
    return folder / REPORT / "report"


def terminal_table(folder: Path) -> str:
    """Return the tables of a recipe as plain text, at most 110 columns wide.

    Args:
        folder: folder of the recipe, such as `artifacts/mini`, or of its export.

    Raises:
        BadInput: the folder has no report.
    """
    path = report_folder(folder) / TABLE
    if not path.is_file():
        raise BadInput(f"{path}: no report yet; run the recipe first (`msm run NAME`)")
    return path.read_text(encoding="utf-8")
