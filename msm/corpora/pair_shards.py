"""Parallel sentences as token ids on disk, memory-mapped.

A folder holds these files:

    LANG.tokens.npy     [T]      ids of all different sentences of a language, each `<s>` ... `</s>`; uint16 or uint32
    LANG.sentences.npy  [S + 1]  int64: where each sentence starts in the tokens, and T
    LANG.pairs.npy      [N, 2]   int64, for every language but the pivot: number of the pivot's sentence, and of its own
    teacher.npy         [S, H]   float32, if there is a teacher: its vector of every sentence of the pivot language
    pairs.json                   special ids, pivot, longest sentence, counts (see `PairIndex`)

Shapes: T tokens, S sentences, N pairs of one language, H width of the teacher's vectors.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msm.corpora.arrays import check_range, read_array, read_bounds, read_integers
from msm.corpora.shard_writer import token_type
from msm.corpora.shards import Offsets, Tokens
from msm.corpora.subwords import Layout
from msm.errors import BadInput
from msm.files import check_below, read_json_object, write_json

INDEX = "pairs.json"
TEACHER = "teacher.npy"
FORMAT = 1


@dataclass(frozen=True)
class PairIndex:
    """The file `pairs.json`: what all languages of a folder share, and their counts."""

    layout: Layout
    pivot: str
    """Language of the first sentence of every pair."""
    sentence_tokens: int
    """Largest number of tokens of a sentence, special tokens included."""
    pairs: dict[str, int]
    """Number of pairs of each other language."""


@dataclass(frozen=True, eq=False)
class Sentences:
    """The different sentences of one language."""

    tokens: Tokens
    starts: Offsets
    vocabulary: int
    """Number of pieces; all ids are below it."""
    path: Path
    """File of the tokens."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> Tokens:
        """Return the ids of a sentence, special tokens included.

        Raises:
            BadInput: an id is no piece of the vocabulary.
        """
        tokens = self.tokens[self.starts[number] : self.starts[number + 1]]
        check_range(tokens, self.vocabulary, self.path, f"token id in sentence {number}:")
        return tokens


@dataclass(frozen=True, eq=False)
class PairShards:
    """The parallel sentences of all languages of a folder."""

    index: PairIndex
    sentences: dict[str, Sentences]
    pairs: dict[str, NDArray[np.int64]]
    """Numbers of both sentences of each pair, [N, 2], for every language but the pivot."""
    teacher: NDArray[np.float32] | None
    """A teacher's vectors of the sentences of the pivot language, [S, H]; None without a teacher."""

    @property
    def languages(self) -> list[str]:
        """Codes of the languages that have pairs, sorted."""
        return sorted(self.pairs)


def read_pair_shards(folder: Path) -> PairShards:
    """Open a folder of pairs. Token ids and vectors stay on disk until they are read.

    Raises:
        BadInput: the folder holds no pairs, or a file is missing or damaged.
    """
    if not (folder / INDEX).is_file():
        raise BadInput(f"{folder}: no {INDEX}, so no parallel sentences; run the stage pairs or teach first")
    values = read_json_object(folder / INDEX)
    if values.pop("format", None) != FORMAT:
        raise BadInput(f"{folder / INDEX}: not in format {FORMAT} of parallel sentences; run the stage again")
    try:
        index = PairIndex(layout=Layout(**values.pop("layout")), **values)
        languages = [str(language) for language in (index.pivot, *index.pairs)]
    except (KeyError, TypeError) as error:
        raise BadInput(f"{folder / INDEX}: no index of parallel sentences: {error}") from error
    for language in languages:
        check_below(language, folder / INDEX)
    sentences = {language: _sentences(folder, language, index.layout.vocabulary) for language in languages}
    return PairShards(
        index,
        sentences,
        {language: _pairs(folder, language, sentences, index) for language in index.pairs},
        _vectors(folder / TEACHER, len(sentences[index.pivot])) if (folder / TEACHER).is_file() else None,
    )


def _sentences(folder: Path, language: str, vocabulary: int) -> Sentences:
    path = folder / f"{language}.tokens.npy"
    tokens = read_integers(path, (None,))
    return Sentences(tokens, read_bounds(folder / f"{language}.sentences.npy", None, len(tokens)), vocabulary, path)


def _pairs(folder: Path, language: str, sentences: Mapping[str, Sentences], index: PairIndex) -> NDArray[np.int64]:
    path = folder / f"{language}.pairs.npy"
    pairs = read_integers(path, (index.pairs[language], 2))
    for column, name in enumerate((index.pivot, language)):
        check_range(pairs[:, column], len(sentences[name]), path, f"sentence of {name}")
    return pairs


def _vectors(path: Path, sentences: int) -> NDArray[np.float32]:
    vectors = read_array(path)
    if vectors.ndim != 2 or len(vectors) != sentences or vectors.dtype != np.float32:
        raise BadInput(f"{path}: {vectors.dtype} of shape {vectors.shape}; expected {sentences} rows of float32")
    return vectors


def write_sentences(folder: Path, language: str, sentences: Sequence[NDArray[np.integer]], vocabulary: int) -> None:
    """Write the different sentences of a language, with their special tokens."""
    tokens = np.concatenate(sentences).astype(token_type(vocabulary))
    np.save(folder / f"{language}.tokens.npy", tokens)
    np.save(folder / f"{language}.sentences.npy", np.cumsum([0, *map(len, sentences)]))


def write_pairs(folder: Path, language: str, pairs: NDArray[np.int64]) -> None:
    """Write the pairs of a language, [N, 2]."""
    np.save(folder / f"{language}.pairs.npy", pairs)


def write_pair_index(folder: Path, index: PairIndex) -> None:
    """Write the index of a folder, after all other files."""
    write_json(folder / INDEX, {"format": FORMAT, **dataclasses.asdict(index), "layout": index.layout._asdict()})
