"""Which tokens masked language modelling hides."""

import numpy as np
from numpy.typing import NDArray

MASKED, RANDOM = 0.8, 0.1
"""Shares of the selected tokens that become `<mask>` and a random piece; the rest stay as they are."""

Ids = NDArray[np.integer]


def hide_tokens(
    tokens: Ids, *, share: float, special: int, mask: int, vocabulary: int, random: np.random.Generator
) -> tuple[Ids, NDArray[np.int64]]:
    """Hide a share of the tokens, 80 % by `<mask>`, 10 % by a random piece, 10 % not at all.

    Args:
        tokens: ids, [T].
        share: of the ordinary tokens that is selected.
        special: ids below this (`<s>`, `<pad>`, `</s>`, `<unk>`) are never selected.
        mask: id of `<mask>`, above all pieces.
        vocabulary: ids are below this.
        random: where the choices come from.

    Returns:
        The tokens with some hidden, [T], and the rows of the selected ones, [P]; at least one if any can be.

    Source: arXiv 1810.04805, as in XLM-R.
    """
    ordinary = np.flatnonzero((tokens >= special) & (tokens != mask))
    chosen = ordinary[random.random(len(ordinary)) < share]
    if not len(chosen) and len(ordinary):
        chosen = ordinary[random.integers(len(ordinary), size=1)]
    draw = random.random(len(chosen))
    hidden = tokens.copy()
    hidden[chosen[draw < MASKED]] = mask
    replaced = chosen[(draw >= MASKED) & (draw < MASKED + RANDOM)]
    hidden[replaced] = random.integers(special, vocabulary - 1, size=len(replaced))
    return hidden, chosen.astype(np.int64)
