"""Reads a compressed file in pieces. A broken piece is skipped and marked; the pieces around it are still read.

Common Crawl writes every record as a gzip member of its own. After a broken member the reader searches the next one by
its first bytes, so that damage costs only the records of the members that it hit.
"""

import zlib
from collections.abc import Iterator
from enum import Enum
from typing import IO

CHUNK = 1 << 18
MEMBER = b"\x1f\x8b\x08"
"""The first bytes of a gzip member."""


class Mark(Enum):
    """A mark between two pieces."""

    END = "end of a member"
    BROKEN = "something could not be read here"


Piece = bytes | Mark


def pieces(file: IO[bytes], compressed: bool) -> Iterator[Piece]:
    """Yield the content of a file, in order.

    Args:
        file: open file; without decompression for gzip, with it for everything else.
        compressed: whether the file is gzip.
    """
    yield from _gzip(file) if compressed else _plain(file)


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
    data, searching = file.read(CHUNK), False
    while data:
        member = zlib.decompressobj(wbits=31)
        start, data = data, b""
        try:
            while True:
                if piece := member.decompress(start, CHUNK):
                    searching = False
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
            if not searching:  # else what looked like the start of a member was none
                yield Mark.BROKEN
            searching = True
            data = _next_member(file, start[1:])


def _next_member(file: IO[bytes], data: bytes) -> bytes:
    """The bytes from the next position that looks like the start of a member."""
    while (place := data.find(MEMBER)) < 0:
        following = file.read(CHUNK)
        if not following:
            return b""
        data = data[-(len(MEMBER) - 1) :] + following
    return data[place:]


def lines(file: IO[bytes], compressed: bool) -> Iterator[bytes | Mark]:
    """Yield the lines of a file without their ends; `BROKEN` stands for lost lines, those cut in half included."""
    rest, lost = b"", False
    for piece in pieces(file, compressed):
        if piece is Mark.END:
            continue
        if isinstance(piece, Mark):
            rest, lost = b"", True
            yield Mark.BROKEN
            continue
        parts = (rest + piece).split(b"\n")
        rest = parts.pop()
        if lost and parts:
            del parts[0]  # its beginning is lost
            lost = False
        yield from parts
    if rest and not lost:
        yield rest
