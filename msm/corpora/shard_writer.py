"""Writes packed token shards; `msm.corpora.shards` describes their files and reads them."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msm.corpora.shards import FORMAT, INDEX, Index, Offsets, ShardCounts, Tokens
from msm.files import write_json


def write_index(folder: Path, index: Index) -> None:
    """Write the index of a folder, after all other files."""
    write_json(folder / INDEX, {"format": FORMAT} | dataclasses.asdict(index))


class ShardWriter:
    """Writes the files of one language, chunk after chunk, without holding the tokens in memory."""

    def __init__(self, folder: Path, language: str, vocabulary: int) -> None:
        """Start the files of a language.

        Args:
            folder: folder to write to.
            language: code of the language.
            vocabulary: size of the vocabulary, which decides the type in which ids are stored.
        """
        start = folder / language
        self._tokens = _GrowingArray(start.with_name(f"{language}.tokens.npy"), token_type(vocabulary))
        self._sentences = _GrowingArray(start.with_name(f"{language}.sentences.npy"), np.dtype("<i8"))
        self._units = _GrowingArray(start.with_name(f"{language}.units.npy"), np.dtype("<i8"))
        self._runs: list[NDArray[np.int64]] = [np.zeros((0, 3), np.int64)]
        self._run_path = start.with_name(f"{language}.runs.npy")
        self._document_path = start.with_name(f"{language}.documents.json")
        self._document_ids: list[str] = []

    def append(self, tokens: Tokens, sentences: Offsets, units: Offsets, runs: Offsets, ids: Iterable[str]) -> None:
        """Add whole documents.

        Args:
            tokens: ids of the tokens of all sentences, [T].
            sentences: index of the first token of each sentence, [S].
            units: index of the first token of each unit, [U].
            runs: spans, [R, 3]: first unit, the one after the last, and document, all counted from 0 in this chunk.
            ids: ids of the documents.
        """
        before = np.array([self._units.length, self._units.length, len(self._document_ids)])
        self._runs.append(runs + before)
        self._sentences.append(sentences + self._tokens.length)
        self._units.append(units + self._tokens.length)
        self._tokens.append(tokens)
        self._document_ids.extend(ids)

    def __enter__(self) -> "ShardWriter":
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files; without an error they are complete afterwards."""
        if kind is None:
            end = np.array([self._tokens.length], np.int64)
            self._sentences.append(end)
            self._units.append(end)
            np.save(self._run_path, np.concatenate(self._runs))
            write_json(self._document_path, self._document_ids)
        for array in (self._tokens, self._sentences, self._units):
            array.close()

    @property
    def counts(self) -> ShardCounts:
        """Counts of everything that was written, to be read after closing."""
        return ShardCounts(
            documents=len(self._document_ids),
            sentences=self._sentences.length - 1,
            tokens=self._tokens.length,
            units=self._units.length - 1,
            runs=sum(len(runs) for runs in self._runs),
        )


def token_type(vocabulary: int) -> np.dtype[Any]:
    """The narrowest type that holds every id below `vocabulary`."""
    return np.dtype("<u2" if vocabulary <= 1 << 16 else "<u4")


class _GrowingArray:
    """A one-dimensional .npy file whose length is known at the end only; NumPy leaves room for it in the header."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.length = 0
        self._dtype = dtype
        self._file = path.open("wb")
        self._write_header()

    def append(self, values: NDArray[Any]) -> None:
        self._file.write(values.astype(self._dtype, copy=False).tobytes())
        self.length += len(values)

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.length,),
        }
        np.lib.format.write_array_header_1_0(self._file, header)
