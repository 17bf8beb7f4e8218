"""Reads the records of WARC and WET files. A broken record is skipped and counted; all others are read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from msm.corpora.crawl.streams import Mark, pieces

BEGINNING = b"WARC/1."
_AGAIN = re.compile(rb"\r?\n\r?\nWARC/1\.")
LONGEST_HEADER = 1 << 16
LONGEST_NUMBER = 18
"""Digits of the length of a record."""


@dataclass(frozen=True)
class Record:
    """A complete record, whose length is that of its header."""

    headers: dict[str, str]
    """Values of the header by name, in lower case."""
    content: bytes

    @property
    def kind(self) -> str:
        """Type of the record, such as `response`, `conversion` or `request`."""
        return self.headers.get("warc-type", "")


class BrokenRecord:
    """A record that could not be read."""


class LongRecord:
    """A record that is longer than the limit."""


WarcItem = Record | BrokenRecord | LongRecord


@dataclass
class _Parser:
    """Finds records in a stream that comes in pieces."""

    longest: int
    buffer: bytearray = field(default_factory=bytearray)
    head: bytearray = field(default_factory=bytearray)
    skip: int = 0
    """Number of bytes of an overlong record that are still to come."""
    lost: bool = False
    """Whether the parser searches the start of the next record."""
    between: bool = False
    """Whether a gzip member has just ended. The next one starts a record, or continues one."""
    next_record: Record | None = None
    """A complete record whose gzip member is not verified yet."""

    def feed(self, data: bytes) -> Iterator[WarcItem]:
        if self.between:
            self.head += data
            if len(self.head) < len(BEGINNING):
                return
            data, self.head, self.between = bytes(self.head), bytearray(), False
            if data.startswith(BEGINNING):
                yield from self.close()
        size = min(self.skip, len(data))
        self.skip -= size
        self.buffer += data[size:]
        while not self.skip and (item := self._next()):
            yield from self.release()
            if isinstance(item, Record):
                self.next_record = item
            else:
                yield item

    def end_member(self) -> Iterator[Record]:
        self.between, self.head = True, bytearray()
        yield from self.release()

    def release(self) -> Iterator[Record]:
        if self.next_record:
            yield self.next_record
            self.next_record = None

    def broken(self) -> Iterator[BrokenRecord]:
        """Give up the present record; the next bytes start a record."""
        if not (self.skip or self.lost):
            yield BrokenRecord()
        self._reset()

    def close(self) -> Iterator[Record | BrokenRecord]:
        """End the file; the rest is part of a record."""
        yield from self.release()
        if bytes(self.buffer).strip() and not (self.skip or self.lost):
            yield BrokenRecord()
        self._reset()

    def _reset(self) -> None:
        self.buffer.clear()
        self.skip, self.lost, self.between, self.next_record = 0, False, False, None

    def _next(self) -> WarcItem | None:
        if self.lost and not self._find_start():
            return None
        if self.buffer[:1] in (b"\r", b"\n"):  # else looking for blanks would copy a long record again and again
            del self.buffer[: len(self.buffer) - len(self.buffer.lstrip(b"\r\n"))]
        if len(self.buffer) < len(BEGINNING):
            return None
        end = self.buffer.find(b"\r\n\r\n", 0, LONGEST_HEADER)
        if not self.buffer.startswith(BEGINNING) or (end < 0 and len(self.buffer) >= LONGEST_HEADER):
            return self._lose()
        if end < 0:
            return None
        headers = _headers(self.buffer[:end])
        length = headers.get("content-length", "")
        if not length.isdecimal() or len(length) > LONGEST_NUMBER:
            return self._lose()
        start, stop = end + 4, end + 4 + int(length)
        if int(length) > self.longest:
            self.skip = max(0, stop - len(self.buffer))
            del self.buffer[:stop]
            return LongRecord()
        if len(self.buffer) < stop + 2:
            return None
        if self.buffer[stop : stop + 2] != b"\r\n":
            return self._lose()
        record = Record(headers, bytes(self.buffer[start:stop]))
        del self.buffer[:stop]
        return record

    def _lose(self) -> BrokenRecord:
        self.lost = True
        del self.buffer[:1]
        return BrokenRecord()

    def _find_start(self) -> bool:
        match = _AGAIN.search(self.buffer)
        if not match:
            del self.buffer[: -len(b"\r\n\r\n" + BEGINNING)]
            return False
        del self.buffer[: match.end() - len(BEGINNING)]
        self.lost = False
        return True


def records(file: IO[bytes], is_compressed: bool, longest: int) -> Iterator[WarcItem]:
    """Yield the records of a file.

    Args:
        file: file opened without decompression.
        is_compressed: whether the file is gzip, with or without a member for each record.
        longest: largest number of bytes of a record; longer records are skipped.
    """
    parser = _Parser(longest)
    for piece in pieces(file, is_compressed):
        if isinstance(piece, bytes):
            yield from parser.feed(piece)
        else:
            yield from parser.broken() if piece is Mark.BROKEN else parser.end_member()
    if not parser.between:
        yield from parser.feed(b"\r\n\r\n")  # the last record's line ends may be missing
    yield from parser.close()


def _headers(block: bytearray) -> dict[str, str]:
    pairs = (line.partition(":") for line in bytes(block).decode("utf-8", "replace").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
