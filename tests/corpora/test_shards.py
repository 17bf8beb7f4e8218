from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from msm.corpora.shard_writer import ShardWriter, write_index
from msm.corpora.shards import Index, Shard, Units, read_units
from msm.errors import BadInput

BEGIN, END = 0, 2


def sentence(first: int, length: int) -> list[int]:
    """Ids from `first` on, then </s>."""
    return [*range(first, first + length - 1), END]


ONE = [sentence(10, 3), sentence(20, 4), sentence(30, 12), sentence(50, 2)]
TWO = [sentence(60, 7), sentence(70, 5), sentence(80, 3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Units of at most 8 tokens: (3, 4), (12), (2) and (7), (5), written as two chunks; the last unit is in no run."""
    with ShardWriter(tmp_path, "xx", 1000) as writer:
        for document, name, units, runs in (
            (ONE, "one", [0, 7, 19], [[0, 2, 0], [2, 3, 0]]),
            (TWO, "two", [0, 7, 12], [[0, 2, 0]]),
        ):
            starts = np.cumsum([0, *map(len, document)])[:-1]
            tokens = np.array(list(chain.from_iterable(document)), np.uint16)
            writer.append(tokens, starts, np.array(units), np.array(runs), [name])
    sizes = {"unit_tokens": 8, "document_units": 2, "min_units": 1}
    special = {"begin": BEGIN, "pad": 1, "end": END, "unknown": 3, "mask": 999}
    write_index(tmp_path, Index(vocabulary=1000, **special, **sizes, languages={"xx": writer.counts}))
    return tmp_path


@pytest.fixture
def units(folder: Path) -> Units[Shard]:
    return read_units(folder)


def test_counts(units: Units[Shard]) -> None:
    counts = units.index.languages["xx"]
    assert (counts.documents, counts.sentences, counts.tokens, counts.units, counts.runs) == (2, 7, 36, 6, 3)
    assert units.languages == ["xx"]
    assert len(units["xx"]) == 3


def test_run_gives_units_with_begin_and_cuts_the_long_one(units: Units[Shard]) -> None:
    runs = [[unit.tolist() for unit in units["xx"].span(number)] for number in range(3)]
    assert runs == [
        [[BEGIN, *ONE[0], *ONE[1]], [BEGIN, *ONE[2][:7]]],
        [[BEGIN, *ONE[3]]],
        [[BEGIN, *TWO[0]], [BEGIN, *TWO[1]]],
    ]
    assert [units["xx"].document_id(number) for number in range(3)] == ["one", "one", "two"]


def test_blocks_hold_all_sentences_and_cross_documents(units: Units[Shard]) -> None:
    blocks = units["xx"].blocks(14)
    assert [blocks[number].tolist() for number in range(len(blocks))] == [
        [BEGIN, *ONE[0], *ONE[1]],
        [BEGIN, *ONE[2]],
        [BEGIN, *ONE[3], *TWO[0]],
        [BEGIN, *TWO[1], *TWO[2]],
    ]
    with pytest.raises(IndexError):
        blocks[4]


def test_block_cuts_a_sentence_longer_than_itself(units: Units[Shard]) -> None:
    blocks = units["xx"].blocks(8)
    assert [BEGIN, *ONE[2][:7]] in [blocks[number].tolist() for number in range(len(blocks))]
    assert max(len(blocks[number]) for number in range(len(blocks))) == 8


def test_ids_stay_on_disk_and_are_as_narrow_as_the_vocabulary_allows(units: Units[Shard], tmp_path: Path) -> None:
    tokens = units["xx"].tokens
    assert isinstance(tokens, np.memmap)
    assert tokens.dtype == np.uint16
    with ShardWriter(tmp_path, "yy", 250_002) as writer:
        start = np.zeros(1, np.int64)
        writer.append(np.array([250_001], np.uint32), start, start, np.zeros((0, 3), np.int64), ["d"])
    assert np.load(tmp_path / "yy.tokens.npy").tolist() == [250_001]
    assert np.load(tmp_path / "yy.runs.npy").shape == (0, 3)


def test_damaged_folders_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere: no index\.json"):
        read_units(tmp_path / "nowhere")
    np.save(folder / "xx.runs.npy", np.zeros((2, 3), np.int64))
    with pytest.raises(BadInput, match=r"xx\.runs\.npy: int64 of shape \(2, 3\); expected integers of shape \(3, 3\)"):
        read_units(folder)
    (folder / "xx.tokens.npy").write_bytes((folder / "xx.tokens.npy").read_bytes()[:140])
    with pytest.raises(BadInput, match=r"xx\.tokens\.npy: "):
        read_units(folder)
    (folder / "index.json").write_text('{"format": 0}')
    with pytest.raises(BadInput, match=r"index\.json: not in format 1"):
        read_units(folder)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("sentences", 1, 10**9, "position 7 follows 1000000000"),
        ("sentences", 0, 1, "positions must go from 0 to 36"),
        ("units", 1, 0, "position 0 follows 0"),
        ("units", -1, 37, "positions must go from 0 to 36"),
        ("runs", (0, 0), -1, "first unit -1; there are 6"),
        ("runs", (0, 1), 10**9, "last unit 999999999; there are 6"),
        ("runs", (1, 1), 1, "span 1 ends before it begins"),
        ("runs", (2, 2), 2, "document 2; there are 2"),
    ],
)
def test_numbers_that_lead_outside_are_refused(
    folder: Path, name: str, place: int | tuple[int, int], value: int, message: str
) -> None:
    path = folder / f"xx.{name}.npy"
    array = np.load(path)
    array[place] = value
    np.save(path, array)
    with pytest.raises(BadInput, match=rf"xx\.{name}\.npy: {message}"):
        read_units(folder)
