"""Which tokens masked language modelling hides."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MASKED, RANDOM = 0.8, 0.1
"""Shares of the selected tokens that become `<mask>` and a random piece; the rest stay as they are."""

Ids = NDArray[np.integer]


def hide_tokens(
    tokens: Ids, *, share: float, special: Sequence[int], mask: int, vocabulary: int, random: np.random.Generator
) -> tuple[Ids, NDArray[np.int64]]:
    """Hide a share of the tokens, 80 % by `<mask>`, 10 % by a random piece, 10 % not at all.

    Args:
        tokens: ids, [T].
        share: of the ordinary tokens that is selected.
        special: ids that are never selected and replace none, `<mask>` among them.
        mask: id of `<mask>`.
        vocabulary: ids are below this.
        random: where the choices come from.

    Returns:
        The tokens with some hidden, [T], and the rows of the selected ones, [P]; at least one if any can be.

    Source: arXiv 1810.04805, as in XLM-R.
    """
    ordinary = np.flatnonzero(~np.isin(tokens, special))
    chosen = ordinary[random.random(len(ordinary)) < share]
    if not len(chosen) and len(ordinary):
        chosen = ordinary[random.integers(len(ordinary), size=1)]
    draw = random.random(len(chosen))
    hidden = tokens.copy()
    hidden[chosen[draw < MASKED]] = mask
    replaced = chosen[(draw >= MASKED) & (draw < MASKED + RANDOM)]
    hidden[replaced] = _pieces(random.integers(vocabulary - len(special), size=len(replaced)), special)
    return hidden, chosen.astype(np.int64)


def _pieces(numbers: NDArray[np.int64], special: Sequence[int]) -> NDArray[np.int64]:
    """Ids of ordinary pieces, from their numbers when special ids are not counted."""
    for taken in sorted(special):
        numbers = numbers + (numbers >= taken)
    return numbers
