"""The work folder of a corpus: its parts, the marks of finished work, and the counts of each piece of work.

Work is divided into units of work that do not depend on tasks: parts of the input, buckets of hashes, bands of MinHash,
shards. A unit of work writes its files under temporary names, and its mark last. So a killed task repeats only the
units without a mark, and any number of tasks gives the same bytes.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from msm.corpora.crawl.readers import Reader
from msm.corpora.crawl.settings import PACKING, CorpusRecipe
from msm.files import new_file, read_json, write_json
from msm.pipeline.artifacts import checksum, payload_checksum

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class CrawlState:
    """The recipe and folders that every task knows; tasks get a copy of it."""

    recipe: CorpusRecipe
    work: Path
    """Work folder, which all tasks can read and write."""
    out: str
    """Address that shards or documents are written to."""
    tokenizer: str
    """Folder of the tokenizer; empty to write documents."""

    @cached_property
    def packing(self) -> str:
        """Name of the folder of everything after cleaning. Each tokenizer and address has a folder of its own."""
        tokenizer = payload_checksum(Path(self.tokenizer)) if self.tokenizer else ""
        settings = {name: getattr(self.recipe.corpus, name) for name in PACKING}
        return f"packing-{checksum({'out': self.out, 'tokenizer': tokenizer, 'settings': settings})[:12]}"

    def mark(self, step: str, number: int) -> Path:
        """Return the path of the mark of a unit of work, which exists when the unit is done."""
        return self.work / step / f"{number:06d}.json"

    def is_done(self, step: str, number: int) -> bool:
        """Whether a unit of work is done."""
        return self.mark(step, number).is_file()

    def facts(self, step: str) -> list[dict[str, Any]]:
        """Return the counts of the units of a step, in their order."""
        return [read_json(path) for path in sorted((self.work / step).glob("[0-9]*.json"))]

    @cached_property
    def parts(self) -> list[list[tuple[int, str]]]:
        """Return the number of the input and the name of every file, for every part."""
        return [[(int(number), name) for number, name in part] for part in read_json(self.work / "parts.json")]

    def reader(self, number: int) -> Reader:
        """Return the reader of an input."""
        return Reader(self.recipe.inputs[number], self.recipe.corpus.longest_record, number)

    def find_parts(self) -> None:
        """List the input files once. Later calls use this list, so that the parts stay the same."""
        path = self.work / "parts.json"
        if path.is_file():
            return
        files = [(n, name) for n in range(len(self.recipe.inputs)) for name in self.reader(n).names()]
        size = self.recipe.corpus.part_files
        write_json(path, [files[start : start + size] for start in range(0, len(files), size)])

    def rows(self, step: str, part: int) -> Iterator[dict[str, Any]]:
        """Yield the documents that a step has written for a part."""
        with gzip.open(self._rows(step, part), "rt", encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def write_rows(self, step: str, part: int, rows: Rows) -> None:
        """Write the documents of a part, with quick compression, because they are read once."""
        with new_file(self._rows(step, part), "wb") as raw:
            with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0) as file:
                for row in rows:
                    file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    def _rows(self, step: str, part: int) -> Path:
        return self.work / step / f"{part:06d}.rows"


class Drops:
    """Counts of what was dropped, by reason and language; `-` where the language is not known yet."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, reason: str, language: str = "-", number: int = 1) -> None:
        """Count."""
        self.counts.setdefault(reason, Counter())[language or "-"] += number

    def as_json(self) -> dict[str, dict[str, int]]:
        """Plain dictionaries, sorted."""
        return {reason: dict(sorted(self.counts[reason].items())) for reason in sorted(self.counts)}


def total(facts: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """The drops of several units together."""
    drops = Drops()
    for fact in facts:
        for reason, languages in fact.get("dropped", {}).items():
            for language, number in languages.items():
                drops.add(reason, language, number)
    return drops.as_json()


Job = Callable[[CrawlState, int], dict[str, Any]]
