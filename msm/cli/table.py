"""`msm table`: prints any score folders as tables, in the terminal or for papers, sheets and pages."""

import csv
import io
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.cli.languages import add_choice
from msm.cli.options import add_resamples
from msm.errors import BadInput
from msm.evaluation.choice import choice
from msm.files import new_file
from msm.reporting import html, wording
from msm.reporting.contents import Section, Table
from msm.reporting.latex import latex
from msm.reporting.markdown import table_text
from msm.reporting.models import Problem, Results
from msm.reporting.published import MEAN
from msm.reporting.results import read_folders
from msm.reporting.sections import sections
from msm.reporting.settings import Report
from msm.reporting.terminal import section_text
from msm.reporting.training_sets import HEAD

FORMATS = ("text", "markdown", "latex", "csv", "html")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm table`."""
    parser.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="Score folders, output folders of `msm evaluate`, or exported results such as results/RECIPE.",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="Format of the table (default: text).")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="File to write the table to. The default is to print it."
    )
    parser.add_argument(
        "--controls",
        default="",
        metavar="NAMES",
        help="Names of the control models, separated by commas, with which all other models are compared, such as "
        "untrained,mlm.",
    )
    add_choice(parser)
    add_resamples(parser, "intervals and ranks", default=1000, least=100)


def main(arguments: Namespace) -> None:
    """Print or write the tables of every measure on every kind of pool.

    Raises:
        BadInput: a folder holds no scores, or scores that cannot stand in one table.
    """
    text = rendered(made_sections(arguments), arguments.format)
    if arguments.out:
        with new_file(arguments.out) as file:
            file.write(text)
    else:
        sys.stdout.write(text)


def made_sections(arguments: Namespace) -> list[Section]:
    """Return a section for every benchmark of the score folders.

    Raises:
        BadInput: see `main`.
    """
    settings = Report(recipe="table", controls=arguments.controls, bootstrap=arguments.resamples, seed=arguments.seed)
    languages = choice(arguments.languages, arguments.pairs)
    report_sections, problems = sections(Results(Path(), read_folders(arguments.folders, languages), []), settings)
    if not report_sections:
        raise BadInput("; ".join(problem.reason for problem in problems) or "no scores")
    _say(problems)
    return report_sections


def rendered(report_sections: list[Section], kind: str) -> str:
    """Return all tables of some sections as text.

    Args:
        report_sections: sections, one for each benchmark.
        kind: format of the tables, one of `FORMATS`.
    """
    tables = [table for section in report_sections for table in section.tables.values()]
    if kind == "text":
        return "\n".join(section_text(section) for section in report_sections)
    if kind == "html":
        return html.page("Tables", "\n".join(html.table_html(table) for table in tables))
    if kind == "csv":
        return _csv(tables)
    return "\n".join(table_text(table) if kind == "markdown" else latex(table) for table in tables)


def _csv(tables: list[Table]) -> str:
    """Return one line for every value, so that tables of different languages can be joined."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["table", "model", "language", "value", "low", "high", "rank", "seeds", HEAD])
    for table in tables:
        for row in table.rows:
            for language in [*table.languages, MEAN]:
                cell = row.cells.get(language)
                if cell and cell.value is not None:
                    limits = cell.interval or ("", "")
                    rank = wording.rank(row.ranks) if language == MEAN else ""
                    facts = (rank, row.seeds or "", row.training.sets)
                    writer.writerow([table.title, row.label, language, cell.value, *limits, *facts])
    return file.getvalue()


def _say(problems: list[Problem]) -> None:
    for problem in problems:
        sys.stderr.write(f"msm table: left out: {problem.reason}\n")
