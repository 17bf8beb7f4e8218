"""Packed token shards on disk: for each language one stream of token ids, memory-mapped.

A shard cuts documents into *units* of whole sentences, and joins consecutive units of a document to *spans*, which the
document encoder reads. A folder holds these files for every language:

    LANG.tokens.npy     [T]      ids of all sentences of all documents in order; uint16, or uint32 for more than
                                 65,536 pieces. A sentence is its sub-words and then `</s>`; it is never cut here.
    LANG.sentences.npy  [S + 1]  int64: where each sentence starts in the tokens, and T
    LANG.units.npy      [U + 1]  int64: where each unit starts in the tokens, and T; every unit of every document
    LANG.runs.npy       [R, 3]   int64, the spans: first unit, the one after the last, number of the document
    LANG.documents.json [D]      ids of the documents
    index.json                   vocabulary, special tokens, unit sizes, and counts per language (see `Index`)

Nothing is stored twice. `<s>` is put in front when a unit or a block is read; a unit longer than `unit_tokens` is a
single sentence, and reading cuts it, so that it loses its `</s>`. Units outside of all spans (the rest of a document,
documents that are too short) stay in the stream, because masked language modelling reads all text.

Shapes: T tokens, S sentences, U units, R spans, D documents, all of one language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from msm.corpora.arrays import check_range, read_bounds, read_integers
from msm.corpora.packing import pack
from msm.corpora.subwords import Layout
from msm.errors import BadInput
from msm.files import check_below, read_json, read_json_object

Tokens = NDArray[np.unsignedinteger[Any]]
Offsets = NDArray[np.int64]
INDEX = "index.json"
FORMAT = 1


@dataclass(frozen=True)
class ShardCounts:
    """Counts of one language."""

    documents: int
    sentences: int
    tokens: int
    """Number of tokens, `</s>` included and `<s>` not."""
    units: int
    """Number of units, inside and outside of spans."""
    runs: int
    """Number of spans, under the name of their file."""


@dataclass(frozen=True)
class Index:
    """The file `index.json`: what all languages of a folder of shards share, and their counts."""

    vocabulary: int
    """Size of the vocabulary; all ids are below it."""
    begin: int
    """Id of `<s>`."""
    pad: int
    end: int
    """Id of `</s>`."""
    unknown: int
    mask: int
    unit_tokens: int
    """Largest number of tokens of a unit, `<s>` included."""
    document_units: int
    """Largest number of units of a span."""
    min_units: int
    """Smallest number of units of a span."""
    languages: dict[str, ShardCounts]

    @property
    def layout(self) -> Layout:
        """Ids of the special tokens, and the size of the vocabulary."""
        return Layout(self.vocabulary, self.begin, self.pad, self.end, self.unknown, self.mask)


class TextBlocks(Protocol):
    """Blocks of running text of one language, from one shard (`Blocks`) or from many."""

    @property
    def counts(self) -> Sequence[int]:
        """Number of blocks in every shard."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Tokens:
        """Return a block, see `Blocks`."""
        ...

    def mean_tokens(self) -> float:
        """Return the mean number of tokens of a block, `<s>` included."""
        ...


class Text(Protocol):
    """The text of one language as training reads it: one `Shard`, or many that are streamed."""

    @property
    def language(self) -> str:
        """Code of the language."""
        ...

    @property
    def counts(self) -> Sequence[int]:
        """Number of spans in every shard."""
        ...

    def __len__(self) -> int: ...

    def span(self, number: int) -> list[Tokens]:
        """Return the units of a span, see `Shard`."""
        ...

    def document_id(self, number: int) -> str:
        """Return the id of the document that a span belongs to."""
        ...

    def mean_span_tokens(self) -> float:
        """Return the mean number of tokens of a span, `<s>` of every unit included."""
        ...

    def blocks(self, block_tokens: int) -> TextBlocks:
        """Return all text in blocks of up to `block_tokens` ids, `<s>` included."""
        ...


@dataclass(frozen=True, eq=False)
class Shard:
    """The text of one language: spans of units for the document encoder, blocks for masked language modelling."""

    language: str
    tokens: Tokens
    sentences: Offsets
    units: Offsets
    runs: Offsets
    """Spans, [R, 3]: first unit, the one after the last, number of the document."""
    index: Index
    folder: Path

    def __len__(self) -> int:
        """Return the number of spans."""
        return len(self.runs)

    @property
    def counts(self) -> list[int]:
        """Number of spans in every shard; there is one shard."""
        return [len(self)]

    def span_tokens(self) -> int:
        """Return the number of tokens of all spans, `<s>` of every unit included."""
        lengths = np.minimum(np.diff(self.units) + 1, self.index.unit_tokens)
        sums = np.concatenate([[0], np.cumsum(lengths)])
        return int((sums[self.runs[:, 1]] - sums[self.runs[:, 0]]).sum())

    def mean_span_tokens(self) -> float:
        """Return the mean number of tokens of a span, `<s>` of every unit included."""
        return self.span_tokens() / max(len(self), 1)

    def span(self, number: int) -> list[Tokens]:
        """Return the units of a span in order, `min_units` to `document_units` of them.

        Each unit is `<s>`, then whole sentences that end with `</s>`, `unit_tokens` ids at most; or `<s>` and the first
        `unit_tokens - 1` ids of one longer sentence. All units are views of one small array.
        """
        first, stop, _ = self.runs[number]
        bounds = self.units[first : stop + 1] - self.units[first]
        tokens = self.read(int(self.units[first]), int(self.units[stop]))
        with_begin = np.insert(tokens, bounds[:-1], self.index.begin)
        starts = (bounds + np.arange(len(bounds))).tolist()
        return [with_begin[start : min(end, start + self.index.unit_tokens)] for start, end in pairwise(starts)]

    def read(self, first: int, stop: int) -> Tokens:
        """Return the ids of some tokens.

        Raises:
            BadInput: an id is no piece of the vocabulary, which would end a process on a GPU without a reason.
        """
        tokens = self.tokens[first:stop]
        path = self.folder / f"{self.language}.tokens.npy"
        check_range(tokens, self.index.vocabulary, path, f"token id behind {first}:")
        return tokens

    def document_id(self, number: int) -> str:
        """Return the id of the document that a span belongs to."""
        return self.document_ids[self.runs[number, 2]]

    @cached_property
    def document_ids(self) -> list[str]:
        """Ids of all documents of the language, those without a span included."""
        return read_json(self.folder / f"{self.language}.documents.json")

    def blocks(self, block_tokens: int) -> "Blocks":
        """Return all text of the language in blocks of up to `block_tokens` ids, `<s>` included.

        A block is filled with whole sentences and may cross documents; see `Blocks`.
        """
        firsts = pack(self.sentences, block_tokens - 1, 0, len(self.sentences) - 1)
        return Blocks(self, self.sentences[[*firsts, len(self.sentences) - 1]], block_tokens)


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks of running text of one language; each is made when it is read."""

    shard: Shard
    bounds: Offsets
    """Index of the first token of each block, and the number of all tokens."""
    block_tokens: int

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.bounds) - 1

    @property
    def counts(self) -> list[int]:
        """Number of blocks in every shard; there is one shard."""
        return [len(self)]

    def token_count(self) -> int:
        """Return the number of tokens of all blocks, `<s>` included."""
        return int(np.minimum(np.diff(self.bounds) + 1, self.block_tokens).sum())

    def mean_tokens(self) -> float:
        """Return the mean number of tokens of a block, `<s>` included."""
        return self.token_count() / max(len(self), 1)

    def __getitem__(self, number: int) -> Tokens:
        """Return a block: `<s>` and whole sentences, or `<s>` and the beginning of a sentence longer than a block."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        start, stop = self.bounds[number], self.bounds[number + 1]
        tokens = self.shard.read(int(start), int(min(stop, start + self.block_tokens - 1)))
        return np.insert(tokens, 0, self.shard.index.begin)


T = TypeVar("T", bound=Text, covariant=True)


@dataclass(frozen=True, eq=False)
class Units(Generic[T]):
    """All languages of a folder of shards, those without a span included, because their blocks are read."""

    index: Index
    shards: Mapping[str, T]

    @property
    def languages(self) -> list[str]:
        """Codes of all languages, sorted."""
        return sorted(self.shards)

    def __getitem__(self, language: str) -> T:
        """The text of a language."""
        return self.shards[language]


def read_units(folder: Path) -> Units[Shard]:
    """Open the shards of a folder. Token ids stay on disk until they are read.

    Raises:
        BadInput: the folder holds no shards, or a file does not have the size that the index says.
    """
    if not (folder / INDEX).is_file():
        raise BadInput(f"{folder}: no {INDEX}, so no token shards; run the stage units first")
    values = read_json_object(folder / INDEX)
    if values.pop("format", None) != FORMAT:
        raise BadInput(f"{folder / INDEX}: not in format {FORMAT} of token shards; run the stage units again")
    try:
        languages = {language: ShardCounts(**counts) for language, counts in values.pop("languages").items()}
        index = Index(**values, languages=languages)
    except (AttributeError, KeyError, TypeError) as error:
        raise BadInput(f"{folder / INDEX}: no index of token shards: {error}") from error
    for values_of in (values, *map(vars, languages.values())):
        for name, value in values_of.items():
            if type(value) is not int:
                raise BadInput(f"{folder / INDEX}: no index of token shards: {name} is {value!r:.60}")
    for language in languages:
        check_below(language, folder / INDEX)
    return Units(index, {language: _read_shard(folder, language, index) for language in languages})


def _read_shard(folder: Path, language: str, index: Index) -> Shard:
    counts = index.languages[language]
    paths = {name: folder / f"{language}.{name}.npy" for name in ("tokens", "sentences", "units", "runs")}
    return Shard(
        language=language,
        tokens=read_integers(paths["tokens"], (counts.tokens,)),
        sentences=read_bounds(paths["sentences"], counts.sentences, counts.tokens),
        units=read_bounds(paths["units"], counts.units, counts.tokens),
        runs=_read_spans(paths["runs"], counts),
        index=index,
        folder=folder,
    )


def _read_spans(path: Path, counts: ShardCounts) -> Offsets:
    spans = read_integers(path, (counts.runs, 3))
    check_range(spans[:, 0], counts.units, path, "first unit")
    check_range(spans[:, 1] - 1, counts.units, path, "last unit")
    check_range(spans[:, 2], counts.documents, path, "document")
    if len(empty := np.flatnonzero(spans[:, 1] <= spans[:, 0])):
        raise BadInput(f"{path}: span {empty[0]} ends before it begins")
    return spans
