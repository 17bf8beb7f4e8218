"""Stage `fuse`: adds the scores of a dense and a sparse run, as the README of Mr. TyDi does.

The scores of each list are scaled to a range of 1 and centred, query by query. A passage that one list lacks gets the
smallest score of that list. The sum is `alpha * dense + sparse`; the weight is chosen for each language on development
questions.

Shapes: E entries of both runs, Q queries.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from msm.collections.run_folder import FUSION, read_protocol, write_protocol
from msm.collections.runs import Floats, Integers, Run, sorted_run
from msm.collections.trec_files import read_run, write_run
from msm.errors import BadInput
from msm.retrieval.settings import Fuse

ALPHAS = tuple(step / 10 for step in range(1, 21))
"""Weights that are tried on development questions."""
_LEAST = -0.5
"""Smallest score of a scaled list."""


def run(settings: Fuse, *, dense: Path, sparse: Path, out: Path) -> dict[str, Any]:
    """Write the fused run of every pool.

    Args:
        settings: settings of the stage.
        dense: folder of dense runs.
        sparse: folder of sparse runs of the same pools.
        out: empty folder to fill.

    Returns:
        Counts for the manifest.

    Raises:
        BadInput: the folders are of different pools, or a file is no run.
    """
    fuse_folders(dense, sparse, settings.alpha, settings.depth, out)
    return {"pools": len(list(out.glob("*.trec.gz")))}


def fuse(dense: Run, sparse: Run, alpha: float, depth: int) -> Run:
    """Fuse two runs, and keep the best passages of each query.

    Args:
        dense: dense run.
        sparse: sparse run of the same questions; a question may be missing in either.
        alpha: weight of the dense scores.
        depth: number of passages that are kept for each query.
    """
    query_ids, queries = _joined(dense.query_ids, sparse.query_ids, dense.queries, sparse.queries)
    passage_ids, passages = _joined(dense.passage_ids, sparse.passage_ids, dense.passages, sparse.passages)
    parts = [(dense, alpha), (sparse, 1.0)]
    # Above the least score, so that a passage which a list lacks adds nothing.
    gains = np.concatenate([weight * (_scaled(run) - _least(run)) for run, weight in parts])
    keys = queries.astype(np.int64) * len(passage_ids) + passages
    pairs, owners = np.unique(keys, return_inverse=True)
    list_queries = np.split(queries, [len(dense.queries)])
    base = alpha * _base(len(query_ids), list_queries[0], dense) + _base(len(query_ids), list_queries[1], sparse)
    pair_queries, pair_passages = pairs // len(passage_ids), pairs % len(passage_ids)
    scores = (np.bincount(owners, gains) + base[pair_queries]).astype(np.float32)
    order = np.lexsort((pair_passages, -scores, pair_queries))
    pair_queries, pair_passages, scores = pair_queries[order], pair_passages[order], scores[order]
    ranks = np.arange(len(pair_queries)) - np.searchsorted(pair_queries, pair_queries)
    is_kept = ranks < depth
    return sorted_run(query_ids, passage_ids, pair_queries[is_kept], pair_passages[is_kept], scores[is_kept])


def _joined(first: pa.Array, second: pa.Array, mine: Integers, theirs: Integers) -> tuple[pa.Array, Integers]:
    """Return the ids of both runs, each once, and the indices of all entries among them."""
    ids = pa.concat_arrays([first.cast(pa.string()), second.cast(pa.string())]).dictionary_encode()
    indices = ids.indices.to_numpy()
    return ids.dictionary, np.concatenate([indices[: len(first)][mine], indices[len(first) :][theirs]])


def _extremes(run: Run) -> tuple[Floats, Floats]:
    """Return the greatest and least score of each entry's list; the entries of a query stand best first."""
    firsts = np.searchsorted(run.queries, run.queries)
    lasts = np.searchsorted(run.queries, run.queries, side="right") - 1
    return run.scores[firsts].astype(np.float64), run.scores[lasts].astype(np.float64)


def _scaled(run: Run) -> Floats:
    """Return scores from -0.5 to 0.5 within each query; 0 where all are equal, [E]."""
    greatest, least = _extremes(run)
    span = greatest - least
    return (run.scores - (greatest + least) / 2) / np.where(span > 0, span, 1)


def _least(run: Run) -> Floats:
    """Least scaled score of each entry's list, [E]."""
    greatest, least = _extremes(run)
    return np.where(greatest > least, _LEAST, 0.0)


def _base(count: int, queries: Integers, run: Run) -> Floats:
    """Return the score of a passage in a list that lacks it, [Q]; 0 where there is no list."""
    base = np.zeros(count)
    base[queries] = _least(run)
    return base


def best_alpha(
    dense: Run, sparse: Run, mean_of: Callable[[Run], float], depth: int, alphas: Sequence[float] = ALPHAS
) -> tuple[float, float]:
    """Return the weight with the highest mean on dev questions, the smallest of equal ones, and that mean.

    Args:
        dense: dense run of the dev questions.
        sparse: sparse run of the same questions.
        mean_of: function that gives the mean of a measure over the dev questions for a fused run.
        depth: passages kept for each query.
        alphas: weights that are tried.
    """
    means = {alpha: mean_of(fuse(dense, sparse, alpha, depth)) for alpha in alphas}
    best = max(means, key=lambda alpha: (means[alpha], -alpha))
    return best, means[best]


def fuse_folders(dense: Path, sparse: Path, alpha: float, depth: int, out: Path) -> None:
    """Fuse the runs of every pool.

    Args:
        dense: folder of runs, as `retrieve` writes it.
        sparse: folder of runs, as `lexical` writes it.
        alpha: weight of the dense scores.
        depth: passages kept for each query.
        out: folder to fill.

    Raises:
        BadInput: the folders are of different pools.
    """
    names = {path.name for path in dense.glob("*.trec.gz")}
    if names != {path.name for path in sparse.glob("*.trec.gz")} or not names:
        raise BadInput(f"{dense} and {sparse}: not runs of the same pools")
    for name in sorted(names):
        first, second = (read_run(folder / name, may_be_empty=True) for folder in (dense, sparse))
        write_run(out / name, fuse(first, second, alpha, depth), "fusion")
    parts = read_protocol(dense) | {f"sparse {name}": value for name, value in read_protocol(sparse).items()}
    write_protocol(out, parts | {FUSION: "centred min-max", "alpha": alpha})
