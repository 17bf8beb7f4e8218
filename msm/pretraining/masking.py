"""Chooses and hides the tokens of masked language modelling."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MASKED, RANDOM = 0.8, 0.1
"""Shares of the selected tokens that become `<mask>` and that become a random piece; the rest stay as they are."""

Ids = NDArray[np.integer]


def hide_tokens(
    tokens: Ids, *, share: float, special: Sequence[int], mask: int, vocabulary: int, random: np.random.Generator
) -> tuple[Ids, NDArray[np.int64]]:
    """Select a share of the tokens; replace 80 % of them by `<mask>`, 10 % by a random piece, and keep 10 %.

    Args:
        tokens: token ids, [T].
        share: share of the ordinary tokens that are selected, from 0 to 1.
        special: ids of special tokens, `<mask>` among them. They are never selected and never replace a token.
        mask: id of `<mask>`.
        vocabulary: size of the vocabulary; all ids are below it.
        random: generator of all draws.

    Returns:
        The token ids after the replacement, [T], and the positions of the selected tokens, [P]. At least one token is
        selected where there is an ordinary one.

    Source: arXiv 1810.04805, as in XLM-R.
    """
    ordinary = np.flatnonzero(~np.isin(tokens, special))
    places = ordinary[random.random(len(ordinary)) < share]
    if not len(places) and len(ordinary):
        places = ordinary[random.integers(len(ordinary), size=1)]
    draw = random.random(len(places))
    masked_tokens = tokens.copy()
    masked_tokens[places[draw < MASKED]] = mask
    random_places = places[(draw >= MASKED) & (draw < MASKED + RANDOM)]
    masked_tokens[random_places] = _pieces(random.integers(vocabulary - len(special), size=len(random_places)), special)
    return masked_tokens, places.astype(np.int64)


def _pieces(numbers: NDArray[np.int64], special: Sequence[int]) -> NDArray[np.int64]:
    """Ids of ordinary pieces from their numbers among the ordinary pieces, which leave out the special ids."""
    for piece in sorted(special):
        numbers = numbers + (numbers >= piece)
    return numbers
