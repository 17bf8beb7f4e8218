"""Counts the kinds of characters of a text, by a table with one byte a character."""

import functools
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

from msm.corpora.languages import languages, scripts

BLANK, DIGIT, OTHER, MARK, LETTER = range(5)
"""Classes; from `LETTER` on, letters of a script: that of `SCRIPTS` that is so far on, or of none of them."""
LAST = 0x3FFFF
"""Characters beyond it are private or not assigned."""


class Profile(NamedTuple):
    """Shares of a text's characters, blanks aside."""

    characters: int
    digits: float
    others: float
    """Share of the characters that are neither letters, marks nor digits."""
    script: float
    """Share of the letters that belong to the wanted scripts."""


@functools.cache
def script_names() -> list[str]:
    """Return the scripts of the languages of the table."""
    return sorted({script for code in languages() for script in scripts(code)})


@functools.cache
def _classes() -> NDArray[np.uint8]:
    kinds = {"L": LETTER, "M": MARK, "N": OTHER, "Z": BLANK}
    table = np.full(LAST + 2, OTHER, np.uint8)
    for code in range(LAST + 1):
        category = unicodedata.category(chr(code))
        table[code] = DIGIT if category == "Nd" else kinds.get(category[0], OTHER)
    table[[9, 10, 11, 12, 13]] = BLANK
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, LAST + 1)]))
    codes = np.array([*range(0xD800), *range(0xE000, LAST + 1)])
    for number, script in enumerate(script_names(), start=LETTER + 1):
        for match in regex.finditer(rf"\p{{Script={script}}}+", everything):
            letters = codes[match.start() : match.end()]
            table[letters[table[letters] == LETTER]] = number
    return table


def profile(text: str, scripts: Collection[str]) -> Profile:
    """Count the shares of a text.

    Args:
        text: any text that is not empty.
        scripts: scripts that its letters should belong to; without any, all letters count.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    counts = np.bincount(_classes()[np.minimum(codes, LAST + 1)], minlength=LETTER + 1 + len(script_names()))
    characters = int(len(codes) - counts[BLANK])
    letters = int(counts[LETTER:].sum())
    places = [LETTER + 1 + script_names().index(script) for script in scripts]
    script_letters = int(counts[places].sum()) if scripts else letters
    whole = max(characters, 1)
    return Profile(characters, counts[DIGIT] / whole, counts[OTHER] / whole, script_letters / max(letters, 1))
