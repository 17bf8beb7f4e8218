"""`msm volume-job`: writes a Kubernetes Job that makes the image's user the owner of a fresh shared volume."""

import argparse

from msm.cli import placement
from msm.cli.options import add_job
from msm.components.clusters import check_pinned, find_cluster
from msm.components.jobs import as_yaml
from msm.components.volume_job import volume_job
from msm.files import new_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm volume-job`."""
    placement.add_arguments(parser)
    add_job(parser)


def main(arguments: argparse.Namespace) -> None:
    """Write the file of the Job.

    Raises:
        BadInput: the image is wrong, or the cluster needs no such Job.
    """
    manifest = volume_job(find_cluster(arguments.cluster), check_pinned(arguments.image))
    with new_file(arguments.job) as file:
        file.write(as_yaml(manifest))
