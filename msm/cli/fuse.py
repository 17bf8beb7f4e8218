"""`msm fuse`: adds the scores of a dense and a sparse run."""

import json
import math
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.collections.measure_names import parse_measure
from msm.collections.runs import Run, read_qrels, read_run, write_run
from msm.errors import BadInput
from msm.evaluation.measures import evaluate
from msm.retrieval.fusion import best_alpha, fuse


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm fuse`."""
    parser.add_argument("--dense", type=Path, required=True, metavar="RUN", help="Dense run; may be compressed.")
    parser.add_argument("--sparse", type=Path, required=True, metavar="RUN")
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
    parser.add_argument("--out", type=Path, required=True, metavar="RUN")


def main(arguments: Namespace) -> None:
    """Write the fused run; print the weight, and the measure on the development questions where these chose it.

    Raises:
        BadInput: both a weight and development questions are given, or neither, or a file is no run.
    """
    if (arguments.alpha is None) == (arguments.dev is None):
        raise BadInput("give either --alpha or --dev DENSE SPARSE QRELS")
    alpha = arguments.alpha
    if alpha is not None and not math.isfinite(alpha):
        raise BadInput(f"--alpha must be a finite number, got {alpha}")
    if arguments.depth < 1:
        raise BadInput(f"--depth must be at least 1, got {arguments.depth}")
    chosen: dict[str, float | str] = {}
    if arguments.dev:
        dense, sparse = (read_run(path) for path in arguments.dev[:2])
        qrels, measure = read_qrels(arguments.dev[2]), parse_measure(arguments.measure)

        def mean_of(fused: Run) -> float:
            return evaluate(qrels, fused, [measure], ties="trec").measures[0].mean

        alpha, value = best_alpha(dense, sparse, mean_of, arguments.depth)
        chosen = {"measure": arguments.measure, "dev": value}
    assert alpha is not None
    fused = fuse(read_run(arguments.dense), read_run(arguments.sparse), alpha, arguments.depth)
    write_run(arguments.out, fused, "fusion")
    sys.stdout.write(json.dumps({"alpha": alpha, **chosen}) + "\n")
