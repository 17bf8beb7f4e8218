"""How well sentence splitting finds the sentences of a text whose sentences are known: join, split again, compare.

A boundary is the number of characters, blanks left out, before the next sentence; so it does not matter with what the
sentences were joined, and scripts without blanks between words are treated as all others.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from msm.corpora.languages import falls_back
from msm.corpora.sentences import split

UNSPACED = {"zh", "wuu", "ja", "yue"}
"""Languages that put no blank between sentences."""


class Boundaries(NamedTuple):
    """Inner boundaries of the documents of a language."""

    language: str
    sentences: int
    expected: int
    found: int
    """By the splitter, right or wrong."""
    right: int

    @property
    def recall(self) -> float:
        """Share of the known boundaries that were found."""
        return self.right / self.expected if self.expected else 1.0

    @property
    def precision(self) -> float:
        """Share of the boundaries found that are known ones."""
        return self.right / self.found if self.found else 1.0


def check(language: str, documents: Iterable[Sequence[str]]) -> Boundaries:
    """Boundaries of a language's documents, each a list of sentences."""
    sentences = expected = found = right = 0
    for document in documents:
        known = _inner(document)
        ours = _inner(split(("" if language in UNSPACED else " ").join(document), language))
        sentences += len(document)
        expected += len(known)
        found += len(ours)
        right += len(known & ours)
    return Boundaries(language, sentences, expected, found, right)


def table(results: Iterable[Boundaries]) -> str:
    """Markdown, one line a language."""
    lines = ["| language | rules | sentences | found | precision |", "|---|---|---|---|---|"]
    for row in sorted(results):
        rules = "fallback" if falls_back(row.language) else "own"
        lines.append(f"| {row.language} | {rules} | {row.sentences} | {row.recall:.1%} | {row.precision:.1%} |")
    return "\n".join(lines) + "\n"


def _inner(sentences: Sequence[str]) -> set[int]:
    lengths = [len("".join(sentence.split())) for sentence in sentences]
    return set(accumulate(length for length in lengths if length)) - {sum(lengths), 0}
