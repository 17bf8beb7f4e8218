"""Bitext: aligned sentences of two languages, in which translations are mined."""

from typing import NamedTuple


class Bitext(NamedTuple):
    """Sentences and their translations."""

    source_language: str
    target_language: str
    sources: list[str]
    targets: list[str]
    """Translations, one for each source, in its order."""
    distractors: list[str]
    """Further targets, all of them wrong; none but for xSIM++."""
    shared_lines: bool = True
    """Whether a line says the same in all languages, not only in these two."""

    @property
    def name(self) -> str:
        """Name of the pair and of its runs."""
        return f"{self.source_language}-{self.target_language}"

    @property
    def source_ids(self) -> list[str]:
        """Ids of the sources: language and number of the line, from 1."""
        return [f"{self.source_language}-{number}" for number in range(1, len(self.sources) + 1)]

    @property
    def target_ids(self) -> list[str]:
        """Ids of the targets, then of the distractors."""
        hard = [f"{self.target_language}-hard-{number}" for number in range(1, len(self.distractors) + 1)]
        return [f"{self.target_language}-{number}" for number in range(1, len(self.targets) + 1)] + hard
