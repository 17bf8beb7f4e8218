"""Bytes of a compressed file in pieces; what is broken costs what stands in it, and is said, never raised.

Common Crawl writes every record as a gzip member of its own. After a member that cannot be read the next one is looked
for by its first bytes, so damage costs the records of the members that it hit.
"""

import zlib
from collections.abc import Iterator
from enum import Enum
from typing import IO

CHUNK = 1 << 18
MEMBER = b"\x1f\x8b\x08"
"""How a gzip member starts."""


class Mark(Enum):
    """What stands between two pieces."""

    END = "end of a member"
    BROKEN = "something could not be read here"


Piece = bytes | Mark


def pieces(file: IO[bytes], compressed: bool) -> Iterator[Piece]:
    """The content of a file, in order.

    Args:
        file: opened without decompression for gzip, with it for everything else.
        compressed: whether it is gzip.
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
    """What follows from the next place that looks like the start of a member."""
    while (place := data.find(MEMBER)) < 0:
        following = file.read(CHUNK)
        if not following:
            return b""
        data = data[-(len(MEMBER) - 1) :] + following
    return data[place:]


def lines(file: IO[bytes], compressed: bool) -> Iterator[bytes | Mark]:
    """The lines of a file without their ends; `BROKEN` stands for lines that were lost, the cut ones included."""
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
