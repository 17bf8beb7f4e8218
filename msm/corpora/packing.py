"""Greedy packing of whole sentences, and of units into runs: arithmetic on offsets; no text, no files.

Source: arXiv:2302.01626 and the code released with it: units are whole sentences of one document, and a
block of masked language modelling is the same thing with the borders of documents ignored.
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pack(offsets: Sequence[int] | NDArray[np.int64], limit: int, first: int, last: int) -> list[int]:
    """The first sentence of every group, when whole sentences are joined as long as a group stays within the limit.

    A sentence longer than the limit is a group of its own; whoever reads the group cuts it.

    Args:
        offsets: where each sentence starts in a stream of tokens, and the end of the last one; strictly increasing.
        limit: most tokens of a group; at least 1.
        first: number of the first sentence to pack.
        last: number of the sentence before which packing ends.
    """
    starts = []
    sentence = first
    while sentence < last:
        starts.append(sentence)
        # A sentence has at least one token, so a group has at most `limit` of them.
        reach = min(sentence + limit, last) + 1
        sentence = max(sentence + 1, bisect_right(offsets, offsets[sentence] + limit, sentence + 1, reach) - 1)
    return starts


def split_runs(units: int, longest: int, shortest: int) -> list[tuple[int, int]]:
    """First unit and the one after the last of every run that a document of so many units gives.

    Runs are consecutive and of exactly `longest` units; what remains is kept if it has `shortest` units, else dropped.
    """
    pairs = [(start, min(start + longest, units)) for start in range(0, units, longest)]
    return [(start, stop) for start, stop in pairs if stop - start >= shortest]
