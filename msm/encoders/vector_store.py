"""Keeps vectors on disk, so that runs over the same texts with the same model encode each text once.

One SQLite file a model; the key of a vector is the SHA-256 of everything that decides it beside the weights. Several
processes may read and write one file.

Shapes: S texts, H width.
"""

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
MOST_AT_ONCE = 500
"""Largest number of keys in one query; SQLite allows 999 in old versions."""
WAIT = 60.0
"""Number of seconds that a process waits for the write of another."""


class VectorStore:
    """Vectors of texts that were encoded before.

    A file that cannot be read or written is told of and not used any more: only time is lost.

    Args:
        path: file, which is made where it is missing.
        choices: everything that decides a vector beside texts and weights.
        most_bytes: size in bytes above which nothing is added to the file.
    """

    def __init__(self, path: Path, choices: Mapping[str, object], most_bytes: int) -> None:
        self._path, self._most_bytes = path, most_bytes
        self._choices = json.dumps(choices, sort_keys=True, default=str).encode()
        self._file: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
            self._file.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def filled(self, texts: Sequence[bytes], encode: Callable[[list[int]], Vectors]) -> Vectors:
        """Return the vectors of texts; those that are not stored are encoded, and stored.

        Args:
            texts: the text or token ids of each, and its side, [S].
            encode: function from indices of these texts to their vectors.

        Returns:
            float32, [S, H].
        """
        keys = [hashlib.sha256(self._choices + b"\0" + text).digest() for text in texts]
        vectors = self._read(keys)
        new_places = [place for place, key in enumerate(keys) if key not in vectors]
        if new_places:
            new_vectors = encode(new_places)
            self._write([keys[place] for place in new_places], new_vectors)
            vectors |= {keys[place]: vector for place, vector in zip(new_places, new_vectors, strict=True)}
        return np.stack([vectors[key] for key in keys])

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        try:
            return {key: np.frombuffer(vector, "<f4") for key, vector in self._rows(keys)}
        except (sqlite3.Error, ValueError) as error:
            self._give_up(error)
            return {}

    def _rows(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        for first in range(0, len(keys) if self._file else 0, MOST_AT_ONCE):
            some = keys[first : first + MOST_AT_ONCE]
            marks = ",".join("?" * len(some))
            assert self._file
            yield from self._file.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)

    def _write(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        if self._file is None or self._path.stat().st_size > self._most_bytes:
            return
        rows = zip(keys, (vector.astype("<f4").tobytes() for vector in vectors), strict=True)
        try:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        logging.getLogger(__name__).warning("%s: not used (%s); texts are encoded again", self._path, error)
        if self._file is not None:
            self._file.close()
        self._file = None
