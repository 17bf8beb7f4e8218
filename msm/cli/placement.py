"""The two options of every command that writes files for a cluster: the image and the cluster."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--image` and `--cluster`."""
    overlays = "Overlay of manifests/ (a100, kind, openshift), or the FILE.yaml of a cluster of your own."
    parser.add_argument("--image", required=True, help="Image of the project by its digest: NAME@sha256:...")
    parser.add_argument("--cluster", default="a100", metavar="NAME", help=overlays)
