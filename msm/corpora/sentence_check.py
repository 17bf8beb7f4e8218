"""Measures how well sentence splitting works: joins known sentences, splits the text again, and compares.

A boundary is the number of characters before the next sentence, without blanks. So the result does not depend on the
blanks with which the sentences were joined, and scripts without blanks between words are treated like all others.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from msm.corpora.languages import falls_back
from msm.corpora.sentences import split

UNSPACED = {"zh", "wuu", "ja", "yue"}
"""Languages that put no blank between sentences."""


class Boundaries(NamedTuple):
    """Counts of the boundaries between sentences within the documents of a language."""

    language: str
    sentences: int
    expected: int
    guesses: int
    """Number of boundaries that the splitter found, right or wrong."""
    right: int

    @property
    def recall(self) -> float:
        """Share of the known boundaries that the splitter found."""
        return self.right / self.expected if self.expected else 1.0

    @property
    def precision(self) -> float:
        """Share of the boundaries of the splitter that are known ones."""
        return self.right / self.guesses if self.guesses else 1.0


def check(language: str, documents: Iterable[Sequence[str]]) -> Boundaries:
    """Count the boundaries of a language's documents, each of which is a list of sentences."""
    sentences = expected = guesses = right = 0
    for document in documents:
        boundaries = _inner(document)
        ours = _inner(split(("" if language in UNSPACED else " ").join(document), language))
        sentences += len(document)
        expected += len(boundaries)
        guesses += len(ours)
        right += len(boundaries & ours)
    return Boundaries(language, sentences, expected, guesses, right)


def table(results: Iterable[Boundaries]) -> str:
    """Return a Markdown table with one line a language."""
    lines = ["| language | rules | sentences | found | precision |", "|---|---|---|---|---|"]
    for row in sorted(results):
        rules = "fallback" if falls_back(row.language) else "own"
        lines.append(f"| {row.language} | {rules} | {row.sentences} | {row.recall:.1%} | {row.precision:.1%} |")
    return "\n".join(lines) + "\n"


def _inner(sentences: Sequence[str]) -> set[int]:
    lengths = [len("".join(sentence.split())) for sentence in sentences]
    return set(accumulate(length for length in lengths if length)) - {sum(lengths), 0}
