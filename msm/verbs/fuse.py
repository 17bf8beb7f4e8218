"""Fuses a dense and a sparse run."""

import math
from pathlib import Path
from typing import NamedTuple

from msm.collections.measure_names import parse_measure
from msm.collections.runs import Run
from msm.collections.trec_files import read_qrels, read_run, write_run
from msm.errors import BadInput
from msm.evaluation.measures import evaluate
from msm.retrieval import fusion


class Dev(NamedTuple):
    """Runs and judgements of development questions, on which the weight is chosen."""

    dense: Path
    """Dense run of these questions."""
    sparse: Path
    """Sparse run of these questions."""
    qrels: Path
    """Judgements of these questions."""
    measure: str = "mrr@100"
    """Name of the measure that the weight maximises."""


class Weight(NamedTuple):
    """Weight of the dense scores, and the mean of the measure with it."""

    alpha: float
    """Weight of the dense scores."""
    dev: float | None
    """Mean of the measure on the development questions, from 0 to 1; None where the weight was given."""


def fuse(
    dense: str | Path,
    sparse: str | Path,
    out: str | Path,
    *,
    alpha: float | None = None,
    dev: Dev | None = None,
    depth: int = 100,
) -> Weight:
    """Write the fusion of two run files of the same questions; see `msm.retrieval.fusion`.

    Args:
        dense: dense TREC run, which may be compressed.
        sparse: sparse run of the same questions.
        out: file that gets the fused run.
        alpha: weight of the dense scores; without it, the weight is chosen on `dev`.
        dev: development questions of one language.
        depth: number of passages that are kept for each query.

    Raises:
        BadInput: both a weight and development questions are given, or neither, or a file is no run.
    """
    if (alpha is None) == (dev is None):
        raise BadInput("give either --alpha or --dev DENSE SPARSE QRELS")
    if alpha is not None and not math.isfinite(alpha):
        raise BadInput(f"--alpha must be a finite number, got {alpha}")
    if depth < 1:
        raise BadInput(f"--depth must be at least 1, got {depth}")
    weight = _chosen(dev, depth) if dev else Weight(float(alpha or 0.0), None)
    run = fusion.fuse(read_run(Path(dense)), read_run(Path(sparse)), weight.alpha, depth)
    write_run(Path(out), run, "fusion")
    return weight


def _chosen(dev: Dev, depth: int) -> Weight:
    qrels, measure = read_qrels(dev.qrels), parse_measure(dev.measure)

    def mean_of(run: Run) -> float:
        return evaluate(qrels, run, [measure], ties="trec").measures[0].mean

    return Weight(*fusion.best_alpha(read_run(dev.dense), read_run(dev.sparse), mean_of, depth))
