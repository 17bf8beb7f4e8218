"""WARC records from files that are whole and files that are not; written by warcio."""

import gzip
import io
import random

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from msm.corpora.crawl.streams import Mark, lines
from msm.corpora.crawl.warc import Broken, Record, TooLong, records

TEXTS = [f"text {number} " * (number * 200 + 1) for number in range(20)]


def written(compressed: bool) -> list[bytes]:
    """The bytes of every record."""
    found = []
    for text in TEXTS:
        file = io.BytesIO()
        writer = WARCWriter(file, gzip=compressed)
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.0")
        record = writer.create_warc_record(
            "http://example.org/", "response", payload=io.BytesIO(text.encode()), http_headers=headers
        )
        writer.write_record(record)
        found.append(file.getvalue())
    return found


def read(data: bytes, compressed: bool, longest: int = 1 << 30) -> tuple[list[str], int, int]:
    found = list(records(io.BytesIO(data), compressed, longest))
    texts = [item.content.partition(b"\r\n\r\n")[2].decode() for item in found if isinstance(item, Record)]
    return texts, sum(isinstance(item, Broken) for item in found), sum(isinstance(item, TooLong) for item in found)


@pytest.mark.parametrize("compressed", [True, False])
def test_every_record_is_read(compressed: bool) -> None:
    data = b"".join(written(compressed))
    assert read(data, compressed) == (TEXTS, 0, 0)
    assert read(gzip.compress(b"".join(written(False))), compressed=True) == (TEXTS, 0, 0)


@pytest.mark.parametrize("number", [0, 7, 19])
@pytest.mark.parametrize("damage", ["start", "middle", "checksum", "cut"])
def test_a_broken_member_costs_its_record(number: int, damage: str) -> None:
    members = written(compressed=True)
    member = bytearray(members[number])
    place = {"start": 0, "middle": len(member) // 2, "checksum": len(member) - 6, "cut": 0}[damage]
    member[place] ^= 0x55
    members[number] = bytes(member) if damage != "cut" else members[number][: len(member) // 2]
    assert read(b"".join(members), compressed=True) == (TEXTS[:number] + TEXTS[number + 1 :], 1, 0)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("length", [b"7", b"9999", b"many"])
def test_a_wrong_length_costs_its_record(compressed: bool, length: bytes) -> None:
    plain = written(compressed=False)
    start = plain[3].index(b"Content-Length: ") + len(b"Content-Length: ")
    plain[3] = plain[3][:start] + length + plain[3][plain[3].index(b"\r\n", start) :]
    data = b"".join(gzip.compress(record) if compressed else record for record in plain)
    texts, broken, _ = read(data, compressed)
    # Without members nothing says where a record that claims too much ends; it may take what follows with it.
    assert broken == 1 and set(texts) <= set(TEXTS[:3] + TEXTS[4:])
    assert len(texts) == len(TEXTS) - 1 or (not compressed and length == b"9999" and len(texts) >= len(TEXTS) - 4)


def test_long_records_are_passed_over() -> None:
    texts, broken, long = read(b"".join(written(True)), compressed=True, longest=20_000)
    assert (broken, long) == (0, len(TEXTS) - len(texts))
    assert texts == [text for text in TEXTS if len(text) < 19_900][: len(texts)] and long > 0


def test_noise_is_survived() -> None:
    chance = random.Random(1)
    for _ in range(30):
        data = bytearray(b"".join(written(True)))
        for _ in range(5):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        texts, broken, _ = read(bytes(data), compressed=True)
        assert set(texts) <= set(TEXTS) and len(texts) >= len(TEXTS) - 10 and 0 < broken <= 10


def test_lines_after_a_broken_member_start_whole() -> None:
    members = [gzip.compress(b"".join(b"%d-%d\n" % (part, line) for line in range(50))) for part in range(3)]
    damaged = bytearray(members[1])
    damaged[30] ^= 0xFF
    found = list(lines(io.BytesIO(members[0] + bytes(damaged) + members[2]), compressed=True))
    texts = [line for line in found if not isinstance(line, Mark)]
    assert found.count(Mark.BROKEN) == 1
    assert texts[:50] == [b"0-%d" % line for line in range(50)]
    assert texts[-49:] == [b"2-%d" % line for line in range(1, 50)]
