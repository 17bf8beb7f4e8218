"""`msm units-job RECIPE`: writes a Kubernetes Indexed Job that runs the stage `units` over the parts of a corpus."""

import argparse

from msm.cli import placement
from msm.cli.options import add_job
from msm.components.clusters import check_pinned, find_cluster
from msm.components.jobs import as_yaml
from msm.components.units_job import UnitsPlan, indexed_job, settings_of
from msm.errors import BadInput
from msm.files import new_file
from msm.pipeline import recipes

CORPUS = "/work/corpus"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm units-job`."""
    parser.add_argument(
        "recipe",
        help="Name of a recipe, such as paper, or path of its file. The Job gets the recipe's settings of the stage "
        "units.",
    )
    parser.add_argument(
        "--parts",
        type=int,
        required=True,
        metavar="N",
        help="Number of parts of the corpus: the folders of documents are named 0 to N-1.",
    )
    placement.add_arguments(parser)
    add_job(parser)
    for name, purpose in (
        ("documents", "with the parts of the documents"),
        ("tokenizer", "of the tokenizer"),
        ("units", "for the units"),
    ):
        place = f"{CORPUS}/{name}"
        parser.add_argument(
            f"--{name}",
            default=place,
            metavar="DIR",
            help=f"Folder {purpose}, on the shared volume (default: {place}).",
        )


def main(arguments: argparse.Namespace) -> None:
    """Write the file of the Job.

    Raises:
        BadInput: the recipe, image or number of parts is wrong.
    """
    if arguments.parts < 1:
        raise BadInput(f"--parts must be at least 1, got {arguments.parts}")
    plan = UnitsPlan(
        settings_of(recipes.find(arguments.recipe)),
        arguments.documents,
        arguments.tokenizer,
        arguments.units,
        arguments.parts,
        find_cluster(arguments.cluster),
        check_pinned(arguments.image),
    )
    with new_file(arguments.job) as file:
        file.write(as_yaml(indexed_job(plan)))
