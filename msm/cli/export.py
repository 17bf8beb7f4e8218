"""`msm export`: writes results and collections in the formats of other projects."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.cli.languages import add_choice
from msm.collections.registry import find_benchmark, reference
from msm.errors import BadInput
from msm.evaluation.choice import LanguageChoice, choice
from msm.evaluation.exports import write_collection
from msm.evaluation.mteb_results import write_mteb
from msm.files import new_file
from msm.reporting import html, lineage
from msm.reporting.models import Results
from msm.reporting.results import SCORES, checked_lines, read_folders, score_folders
from msm.reporting.sections import sections
from msm.reporting.settings import Report
from msm.settings import listed


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm export`."""
    parser.add_argument(
        "--format",
        choices=("site", "mteb", "beir", "trec"),
        required=True,
        help="Format of the export: a web page (site), MTEB result files (mteb), or the collection in BEIR's "
        "or TREC's files (beir, trec).",
    )
    parser.add_argument(
        "--scores",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="Score folders, output folders of `msm evaluate`, or exported results such as results/RECIPE. "
        "For site and mteb.",
    )
    add_choice(parser)
    parser.add_argument(
        "--title",
        default="Cross-lingual retrieval",
        help="Title of the web page (default: Cross-lingual retrieval). For site.",
    )
    parser.add_argument(
        "--benchmark", metavar="NAME", help="Name of the benchmark whose collection is written. For beir and trec."
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="Folder of the benchmark's files. For beir and trec.")
    parser.add_argument(
        "--split", default="test", help="Name of the file of judgements without its ending (default: test). For beir."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="Folder that gets the files.")


def main(arguments: Namespace) -> None:
    """Write the files of the chosen format.

    Raises:
        BadInput: an option that the format needs is missing, or an input cannot be read.
    """
    if arguments.format in ("site", "mteb") and not arguments.scores:
        raise BadInput(f"--format {arguments.format} needs --scores DIR")
    if arguments.format == "site":
        _write_site(arguments)
        return
    if arguments.format == "mteb":
        _write_mteb(arguments)
        return
    if not arguments.benchmark or not arguments.data:
        raise BadInput(f"--format {arguments.format} needs --benchmark NAME and --data DIR")
    if arguments.pairs:
        raise BadInput(f"--pairs {arguments.pairs}: a collection has languages, and no pairs")
    name = reference(arguments.benchmark, languages=listed(arguments.languages))
    collection = find_benchmark(name).read(arguments.data)
    write_collection(arguments.format, collection, arguments.split, arguments.out)
    sys.stdout.write(f"{arguments.out}: collection of {arguments.benchmark} as {arguments.format}\n")


def _write_mteb(arguments: Namespace) -> None:
    """Write the scores of every folder in the chosen languages."""
    languages = _chosen(arguments)
    folders = [folder for path in arguments.scores for folder in score_folders(path)]
    lines = (line for folder in folders for line in checked_lines(folder, SCORES))
    write_mteb([line for line in lines if languages.line(line)], arguments.out)
    sys.stdout.write(f"{arguments.out}: scores of {len(folders)} folders\n")


def _chosen(arguments: Namespace) -> LanguageChoice:
    return choice(arguments.languages, arguments.pairs)


def _write_site(arguments: Namespace) -> None:
    """Write a leaderboard as one page, `index.html`."""
    settings = Report(recipe="site", controls="", bootstrap=1000, seed=1)
    report_sections, problems = sections(
        Results(Path(), read_folders(arguments.scores, _chosen(arguments)), []), settings
    )
    if not report_sections:
        raise BadInput("; ".join(problem.reason for problem in problems) or "no scores")
    chains = {
        html.anchor(section, model.name): lineage.chain(scores.name, scores.path.parent.parent, largest=0)
        for section in report_sections
        for model in section.benchmark.models
        for scores in model.seeds[:1]
    }
    with new_file(arguments.out / "index.html") as file:
        file.write(html.site(arguments.title, report_sections, chains))
    sys.stdout.write(f"{arguments.out / 'index.html'}: {len(report_sections)} benchmarks\n")
