"""Exact inner-product search, shard by shard: memory holds one shard and the best so far.

On a GPU where FAISS is built for one (packages `faiss-gpu-*` in place of `faiss-cpu`), else on the CPU. Equal scores
stand in the order of the passages. Which of several equal ones at the very edge of the depth are kept is FAISS's
choice; the same vectors give the same one.

Shapes: Q queries, H width, N passages of a shard, K depth.
"""

import functools
from typing import Any

import faiss
import numpy as np

from msm.collections.runs import Floats, Integers

GPU_DEPTH = 2048
"""Most passages that FAISS finds on a GPU for each query."""


class BestPassages:
    """The K best passages of each query among all shards seen so far.

    Args:
        queries: Q.
        depth: K.
    """

    def __init__(self, queries: int, depth: int) -> None:
        self.depth = depth
        self.passages: Integers = np.empty((queries, 0), np.int64)
        """Best first, [Q, K]; -1 where the shards had fewer."""
        self.scores: Floats = np.empty((queries, 0), np.float32)
        """[Q, K]; minus infinity where there is no passage."""

    def add(self, passages: Integers, scores: Floats) -> None:
        """Merge the best of one more shard, in any order of shards.

        Args:
            passages: places in the corpus, [Q, any]; -1 for none.
            scores: of the same shape; minus infinity for none.
        """
        passages, scores = np.hstack([self.passages, passages]), np.hstack([self.scores, scores])
        best = np.lexsort((passages, -scores), axis=1)[:, : self.depth]
        self.passages = np.take_along_axis(passages, best, axis=1)
        self.scores = np.take_along_axis(scores, best, axis=1)

    def least(self) -> Floats:
        """The score that a passage needs to be among the best, [Q]; a passage of an earlier place may need it only."""
        if self.scores.shape[1] < self.depth:
            return np.full(len(self.scores), -np.inf, np.float32)
        return self.scores[:, -1]


def nearest(queries: Floats, passages: Floats, depth: int) -> tuple[Integers, Floats]:
    """The passages of one shard with the greatest inner products.

    Args:
        queries: float32, [Q, H].
        passages: float32, [N, H].
        depth: most passages for each query.

    Returns:
        Places in the shard and scores, best first, equal ones in order of place, both [Q, min(depth, N)].
    """
    count = min(depth, len(passages))
    if not count or not len(queries):
        return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
    if faiss.get_num_gpus() and count <= GPU_DEPTH:
        scores, places = faiss.knn_gpu(_gpu(), queries, passages, count, metric=faiss.METRIC_INNER_PRODUCT)
    else:
        scores, places = faiss.knn(queries, passages, count, metric=faiss.METRIC_INNER_PRODUCT)
    order = np.lexsort((places, -scores), axis=1)
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(scores, order, axis=1)


@functools.cache
def _gpu() -> Any:
    """Its scratch memory; taken once."""
    return faiss.StandardGpuResources()
