"""`msm reproduce NAME`: compares a public checkpoint with its published scores."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msm
from msm.cli.options import add_device, add_mirror, add_precision
from msm.errors import Differs


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm reproduce`."""
    parser.add_argument("name", help="Name of the checkpoint in the file of anchors, such as e5_small_q4.")
    parser.add_argument(
        "--anchors",
        type=Path,
        metavar="FILE",
        help="File of anchors: checkpoints with their published scores. The default is the file of the package.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="Folder of the benchmark's files. It is needed where they cannot be downloaded.",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="Output folder. The default is artifacts/anchors/NAME.")
    add_device(parser)
    add_precision(parser)
    add_mirror(parser)


def main(arguments: Namespace) -> None:
    """Fetch and evaluate a checkpoint, and print one line for each score beside the published one.

    Raises:
        BadInput: the anchor does not exist or is malformed, or the data must be given with `--data`.
        Differs: a score is outside the tolerance.
    """
    rows = msm.reproduce(
        arguments.name,
        anchors=arguments.anchors,
        data=arguments.data,
        out=arguments.out,
        device=arguments.device,
        precision=arguments.precision,
        mirror=arguments.mirror,
    )
    sys.stdout.writelines(json.dumps(row) + "\n" for row in rows)
    outside = [row for row in rows if not row["within"]]
    if outside:
        worst = max(outside, key=lambda row: abs(row["value"] - row["expected"]))
        raise Differs(
            f"{arguments.name}: {len(outside)} of {len(rows)} scores outside the tolerance; {worst['language']} "
            f"{worst['measure']} is {worst['value']:.4f}, published {worst['expected']}, tolerance {worst['tolerance']}"
        )
