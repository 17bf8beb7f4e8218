"""`msm report`: prints the tables of a recipe, and exports its results for version control."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.errors import BadInput
from msm.evaluation import exported
from msm.pipeline import recipes
from msm.pipeline.fingerprints import exported_rows
from msm.pipeline.tasks import tasks
from msm.reporting.export import export
from msm.reporting.stage import DOCUMENT, TABLE


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm report`."""
    parser.add_argument("recipe", help="Name of the recipe.")
    parser.add_argument(
        "--artifacts", type=Path, default=Path("artifacts"), metavar="DIR", help="Folder of the stage folders."
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="Folder of the exported results."
    )
    parser.add_argument(
        "--export",
        action="store_true",
        help="Add finished rows to RESULTS/RECIPE: scores and manifests, without texts, and a report on all of them.",
    )


def main(arguments: Namespace) -> None:
    """Print the tables of a recipe and the path of its report, and export them where `--export` is given.

    Raises:
        BadInput: there is no report of that recipe, or its artifacts no longer match their manifests.
    """
    folders = [root / arguments.recipe for root in (arguments.artifacts, arguments.results)]
    if arguments.export:
        _export(arguments.recipe, *folders)
    folder = next((folder for folder in folders if report_folder(folder).is_dir()), folders[0])
    sys.stdout.write(f"{terminal_table(folder)}\nReport: {report_folder(folder) / DOCUMENT}\n")


def _export(recipe: str, artifacts_root: Path, results_root: Path) -> None:
    path = recipes.find(recipe)
    # A recipe that is no longer here vouches for none of the earlier rows.
    made = tasks(recipes.load(path), str(path)) if path.is_file() else []
    before = exported.manifests(results_root)
    kept = exported_rows(made, results_root, artifacts_root)
    size = export(artifacts_root, results_root, kept)
    sys.stderr.write(f"exported to {results_root} ({size / 1e6:.1f} MB)\n")
    if kept:
        sys.stderr.write(f"rows that were there and not in {artifacts_root}: {', '.join(kept)}\n")
    lost = sorted(name for name in before.keys() - exported.manifests(results_root) if name.startswith("score/"))
    if lost:
        sys.stderr.write(f"rows left out, which are not as {path} wants them: {', '.join(lost)}\n")


def report_folder(folder: Path) -> Path:
    """Return the folder of a recipe's report."""
    return folder / "report" / "all" / "report"


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
