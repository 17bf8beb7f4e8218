"""Vectors of late interaction, one for every token of a text.

A score is the sum, over the tokens of a question, of the greatest inner product with a token of the passage (MaxSim),
or the mean over them.

As for one vector a text (see `inner_products`), float32 matrix products with a proven bound of their error say which
pairs need an exact score; those get it from float64, and the few that float64 cannot tell from exact sums.

Shapes: S texts, T tokens of all of them, H width, B queries, N passages, L tokens of the longest passage, E pairs.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msm.collections.runs import Floats, Integers
from msm.retrieval.text_vectors import Arrays, TextVectors

CPU = torch.device("cpu")
NOTHING = -1e9
"""Score of a passage without tokens, that of sentence-transformers."""
BLOCK = 2**24
"""Number of products of two tokens that are compared together: 64 MiB in float32."""
_PAIR_TOKENS = 2**15
"""Number of tokens of passages whose exact scores are computed together."""
_SPARE = 8
"""Number of roundings beside those of the sums."""


class TokenVectors(TextVectors):
    """Vectors of the tokens of each text.

    Args:
        values: vectors of all tokens, one text after the other, float32, [T, H].
        counts: number of tokens of each text, [S].
        mean: whether a score is the mean over the tokens of the question, not the sum.
        device: device that compares these, as queries, with passages.
    """

    def __init__(self, values: Floats, counts: Integers, *, mean: bool = False, device: torch.device = CPU) -> None:
        self.values: Floats = np.ascontiguousarray(values, np.float32)
        self.counts, self.mean, self.device = counts, mean, device
        self.starts: Integers = np.cumsum(counts) - counts

    @property
    def width(self) -> int:
        """Number of dimensions of a vector, H."""
        return self.values.shape[1]

    def __len__(self) -> int:
        """Return the number of texts, S."""
        return len(self.counts)

    def __getitem__(self, rows: slice | Integers) -> Self:
        """Return the vectors of some texts."""
        counts = self.counts[rows]
        if isinstance(rows, slice) and rows.step is None:
            first = int(self.starts[rows][0]) if len(counts) else 0
            values = self.values[first : first + int(counts.sum())]
        else:
            values = self.values[_spans(self.starts[rows], counts)]
        return type(self)(values, counts, mean=self.mean, device=self.device)

    def joined(self, others: Sequence[Self]) -> Self:
        """Return these vectors and then others."""
        values = np.concatenate([self.values, *(other.values for other in others)])
        counts = np.concatenate([self.counts, *(other.counts for other in others)])
        return type(self)(values, counts, mean=self.mean, device=self.device)

    def arrays(self) -> Arrays:
        """Return the arrays that are written to disk."""
        return {"tokens": self.values, "counts": self.counts}

    def finite(self) -> NDArray[np.bool_]:
        """Return which texts have numbers only, [S]."""
        wrong = np.repeat(np.arange(len(self)), self.counts)[~np.isfinite(self.values).all(axis=1)]
        return ~np.isin(np.arange(len(self)), wrong)

    def stored_bytes(self) -> int:
        """Return the number of bytes of all tokens in fp32."""
        return self.values.nbytes

    def lengths(self) -> Floats:
        """Return the lengths of all tokens' vectors, float64, [T]."""
        return np.sqrt(np.einsum("ij,ij->i", self.values, self.values, dtype=np.float64))

    def longest(self) -> float:
        """Length of the longest token's vector."""
        return float(self.lengths().max(initial=0))

    def tile_scores(self, passages: Self, longest: float) -> "MaxSims":
        """Return MaxSim of these as queries."""
        return MaxSims(self, passages, longest)

    def pair_scores(self, passages: Self, rows: Integers, columns: Integers) -> Floats:
        """Return scores of some pairs, float32, [E]."""
        return self.bounded_scores(passages, rows, columns, passages.longest())

    def bounded_scores(self, passages: Self, rows: Integers, columns: Integers, longest: float) -> Floats:
        """Scores of some pairs, float32, [E].

        Args:
            passages: vectors of any number of passages.
            rows: index of the query of each pair, [E].
            columns: index of the passage of each pair, [E].
            longest: length of the longest token's vector of a passage, or more.
        """
        sums = np.empty(len(rows))
        for part in _cut(passages.counts[columns], _PAIR_TOKENS):
            sums[part] = self._pair_sums(passages, rows[part], columns[part])
        # Twice the bound, so that it covers both these sums and the exact ones.
        doubts = 2 * 2.0**-53 * self.sizes(longest)
        scores, upper_scores = (sums - doubts[rows]).astype(np.float32), (sums + doubts[rows]).astype(np.float32)
        for pair in np.flatnonzero(scores != upper_scores):
            scores[pair] = self._exact(passages, int(rows[pair]), int(columns[pair]))
        scores[passages.counts[columns] == 0] = NOTHING
        return scores

    def weights(self) -> Floats:
        """Return the factor of the sum over a question's tokens, float64, [S]."""
        return 1 / np.maximum(self.counts, 1) if self.mean else np.ones(len(self))

    def sizes(self, longest: float) -> Floats:
        """Bounds of the rounding errors of sums, in units of the last place, [S].

        Args:
            longest: length of the longest token's vector of a passage.
        """
        totals = np.bincount(np.repeat(np.arange(len(self)), self.counts), self.lengths(), len(self))
        return (self.width + self.counts + _SPARE) * longest * totals * self.weights()

    def padded(self) -> Tensor:
        """Tokens of all texts, [S, L, H]; a slot of padding repeats a text's first token, which changes no maximum."""
        if not len(self.values):
            return torch.zeros(len(self), 1, self.width)
        slots = np.arange(max(int(self.counts.max(initial=0)), 1))
        tokens = self.starts[:, None] + np.where(slots < self.counts[:, None], slots, 0)
        return torch.from_numpy(self.values[np.minimum(tokens, len(self.values) - 1)])

    def _pair_sums(self, passages: Self, rows: Integers, columns: Integers) -> Floats:
        """Scores in float64, in whatever order of the sums, [E]; of passages without tokens any numbers."""
        # Accelerators other than CUDA have no float64.
        device = self.device if self.device.type == "cuda" else CPU
        query_tokens, passage_tokens = (
            part.padded().to(device, torch.float64) for part in (self[rows], passages[columns])
        )
        best = (query_tokens @ passage_tokens.transpose(1, 2)).amax(2).cpu().numpy()
        counts = self.counts[rows]
        best[np.arange(best.shape[1]) >= counts[:, None]] = 0
        return best.sum(axis=1) * self.weights()[rows]

    def _exact(self, passages: Self, row: int, column: int) -> float:
        """A score whose sums are rounded once."""
        texts = (self[row : row + 1], passages[column : column + 1])
        query_tokens, passage_tokens = (text.values.astype(np.float64) for text in texts)
        best = [max((math.fsum(query * token) for token in passage_tokens), default=0.0) for query in query_tokens]
        return math.fsum(best) * float(self.weights()[row])


class MaxSims:
    """MaxSim of queries and passages, with the bound of its error.

    Args:
        queries: vectors of the queries, B of them.
        passages: vectors of the passages, N of them.
        longest: length of the longest token's vector of a passage, or more.
    """

    def __init__(self, queries: TokenVectors, passages: TokenVectors, longest: float) -> None:
        self.queries, self.passages, self.longest = queries, passages, longest
        tiny = float(np.finfo(np.float32).tiny) * queries.width * np.maximum(queries.counts, 1)
        self.errors: Floats = 2.0**-24 * queries.sizes(longest) + tiny
        """Most that `approximate` is away from the scores, for each query, float64, [B]."""

    @cached_property
    def approximate(self) -> Floats:
        """Approximate scores of all pairs, float32, [B, N]."""
        return _max_sims(self.queries, self.passages)

    def scores(self, rows: Integers, columns: Integers) -> Floats:
        """Scores of some pairs, float32, [E]."""
        return self.queries.bounded_scores(self.passages, rows, columns, self.longest)


def _max_sims(queries: TokenVectors, passages: TokenVectors) -> Floats:
    """MaxSim of all pairs by float32 products, [B, N]."""
    scores = np.full((len(queries), len(passages)), NOTHING, np.float32)
    if not len(queries.values) or not len(passages.values):
        scores[:, passages.counts > 0] = 0
        return scores
    tokens = torch.from_numpy(queries.values).to(queries.device)
    owners = np.repeat(np.arange(len(queries)), queries.counts)
    sums = torch.zeros(len(tokens), len(queries), dtype=torch.float64)
    sums[torch.arange(len(tokens)), torch.from_numpy(owners)] = 1
    sums = sums.to(queries.device) if queries.device.type != "mps" else sums
    # Passages of like length together, so that little is padded; those without tokens are left as they are.
    order = np.argsort(passages.counts, kind="stable")
    order = order[passages.counts[order] > 0]
    for part in _cut(passages.counts[order], BLOCK // max(len(tokens), queries.width)):
        block = passages[order[part]].padded().to(queries.device)
        best = (block.flatten(0, 1) @ tokens.T).unflatten(0, block.shape[:2]).amax(1)
        totals = (best.to(sums.device).double() @ sums).T.cpu().numpy()
        scores[:, order[part]] = totals * queries.weights()[:, None]
    return scores


def _cut(counts: Integers, most: int) -> Iterator[slice]:
    """Yield spans of consecutive texts that have at most `most` tokens once they are padded, or of one text."""
    first, longest = 0, 0
    for number, count in enumerate(counts.tolist()):
        longest = max(longest, count)
        if number > first and longest * (number + 1 - first) > most:
            yield slice(first, number)
            first, longest = number, count
    if first < len(counts):
        yield slice(first, len(counts))


def _spans(starts: Integers, counts: Integers) -> Integers:
    """Return the indices of all tokens of some texts, one text after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(counts.sum())) + np.repeat(starts - (ends - counts), counts)
