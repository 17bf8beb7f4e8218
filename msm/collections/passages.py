"""Passages that stay in their files and are read anew whenever they are iterated over.

The largest pools have 58 million passages. Nothing of them is held but how many each language has, and the judged ones;
while they are counted, 8 bytes a passage, so that an id that stands twice is found before anything is encoded.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from msm.collections.records import Passage
from msm.errors import BadInput

Read = Callable[[], Iterable[Passage]]
"""Function that iterates over the passages from the first to the last, as often as it is called."""


class Passages:
    """The passages of a benchmark. They are read once to be counted.

    Args:
        parts: passages of each language, in the order in which they are iterated over; or, under None alone, those of
            several languages in any order, which are always ranked together.
        judged: ids of judged passages.

    Raises:
        BadInput: a malformed file, or an id that stands twice.
    """

    def __init__(self, parts: Mapping[str | None, Read], ids_of_judged: Iterable[str] = ()) -> None:
        self._parts = dict(parts)
        self.counts: Counter[str] = Counter()
        """Passages of each language."""
        self.languages: dict[str, str] = {}
        """Language of each judged passage that exists."""
        self.judged: dict[str, tuple[int, Passage]] = {}
        """Position and text of each judged passage that exists."""
        judged_ids, hashes, digest = set(ids_of_judged), array("q"), hashlib.sha256()
        for position, passage in enumerate(self):
            fields = (passage.passage_id, passage.language, passage.title, passage.text)
            digest.update("\0".join(fields).encode(errors="surrogatepass") + b"\1")
            self.counts[passage.language] += 1
            hashes.append(hash(passage.passage_id))
            if passage.passage_id in judged_ids:
                self.languages[passage.passage_id] = passage.language
                self.judged[passage.passage_id] = (position, passage)
        self.digest = digest.hexdigest()
        """SHA-256 of ids, languages, titles and texts, in order."""
        self._refuse_twice(np.frombuffer(hashes, np.int64))

    def __len__(self) -> int:
        return self.counts.total()

    def __iter__(self) -> Iterator[Passage]:
        return chain.from_iterable(read_part() for read_part in self._parts.values())

    def of(self, language: str | None) -> Iterator[Passage]:
        """Iterate over the passages of one language, or over all."""
        return iter(self if language is None else self._parts[language]())

    def texts(self, ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages of some ids, those that exist."""
        wanted_ids = set(ids)
        return {passage.passage_id: passage for passage in self if passage.passage_id in wanted_ids}

    def _refuse_twice(self, hashes: NDArray[np.int64]) -> None:
        hashes.sort()
        shared_hashes = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        earlier_ids: set[str] = set()
        # Two ids may share their hash, so those are looked at again.
        for passage in self if shared_hashes else ():
            if hash(passage.passage_id) in shared_hashes:
                if passage.passage_id in earlier_ids:
                    raise BadInput(f"passage id stands twice: {passage.passage_id}")
                earlier_ids.add(passage.passage_id)
