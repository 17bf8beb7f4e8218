"""Greedy packing of whole sentences, and of units into spans, as arithmetic on offsets.

Source: arXiv:2302.01626 and the code released with it: units are whole sentences of one document, and a
block of masked language modelling is the same thing with the borders of documents ignored.
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pack(offsets: Sequence[int] | NDArray[np.int64], limit: int, first: int, last: int) -> list[int]:
    """Join whole sentences to groups, each as long as a limit allows; returns the first sentence of every group.

    A sentence longer than the limit is a group of its own; whoever reads the group cuts it.

    Args:
        offsets: index of the first token of each sentence, and the number of all tokens; strictly increasing.
        limit: largest number of tokens of a group, 1 or more.
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


def split_spans(units: int, longest: int, shortest: int) -> list[tuple[int, int]]:
    """First unit, and the one after the last, of every span of a document.

    Spans follow each other and have exactly `longest` units. The rest is a span if it has `shortest` units or more.
    """
    pairs = [(start, min(start + longest, units)) for start in range(0, units, longest)]
    return [(start, stop) for start, stop in pairs if stop - start >= shortest]
