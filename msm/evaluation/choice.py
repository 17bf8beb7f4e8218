"""Selects some languages, or pairs of languages, of scores that were made for all."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from msm.collections.measure_names import BITEXT_MEASURES
from msm.corpora.codes import canonical
from msm.settings import listed


class LanguageChoice(NamedTuple):
    """The questions and candidates that are shown; with nothing chosen, all are."""

    languages: tuple[str, ...] = ()
    """Languages of the questions; for bitext, whose questions may all be in one language, of either side."""
    pairs: tuple[str, ...] = ()
    """Languages of questions and candidates, such as `de-en`; for bitext, in either order."""

    def holds(self, measure: str, query_language: str, candidate_language: str | None) -> bool:
        """Return whether a value of a pool is shown.

        Args:
            measure: name of the measure, which tells bitext from retrieval.
            query_language: code of the language of the questions.
            candidate_language: code of the language of the candidates; None for candidates of all languages.
        """
        is_bitext = measure in BITEXT_MEASURES
        sides = (query_language, candidate_language) if is_bitext else (query_language,)
        if self.languages and not set(sides).intersection(self.languages):
            return False
        names = {f"{query_language}-{candidate_language}"}
        if is_bitext:
            names.add(f"{candidate_language}-{query_language}")
        return not self.pairs or not names.isdisjoint(self.pairs)

    def line(self, line: dict[str, Any]) -> bool:
        """Return whether a score line of one pool is shown."""
        return self.holds(line["measure"], line["query_language"], line["candidate_language"])

    def rows(self, table: pa.Table) -> pa.Table:
        """Return the rows of a table of one benchmark's per-query values that are shown."""
        if self == EVERYTHING or not len(table):
            return table
        names = ["query_language", "candidate_language"]
        codes = [table[name].combine_chunks() for name in names]
        texts = [array.dictionary.to_pylist() for array in codes]
        indices = [array.indices.fill_null(-1).to_numpy() for array in codes]
        measure = table["measure"][0].as_py()  # a benchmark is all of bitext or all of retrieval
        is_shown = np.array(
            [[self.holds(measure, query, candidate) for candidate in (*texts[1], None)] for query in texts[0]], bool
        )
        return table.filter(pa.array(is_shown[indices[0], indices[1]]))


EVERYTHING = LanguageChoice()


def choice(languages: str, pairs: str) -> LanguageChoice:
    """Read a person's choice of languages and pairs.

    Args:
        languages: codes with commas between them, in any spelling; empty for all.
        pairs: language pairs, such as `de-en,fr-en`, as the scores spell them; empty for all.
    """
    codes = listed(languages)
    # Bitext keeps the names of its files, such as `deu` and `eng_Latn`.
    return LanguageChoice(tuple(dict.fromkeys([*codes, *map(canonical, codes)])), tuple(listed(pairs)))
