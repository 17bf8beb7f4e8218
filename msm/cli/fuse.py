"""`msm fuse`: adds the scores of a dense and a sparse run."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.verbs.fuse import Dev, fuse


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm fuse`."""
    parser.add_argument(
        "--dense", type=Path, required=True, metavar="RUN", help="File of the dense TREC run; it may be compressed."
    )
    parser.add_argument(
        "--sparse",
        type=Path,
        required=True,
        metavar="RUN",
        help="File of the sparse TREC run, such as one of BM25; it may be compressed.",
    )
    parser.add_argument(
        "--alpha",
        type=float,
        metavar="X",
        help="Weight of the dense scores, such as 0.5. Without it, the weight is chosen on the questions of --dev.",
    )
    parser.add_argument(
        "--dev",
        type=Path,
        nargs=3,
        metavar=("DENSE", "SPARSE", "QRELS"),
        help="Dense run, sparse run and judgements of development questions, on which the weight is chosen.",
    )
    parser.add_argument(
        "--measure",
        default="mrr@100",
        metavar="NAME",
        help="Measure by which the weight is chosen on the questions of --dev (default: mrr@100).",
    )
    parser.add_argument(
        "--depth", type=int, default=100, metavar="N", help="Number of passages kept for each question (default: 100)."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="File that gets the fused run.")


def main(arguments: Namespace) -> None:
    """Write the fused run; print the weight, and the measure on the development questions where these chose it.

    Raises:
        BadInput: both a weight and development questions are given, or neither, or a file is no run.
    """
    dev = Dev(*arguments.dev, measure=arguments.measure) if arguments.dev else None
    weight = fuse(
        arguments.dense, arguments.sparse, arguments.out, alpha=arguments.alpha, dev=dev, depth=arguments.depth
    )
    choice = {} if weight.dev is None else {"measure": arguments.measure, "dev": weight.dev}
    sys.stdout.write(json.dumps({"alpha": weight.alpha, **choice}) + "\n")
