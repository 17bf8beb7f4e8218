"""`msm fuse`: adds the scores of a dense and a sparse run."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.verbs.fuse import Dev, fuse


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm fuse`."""
    parser.add_argument("--dense", type=Path, required=True, metavar="RUN", help="Dense run; may be compressed.")
    parser.add_argument("--sparse", type=Path, required=True, metavar="RUN", help="Sparse run; may be compressed.")
    parser.add_argument("--alpha", type=float, help="Weight of the dense scores; without it, --dev chooses one.")
    parser.add_argument(
        "--dev",
        type=Path,
        nargs=3,
        metavar=("DENSE", "SPARSE", "QRELS"),
        help="Two runs and judgements of one language.",
    )
    parser.add_argument(
        "--measure", default="mrr@100", help="Measure that the weight maximises on the questions of --dev."
    )
    parser.add_argument("--depth", type=int, default=100, help="Number of passages kept for a query.")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="Run to write.")


def main(arguments: Namespace) -> None:
    """Write the fused run; print the weight, and the measure on the development questions where these chose it.

    Raises:
        BadInput: both a weight and development questions are given, or neither, or a file is no run.
    """
    dev = Dev(*arguments.dev, measure=arguments.measure) if arguments.dev else None
    weight = fuse(
        arguments.dense, arguments.sparse, arguments.out, alpha=arguments.alpha, dev=dev, depth=arguments.depth
    )
    chosen = {} if weight.dev is None else {"measure": arguments.measure, "dev": weight.dev}
    sys.stdout.write(json.dumps({"alpha": weight.alpha, **chosen}) + "\n")
