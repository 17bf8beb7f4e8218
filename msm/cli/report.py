"""`msm report`: prints the tables of a recipe, and exports its results for version control."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.pipeline.chain import named
from msm.verbs.report import ReportOutcome, report


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm report`."""
    parser.add_argument("recipe", help="Name of a recipe, such as demo, or path of its file.")
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=Path("artifacts"),
        metavar="DIR",
        help="Folder in which each recipe has the folder of its stages' outputs (default: artifacts).",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="Folder in which each recipe has the folder of its exported results (default: results).",
    )
    parser.add_argument(
        "--export",
        action="store_true",
        help="Add the finished rows to RESULTS/RECIPE: their scores and manifests, without texts, and a "
        "report on all rows.",
    )


def main(arguments: Namespace) -> None:
    """Print the tables of the finished rows and the path of the report; with `--export`, the exported rows too.

    Raises:
        BadInput: no row is finished, or artifacts no longer match their manifests.
    """
    outcome = report(
        arguments.recipe, artifacts=arguments.artifacts, results=arguments.results, export=arguments.export
    )
    if arguments.export:
        _tell_export(outcome, arguments)
    if outcome.missing:
        count = len(outcome.missing) + len(outcome.rows)
        sys.stderr.write(f"not there yet, {len(outcome.missing)} of {count} rows: {named(outcome.missing)}\n")
    sys.stdout.write(f"{outcome.table}\nReport: {outcome.document}\n")


def _tell_export(outcome: ReportOutcome, arguments: Namespace) -> None:
    root = outcome.document.parents[3]
    sys.stderr.write(f"exported to {root} ({outcome.size / 1e6:.1f} MB), rows: {len(outcome.rows)}\n")
    if outcome.kept_rows:
        here = arguments.artifacts / root.name
        sys.stderr.write(f"rows that were there and not in {here}: {', '.join(outcome.kept_rows)}\n")
    if outcome.lost:
        sys.stderr.write(f"rows left out, which are not as the recipe wants them: {', '.join(outcome.lost)}\n")
