"""WARC records from files that are whole and files that are not; written by warcio."""

import gzip
import io
import random
import time
import tracemalloc
import zlib

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from msm.corpora.crawl.streams import Mark, lines
from msm.corpora.crawl.warc import BrokenRecord, LongRecord, Record, records

TEXTS = [f"text {number} " * (number * 200 + 1) for number in range(20)]


def written(is_compressed: bool) -> list[bytes]:
    """The bytes of every record."""
    parts = []
    for text in TEXTS:
        file = io.BytesIO()
        writer = WARCWriter(file, gzip=is_compressed)
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.0")
        record = writer.create_warc_record(
            "http://example.org/", "response", payload=io.BytesIO(text.encode()), http_headers=headers
        )
        writer.write_record(record)
        parts.append(file.getvalue())
    return parts


def read(data: bytes, is_compressed: bool, longest: int = 1 << 30) -> tuple[list[str], int, int]:
    items = list(records(io.BytesIO(data), is_compressed, longest))
    texts = [item.content.partition(b"\r\n\r\n")[2].decode() for item in items if isinstance(item, Record)]
    return (
        texts,
        sum(isinstance(item, BrokenRecord) for item in items),
        sum(isinstance(item, LongRecord) for item in items),
    )


@pytest.mark.parametrize("is_compressed", [True, False])
def test_every_record_is_read(is_compressed: bool) -> None:
    data = b"".join(written(is_compressed))
    assert read(data, is_compressed) == (TEXTS, 0, 0)
    assert read(gzip.compress(b"".join(written(False))), is_compressed=True) == (TEXTS, 0, 0)


@pytest.mark.parametrize("number", [0, 7, 19])
@pytest.mark.parametrize("damage", ["start", "middle", "checksum", "cut"])
def test_a_broken_member_costs_its_record(number: int, damage: str) -> None:
    members = written(is_compressed=True)
    member = bytearray(members[number])
    place = {"start": 0, "middle": len(member) // 2, "checksum": len(member) - 6, "cut": 0}[damage]
    member[place] ^= 0x55
    members[number] = bytes(member) if damage != "cut" else members[number][: len(member) // 2]
    assert read(b"".join(members), is_compressed=True) == (TEXTS[:number] + TEXTS[number + 1 :], 1, 0)


@pytest.mark.parametrize("is_compressed", [True, False])
@pytest.mark.parametrize("length", [b"7", b"9999", b"many"])
def test_a_wrong_length_costs_its_record(is_compressed: bool, length: bytes) -> None:
    plain = written(is_compressed=False)
    start = plain[3].index(b"Content-Length: ") + len(b"Content-Length: ")
    plain[3] = plain[3][:start] + length + plain[3][plain[3].index(b"\r\n", start) :]
    data = b"".join(gzip.compress(record) if is_compressed else record for record in plain)
    texts, losses, _ = read(data, is_compressed)
    # Without members nothing says where a record that claims too much ends; it may take what follows with it.
    assert losses == 1 and set(texts) <= set(TEXTS[:3] + TEXTS[4:])
    assert len(texts) == len(TEXTS) - 1 or (not is_compressed and length == b"9999" and len(texts) >= len(TEXTS) - 4)


def test_long_records_are_passed_over() -> None:
    texts, losses, long = read(b"".join(written(True)), is_compressed=True, longest=20_000)
    assert (losses, long) == (0, len(TEXTS) - len(texts))
    assert texts == [text for text in TEXTS if len(text) < 19_900][: len(texts)] and long > 0


def test_noise_is_survived() -> None:
    chance = random.Random(1)
    for _ in range(30):
        data = bytearray(b"".join(written(True)))
        for _ in range(5):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        texts, losses, _ = read(bytes(data), is_compressed=True)
        assert set(texts) <= set(TEXTS) and len(texts) >= len(TEXTS) - 10 and 0 < losses <= 10


def test_lines_after_a_broken_member_start_whole() -> None:
    members = [gzip.compress(b"".join(b"%d-%d\n" % (part, line) for line in range(50))) for part in range(3)]
    member = bytearray(members[1])
    member[30] ^= 0xFF
    all_lines = list(lines(io.BytesIO(members[0] + bytes(member) + members[2]), True, 1 << 20))
    texts = [line for line in all_lines if not isinstance(line, Mark)]
    assert all_lines.count(Mark.BROKEN) == 1
    assert texts[:50] == [b"0-%d" % line for line in range(50)]
    assert texts[-49:] == [b"2-%d" % line for line in range(1, 50)]


@pytest.mark.parametrize("is_compressed", [True, False])
def test_a_long_line_is_lost_and_costs_its_length(is_compressed: bool) -> None:
    def seconds(size: int) -> float:
        data = b"first\n" + b"x" * size + b"\nlast"
        file = io.BytesIO(gzip.compress(data, 1) if is_compressed else data)
        start = time.process_time()
        assert list(lines(file, is_compressed, 1 << 20)) == [b"first", Mark.TOO_LONG, b"last"]
        return time.process_time() - start

    # Four times the length; with a line that is joined to each of its pieces, sixteen times the time.
    assert seconds(24 << 20) < 0.3 + 8 * seconds(6 << 20)
    whole = b"x" * (4 << 20)
    assert list(lines(io.BytesIO(whole + b"\nlast"), False, 1 << 30)) == [whole, b"last"]


@pytest.mark.parametrize("kind", ["zeros", "line feeds"])
def test_a_bomb_takes_little_memory(kind: str) -> None:
    block = (b"\0" if kind == "zeros" else b"\n") * (1 << 20)
    packer = zlib.compressobj(9, wbits=31)
    data = b"".join(packer.compress(block) for _ in range(80)) + packer.flush()
    assert len(data) < 120_000
    tracemalloc.start()
    assert sum(1 for _ in records(io.BytesIO(data), True, 1 << 20)) <= 1
    assert sum(line is Mark.TOO_LONG for line in lines(io.BytesIO(data), True, 1 << 20)) == (kind == "zeros")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
