"""Reads arrays of indices from files, and refuses those that point outside of the data that they index."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msm.errors import BadInput


def read_array(path: Path) -> NDArray[Any]:
    """Map the array of an `.npy` file, which is read where it is looked at.

    Raises:
        BadInput: the file is missing, cut off, or no array.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{path}: {error}") from error


def read_integers(path: Path, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Map an array of integers.

    Args:
        path: `.npy` file.
        shape: shape that it must have; None where any length will do.

    Raises:
        BadInput: the file is missing or cut off, or holds another kind of array.
    """
    array = read_array(path)
    lengths = [None if size is None else length for size, length in zip(shape, array.shape, strict=False)]
    if array.ndim != len(shape) or lengths != list(shape) or array.dtype.kind not in "iu":
        raise BadInput(f"{path}: {array.dtype} of shape {array.shape}; expected integers of shape {shape}")
    return array


def read_bounds(path: Path, parts: int | None, total: int) -> NDArray[np.int64]:
    """Map the positions where parts begin, and the end of the last one; no part is empty.

    Args:
        path: `.npy` file.
        parts: number of the parts; None for any.
        total: end of the last part.

    Raises:
        BadInput: the file is missing or cut off, or its numbers do not grow from 0 to `total`.
    """
    bounds = read_integers(path, (None if parts is None else parts + 1,))
    if not len(bounds) or (bounds[0], bounds[-1]) != (0, total):
        raise BadInput(f"{path}: positions must go from 0 to {total}")
    if len(falls := np.flatnonzero(bounds[1:] <= bounds[:-1])):
        place = int(falls[0])
        raise BadInput(f"{path}: position {bounds[place + 1]} follows {bounds[place]}")
    return bounds


def check_range(numbers: NDArray[np.integer[Any]], end: int, path: Path, what: str) -> None:
    """Refuse numbers that are not from 0 to below `end`.

    Raises:
        BadInput: there is one; the message names the file.
    """
    if numbers.size and not (0 <= numbers.min() and numbers.max() < end):
        bad = numbers.max() if numbers.max() >= end else numbers.min()
        raise BadInput(f"{path}: {what} {bad}; there are {end}")
