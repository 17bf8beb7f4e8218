"""Declares the two options of every command that writes files for a cluster: the image and the cluster."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--image` and `--cluster`."""
    overlays = (
        "Name of an overlay of manifests/ (a100, kind or openshift), or file FILE.yaml that describes a cluster of "
        "your own (default: a100)."
    )
    parser.add_argument(
        "--image", required=True, metavar="NAME@sha256:...", help="Image of the project, named with its digest."
    )
    parser.add_argument("--cluster", default="a100", metavar="NAME", help=overlays)
