"""Reads vectors that another program made, with the ids of their texts.

| file | content |
|---|---|
| `.npz` | arrays `ids` (text) and `vectors` |
| `.npy` | vectors; the ids stand in a file beside it of the same name: `.ids.txt` (one a line), `.ids.json` (a list) |

Vectors of a `.npy` file stay on disk and are read as they are needed.

Shapes: T texts, H width.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from msm.collections.runs import Floats, Integers
from msm.collections.text_lines import read_lines
from msm.errors import BadInput
from msm.files import read_json


class ForeignVectors:
    """Vectors of a file, in the order of the ids that a benchmark has.

    Args:
        path: file of the vectors.
        wanted: ids of the texts, each of which must have a vector; the file may hold others too.
        ids: file of the ids; that beside the vectors where not given.

    Raises:
        BadInput: no such file, one of another form, ids that are too few or stand twice, or a text without vector.
    """

    def __init__(self, path: Path, text_ids: Sequence[str], ids: Path | None = None) -> None:
        self.path = path
        self._vectors, names = _read(path, ids)
        if self._vectors.ndim != 2 or self._vectors.dtype.kind not in "fiu" or len(self._vectors) != len(names):
            raise BadInput(
                f"{path}: {len(names)} ids for vectors of shape {self._vectors.shape}, {self._vectors.dtype}"
            )
        rows = {name: row for row, name in enumerate(names)}
        if len(rows) < len(names):
            raise BadInput(
                f"{path}: an id stands twice: {next(name for row, name in enumerate(names) if rows[name] != row)}"
            )
        absent_ids = [name for name in text_ids if name not in rows]
        if absent_ids:
            raise BadInput(f"{path}: no vector for {len(absent_ids)} of {len(text_ids)} texts, such as {absent_ids[0]}")
        self._rows = np.array([rows[name] for name in text_ids], np.int64)
        self.width = self._vectors.shape[1]

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, which: slice | Integers, unit_length: bool) -> Floats:
        """Return the vectors of some of the ids, float32, [any, H].

        Args:
            which: indices of the texts, or a span of them.
            unit_length: whether each vector is divided by its length.

        Raises:
            BadInput: a vector that is not finite, or has no length and should have one.
        """
        vectors = np.asarray(self._vectors[self._rows[which]], np.float32)
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (unit_length and not lengths.all()):
            raise BadInput(f"{self.path}: a vector is not finite or has no length")
        return (vectors / lengths).astype(np.float32) if unit_length else vectors


def _read(path: Path, ids: Path | None) -> tuple[Floats, list[str]]:
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return arrays["vectors"], [str(name) for name in (_read_ids(ids) if ids else arrays["ids"].tolist())]
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: not .npy, nor .npz with arrays ids and vectors: {error}") from error
    beside = [path.with_suffix(f".ids{kind}") for kind in (".txt", ".json")]
    ids_file = ids or next((each for each in beside if each.is_file()), None)
    if ids_file is None:
        raise BadInput(f"{path}: no file of ids beside it ({beside[0].name} or {beside[1].name})")
    return vectors, _read_ids(ids_file)


def _read_ids(path: Path) -> list[str]:
    """One id a line, or a JSON list."""
    if path.suffix != ".json":
        return [line for _, line in read_lines(path)]
    names = read_json(path)
    if not isinstance(names, list):
        raise BadInput(f"{path}: expected a list of ids")
    return [str(name) for name in names]
