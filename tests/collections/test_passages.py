"""Candidates that stay in their files: what is known of them, and what they cost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from msm.collections.collection import Pool
from msm.collections.passages import Passages
from msm.collections.records import Passage
from msm.collections.registry import find_benchmark
from msm.errors import BadInput

TWO = [Passage("a", "fi", "yksi"), Passage("b", "fi", "kaksi")], [Passage("c", "sw", "moja")]
PROGRAM = """
import sys, tracemalloc
from pathlib import Path
from msm.collections.registry import find_benchmark
tracemalloc.start()
collection = find_benchmark("beir").read(Path(sys.argv[1]))
assert sum(len(passage.text) for passage in collection.passages) > len(collection.passages) * 1000
print(len(collection.passages), tracemalloc.get_traced_memory()[1])
"""


def test_parts_by_language_or_one_of_all() -> None:
    parts = Passages({"fi": lambda: TWO[0], "sw": lambda: TWO[1]}, ["c", "z"])
    assert (len(parts), dict(parts.counts), parts.languages) == (3, {"fi": 2, "sw": 1}, {"c": "sw"})
    assert [passage.passage_id for passage in parts] == [passage.passage_id for passage in parts.of(None)]
    assert list(parts.of("sw")) == TWO[1]
    assert parts.texts(["c", "z"]) == {"c": TWO[1][0]}
    one_part = Passages({None: lambda: TWO[1] + TWO[0]})
    assert dict(one_part.counts) == {"sw": 1, "fi": 2}


def test_an_id_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="passage id stands twice: b"):
        Passages({"fi": lambda: TWO[0], "sw": lambda: [*TWO[1], Passage("b", "sw", "mbili")]})


def beir(folder: Path, count: int) -> Path:
    (folder / "qrels").mkdir(parents=True)
    with (folder / "corpus.jsonl").open("w") as file:
        for number in range(count):
            file.write(json.dumps({"_id": f"d{number}", "title": "", "text": f"{number} " * 300}) + "\n")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "?"}\n')
    (folder / "qrels" / "test.tsv").write_text("q\td7\t1\n")
    return folder


def test_texts_are_not_held(tmp_path: Path) -> None:
    peaks = {}
    for count in (5_000, 20_000):
        words = [sys.executable, "-c", PROGRAM, str(beir(tmp_path / str(count), count))]
        passages, peak = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        assert int(passages) == count
        peaks[count] = int(peak)
    # 15,000 ids of 8 bytes, and a growing array has some room; the texts would be 25 MB.
    assert peaks[20_000] - peaks[5_000] < 15_000 * 8 * 1.5


def test_places_of_a_pool(tmp_path: Path) -> None:
    collection = find_benchmark("beir").read(beir(tmp_path / "beir", 9))
    assert collection.pool_passages(Pool("multilingual", None, None)) == range(9)
