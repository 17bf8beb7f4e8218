"""`msm stage-job --job FILE --image IMAGE -- STAGE WORDS`: writes a Kubernetes Job that runs one stage."""

import argparse

from msm.cli import placement
from msm.cli.options import add_job
from msm.components.clusters import check_pinned, find_cluster
from msm.components.jobs import as_yaml
from msm.components.stage_job import stage_job
from msm.files import new_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm stage-job`."""
    parser.add_argument(
        "words", nargs="+", metavar="-- STAGE WORD", help="Words that follow `msm run`, with paths on the volume /work."
    )
    placement.add_arguments(parser)
    add_job(parser)


def main(arguments: argparse.Namespace) -> None:
    """Write the file of the Job.

    Raises:
        BadInput: the stage, image or cluster is wrong.
    """
    manifest = stage_job(arguments.words, find_cluster(arguments.cluster), check_pinned(arguments.image))
    with new_file(arguments.job) as file:
        file.write(as_yaml(manifest))
