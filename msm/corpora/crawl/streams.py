"""Reads a compressed file in pieces. A broken piece is skipped and marked; the pieces around it are still read.

Common Crawl writes every record as a gzip member of its own. After a broken member the reader searches the next one by
its first bytes, so that damage costs only the records of the members that it hit.
"""

import re
import zlib
from collections.abc import Iterator
from enum import Enum
from typing import IO

CHUNK = 1 << 18
_BLANKS = re.compile(rb"\n{3,}")
"""Blank lines mean one and the same, however many they are; a file of nothing else would take an hour a gigabyte."""
MEMBER = b"\x1f\x8b\x08"
"""The first bytes of a gzip member."""


class Mark(Enum):
    """A mark between two pieces."""

    END = "end of a member"
    BROKEN = "something could not be read here"
    TOO_LONG = "a line was longer than the limit"


Piece = bytes | Mark


def pieces(file: IO[bytes], is_compressed: bool) -> Iterator[Piece]:
    """Yield the content of a file, in order.

    Args:
        file: open file; without decompression for gzip, with it for everything else.
        is_compressed: whether the file is gzip.
    """
    yield from _gzip(file) if is_compressed else _plain(file)


def _plain(file: IO[bytes]) -> Iterator[Piece]:
    while True:
        try:
            data = file.read(CHUNK)
        except (OSError, EOFError, ValueError, zlib.error, RuntimeError) as error:
            # A codec of another kind that gave up; the network's errors are not among the file's.
            if isinstance(error, ConnectionError | TimeoutError | PermissionError):
                raise
            yield Mark.BROKEN
            return
        if not data:
            return
        yield data


def _gzip(file: IO[bytes]) -> Iterator[Piece]:
    data, looks_for_start = file.read(CHUNK), False
    while data:
        member = zlib.decompressobj(wbits=31)
        start, data = data, b""
        try:
            while True:
                if piece := member.decompress(start, CHUNK):
                    looks_for_start = False
                    yield piece
                if member.eof:
                    yield Mark.END
                    data = member.unused_data or file.read(CHUNK)
                    break
                start = member.unconsumed_tail or file.read(CHUNK)
                if not start:
                    yield Mark.BROKEN  # the file ends within a member
                    return
        except zlib.error:
            if not looks_for_start:  # else what looked like the start of a member was none
                yield Mark.BROKEN
            looks_for_start = True
            data = _next_member(file, start[1:])


def _next_member(file: IO[bytes], data: bytes) -> bytes:
    """The bytes from the next position that looks like the start of a member."""
    while (place := data.find(MEMBER)) < 0:
        chunk = file.read(CHUNK)
        if not chunk:
            return b""
        data = data[-(len(MEMBER) - 1) :] + chunk
    return data[place:]


def lines(file: IO[bytes], is_compressed: bool, longest: int) -> Iterator[bytes | Mark]:
    """Yield the lines of a file without their ends; a mark stands for lost lines, those cut in half included.

    Time and memory grow with the length of the file and with `longest`, whatever the lines are.

    Args:
        file: see `pieces`.
        is_compressed: whether the file is gzip.
        longest: largest number of bytes of a line; longer ones are lost.
    """
    line = _Line(longest)
    for piece in pieces(file, is_compressed):
        if piece is Mark.BROKEN:
            line.lose()
            yield piece
        elif isinstance(piece, bytes):
            # Most pieces have no such lines, and looking for them is much faster than the expression.
            piece = _BLANKS.sub(b"\n\n", piece) if b"\n\n\n" in piece else piece
            *parts, rest = piece.split(b"\n")
            for part in parts:
                yield from line.add(part)
                yield from line.end()
            yield from line.add(rest)
    if line.size:
        yield from line.end()


class _Line:
    """A line that comes in parts."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.parts: list[bytes] = []
        self.size = 0
        self.is_lost = False

    def add(self, part: bytes) -> Iterator[Mark]:
        if self.is_lost:
            return
        self.parts.append(part)
        self.size += len(part)
        if self.size > self.longest:
            self.lose()
            yield Mark.TOO_LONG

    def lose(self) -> None:
        """Give up the line up to its end."""
        self.parts, self.size, self.is_lost = [], 0, True

    def end(self) -> Iterator[bytes]:
        if not self.is_lost:
            yield b"".join(self.parts)
        self.parts, self.size, self.is_lost = [], 0, False
