"""One stream of encoding and searching: kills, damage, several processes, and memory."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from msm.collections.collection import Pool
from msm.collections.records import Passage, Query
from msm.encoders.building import EncoderForm
from msm.encoders.encoder import Encoder, Prepared
from msm.encoders.loading import open_encoder
from msm.encoders.saving import new_encoder, save_encoder
from msm.encoders.usage import Side
from msm.retrieval import stream
from msm.retrieval.ranking import Ranking
from msm.retrieval.relevant import RelevantPairs
from msm.retrieval.stream import search

POOLS = {Pool("multilingual", None, None): 30, Pool("pool.qa", "qa", "qa"): 7}
WORDS = ["fudi", "moro", "pepiga", "bud", "Deti", "ra", "vipa", "1845", "1866"]
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
import torch
from msm import distributed
from msm.collections.collection import Pool
from msm.collections.records import Passage, Query
from msm.retrieval import stream
from msm.encoders.loading import open_encoder
from msm.retrieval.relevant import RelevantPairs
folder, work, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
stream.SHARD_PASSAGES = 500
torch.set_num_threads(1)
distributed.start(torch.device("cpu"))
encoder = open_encoder(folder, device=torch.device("cpu"), precision="fp32")
words = "fudi moro pepiga bud Deti ra vipa 1845 1866".split()
text = lambda number: " ".join(words[number // 9**place % 9] for place in range(5))
passages = (Passage(f"p{number}", "qa", text(number), "", f"{number} " * 300) for number in range(count))
queries = [Query(f"q{number}", "qa", text(7 * number)) for number in range(5)]
pool = Pool("all", None, None)
right = [(number % 5, 37 * number % count) for number in range(10)]
pairs = RelevantPairs(
    np.array(sorted(query for query, _ in right)),
    np.array([number for query in range(5) for number, pair in enumerate(right) if pair[0] == query]),
    [Passage(f"p{place}", "qa", text(place), "", f"{place} " * 300) for _, place in right],
    np.array([place for _, place in right]),
)
found = stream.search(queries, passages, encoder, {pool: 20}, work, pairs)
run = found.run(pool)
names = run.passage_ids.take(run.passages.tolist()).to_pylist()
# Not getrusage: its peak includes that of the process which started this one.
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
counts = found.exact_ranks(pool).counts.tolist()
print(json.dumps({"peak": peak, "passages": names, "scores": run.scores.tolist(), "counts": counts}))
"""


class Counting(Encoder):
    """Counts shards of passages, and breaks down where told."""

    left = 1_000_000
    encoded_texts = 0

    def encode_prepared(self, prepared_texts: Prepared, side: Side) -> NDArray[np.float32]:
        """Vectors, [S, H]."""
        if side == "passage":
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.encoded_texts += 1
        return super().encode_prepared(prepared_texts, side)


@pytest.fixture
def model(encoder: Path, tmp_path: Path) -> Path:
    save_encoder(new_encoder(encoder, EncoderForm("mean", "cosine", 24, 24)), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SHARD_PASSAGES", 20)


def counting(model: Path) -> Counting:
    encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
    encoder.__class__ = Counting
    assert isinstance(encoder, Counting)
    return encoder


def texts() -> tuple[list[Query], list[Passage]]:
    random = np.random.default_rng(0)
    sentences = [" ".join(random.choice(WORDS, 6)) for _ in range(130)]
    passages = [Passage(f"d{number}", "qa" if number < 90 else "qb", text) for number, text in enumerate(sentences)]
    return [Query(f"q{number}", "qaqb"[number % 2 * 2 :][:2], sentences[9 * number]) for number in range(10)], passages


def found_by(model: Path, work: Path, encoder: Encoder | None = None) -> Ranking:
    return search(*texts(), encoder or counting(model), POOLS, work)


def same(first: Ranking, second: Ranking) -> None:
    for pool in POOLS:
        ours, theirs = first.run(pool), second.run(pool)
        assert ours.passage_ids.take(ours.passages.tolist()) == theirs.passage_ids.take(theirs.passages.tolist())
        np.testing.assert_array_equal(ours.scores, theirs.scores)


def test_the_stream_finds_what_all_cosines_say(model: Path, tmp_path: Path) -> None:
    runs = found_by(model, tmp_path / "work")
    queries, passages = texts()
    encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
    cosines = encoder.encode_queries([query.text for query in queries]) @ encoder.encode_passages(passages).T
    whole, one = POOLS
    np.testing.assert_allclose(runs.best[whole].scores, -np.sort(-cosines)[:, :30], atol=1e-5)
    inside = np.flatnonzero([query.language == "qa" for query in queries])
    np.testing.assert_allclose(runs.best[one].scores, -np.sort(-cosines[inside, :90])[:, :7], atol=1e-5)
    best = {place for pool in POOLS for place in runs.best[pool].passages.ravel().tolist()}
    assert runs.ids == {place: passages[place].passage_id for place in best}


def test_a_killed_run_goes_on_after_the_last_finished_shard(model: Path, tmp_path: Path) -> None:
    whole = counting(model)
    expected = found_by(model, tmp_path / "whole", whole)
    assert whole.encoded_texts == 7  # 90 and 40 passages, 20 a shard
    first, second = counting(model), counting(model)
    first.left = 3
    with pytest.raises(KeyboardInterrupt):
        found_by(model, tmp_path / "work", first)
    same(found_by(model, tmp_path / "work", second), expected)
    assert second.encoded_texts == 7 - 3


def test_damaged_and_foreign_records_are_not_used(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = found_by(model, tmp_path / "work")
    records = sorted((tmp_path / "work").iterdir())
    data = records[2].read_bytes()
    records[2].write_bytes(data[:-100] + bytes(100))
    records[4].write_bytes(records[3].read_bytes())
    again = counting(model)
    same(found_by(model, tmp_path / "work", again), expected)
    assert again.encoded_texts == 2
    assert "shard-000002.npz: damaged" in capsys.readouterr().err


def relevant() -> RelevantPairs:
    """Two passages of each language for each query; some texts stand twice in the pool."""
    _, passages = texts()
    rows, columns = np.repeat(np.arange(10), 4), np.tile([3, 40, 95, 121], 10) + np.repeat(np.arange(10), 4) % 7
    places, indices = np.unique(columns, return_inverse=True)
    return RelevantPairs(rows, indices, [passages[place] for place in places], places)


def repeated(place: int, passages: list[Passage]) -> Passage:
    """Every third passage has the text of the one before it, so that many scores are equal."""
    return passages[place]._replace(text=passages[place - (place % 3 == 2)].text)


def test_exact_ranks_are_those_of_the_whole_pool(model: Path, tmp_path: Path) -> None:
    queries, passage_texts = texts()
    passages = [repeated(place, passage_texts) for place in range(len(passage_texts))]
    pairs = relevant()
    pairs = pairs._replace(passages=[passages[place] for place in pairs.positions])
    # Texts of one length, so that an encoder gives equal ones equal vectors in any batch.
    encoder = counting(model)
    ranking = search(queries, passages, encoder, POOLS, tmp_path / "work", pairs)
    ranks_by_pool = {pool: ranking.exact_ranks(pool) for pool in POOLS}
    deep = search(queries, passages, counting(model), dict.fromkeys(POOLS, 130), tmp_path / "deep", pairs)
    for pool, ranks in ranks_by_pool.items():
        run = deep.run(pool)
        ids = run.passage_ids.to_pylist()
        places = {passage.passage_id: place for place, passage in enumerate(passages)}
        expected = []
        for query, passage in zip(ranks.queries, ranks.passages, strict=True):
            entries = np.flatnonzero(run.queries == query)
            scores = {ids[run.passages[entry]]: run.scores[entry] for entry in entries}
            passage_id = ranks.passage_ids[int(passage)].as_py()
            twins = [other for other, score in scores.items() if score == scores[passage_id] and other != passage_id]
            above = sum(score > scores[passage_id] for score in scores.values())
            earlier = sum(places[other] < places[passage_id] for other in twins)
            expected.append([above, len(twins), sum(other > passage_id for other in twins), earlier])
        assert ranks.counts.tolist() == expected
        assert ranks.pool == (130 if pool.candidate_language is None else 90) and ranks.whole
        assert len(expected) == (40 if pool.query_language is None else 10)
    assert ranks_by_pool[next(iter(POOLS))].counts[:, 1].any()


def test_a_killed_run_counts_every_shard_once(model: Path, tmp_path: Path) -> None:
    whole = search(*texts(), counting(model), POOLS, tmp_path / "whole", relevant())
    first = counting(model)
    first.left = 4
    with pytest.raises(KeyboardInterrupt):
        search(*texts(), first, POOLS, tmp_path / "work", relevant())
    again = search(*texts(), counting(model), POOLS, tmp_path / "work", relevant())
    for pool in POOLS:
        np.testing.assert_array_equal(again.exact_ranks(pool).counts, whole.exact_ranks(pool).counts)
    same(again, whole)


# oneDNN keeps code for up to 1,024 shapes, some 25 MB, and glibc what was freed: neither is of the corpus.
STEADY = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}


def start(model: Path, work: Path, count: int, **variables: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"} | STEADY | variables
    words = [sys.executable, "-c", PROGRAM, str(model), str(work), str(count)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus_and_processes_split_it(model: Path, tmp_path: Path) -> None:
    small = result(start(model, tmp_path / "small", 5_000))
    large = result(start(model, tmp_path / "large", 20_000))
    # 15,000 passages more would be 25 MB, over a twentieth of this.
    assert large["peak"] <= small["peak"] * 1.01
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "t"}
    two = [start(model, tmp_path / "two", 5_000, RANK=str(rank), **group) for rank in range(2)]
    for process in two:
        outcome = result(process)
        assert all(outcome[name] == small[name] for name in ("passages", "scores", "counts"))
    assert len(list((tmp_path / "two").iterdir())) == 10 + 1  # one part of relevant passages
