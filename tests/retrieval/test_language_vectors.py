"""Language vectors taken off: against plain numpy on a tiny world, killed or not, with one process and two."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from msm.cli.main import main
from msm.collections.collection import Collection, Pool
from msm.collections.exact_ranks import read_exact_ranks
from msm.collections.records import Passage
from msm.collections.registry import find_benchmark
from msm.collections.run_folder import ranks_file
from msm.collections.trec_files import read_run
from msm.encoders.building import EncoderForm
from msm.encoders.encoder import Encoder, Prepared
from msm.encoders.loading import open_encoder
from msm.encoders.saving import new_encoder, save_encoder
from msm.encoders.usage import Side
from msm.errors import BadInput
from msm.execution import Execution
from msm.retrieval import stage, stream
from msm.retrieval.language_estimates import estimate, parallel_sentences, sampled
from msm.retrieval.language_vectors import mean_vectors, take_off
from msm.retrieval.settings import Retrieve

SETTINGS = Retrieve(benchmark="lareqa:own", questions="questions/test", depth=30, pool_depth=20)
TEXTS = {"language_texts": "parallel.jsonl", "language_sentences": 5}
KINDS = {
    "shift": {"language_vectors": "shift", "language_pivot": "qab", **TEXTS},
    "both_sides": {"language_vectors": "both_sides", **TEXTS},
    "own": {"language_vectors": "own", "language_sentences": 0},
}
PROGRAM = """
import sys
from pathlib import Path
from msm.execution import Execution
from msm.retrieval import stage, stream
from msm.retrieval.settings import Retrieve
sources, model, out, work = map(Path, sys.argv[1:])
stream.SHARD_PASSAGES = 50
settings = Retrieve(benchmark="lareqa:own", questions="questions/test", depth=30, pool_depth=20,
                    language_vectors="own", language_sentences=0)
out.mkdir(exist_ok=True)
stage.run(settings, sources=sources, model=model, out=out, execution=Execution(work=work, device="cpu"))
"""
Vectors = NDArray[np.float64]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SHARD_PASSAGES", 50)


@pytest.fixture
def model(encoder: Path, tmp_path: Path) -> Path:
    form = EncoderForm("mean", "cosine", 24, 48, "none", query_prompt="fudi ", passage_prompt="moro ")
    save_encoder(new_encoder(encoder, form), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def world(sources: Path, tmp_path: Path) -> Path:
    """The questions, and parallel sentences of their languages: the last document is not parallel."""
    shutil.copytree(sources, tmp_path / "world")
    languages = sorted(find_benchmark("lareqa:own").read(sources / "questions/test").passages.counts)
    words = {language: ["vipa", "bud", "ra", "Deti", "pepiga"][place:] for place, language in enumerate(languages)}
    with (tmp_path / "world" / "parallel.jsonl").open("w") as file:
        for document in range(4):
            for place, language in enumerate(languages):
                count = 2 + (place if document == 3 else 0)
                texts = [" ".join([str(document), *words[language], str(number)]) for number in range(count)]
                row = {"document_id": f"d{document}", "language": language, "sentences": texts}
                file.write(json.dumps(row) + "\n")
    return tmp_path / "world"


def run(world: Path, model: Path, out: Path, **settings: object) -> None:
    out.mkdir()
    execution = Execution(work=out.with_suffix(".work"), device="cpu")
    stage.run(replace(SETTINGS, **settings), sources=world, model=model, out=out, execution=execution)  # type: ignore[arg-type]


def first_sentences(world: Path) -> dict[str, list[str]]:
    """Five of the parallel sentences of every language."""
    sentences: dict[str, list[str]] = {}
    for row in map(json.loads, (world / "parallel.jsonl").read_text().splitlines()):
        if row["document_id"] != "d3":
            sentences[row["language"]] = (sentences.get(row["language"], []) + row["sentences"])[:5]
    return sentences


def unit(vectors: Vectors) -> Vectors:
    return vectors / np.sqrt((vectors**2).sum(axis=1))[:, None]


def expected_cosines(kind: str, world: Path, encoder: Encoder, collection: Collection) -> Vectors:
    """Of all questions and passages, written out with numpy."""
    passages, queries = list(collection.passages), collection.queries
    first = encoder.encode([query.text for query in queries], "query").astype(float)
    second = encoder.encode([passage.text for passage in passages], "passage").astype(float)
    for language in collection.passages.counts:
        is_query_language = [query.language == language for query in queries]
        there = [passage.language == language for passage in passages]
        if kind == "own":
            mean = second[there].mean(axis=0)
            first[is_query_language], second[there] = first[is_query_language] - mean, second[there] - mean
        if kind == "shift":
            texts = first_sentences(world)
            apart = encoder.encode(texts[language], "passage") - encoder.encode(texts["qab"], "passage")
            second[there] -= apart.mean(axis=0)
        if kind == "both_sides":
            texts = first_sentences(world)
            first[is_query_language] -= encoder.encode(texts[language], "query").mean(axis=0)
            second[there] -= encoder.encode(texts[language], "passage").mean(axis=0)
    return unit(first) @ unit(second).T


@pytest.mark.parametrize("kind", KINDS)
def test_runs_and_exact_ranks_are_those_of_plain_numpy(kind: str, world: Path, model: Path, tmp_path: Path) -> None:
    run(world, model, tmp_path / "run", **KINDS[kind])
    collection = find_benchmark("lareqa:own").read(world / "questions/test")
    encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
    cosines = expected_cosines(kind, world, encoder, collection)
    places = {passage.passage_id: place for place, passage in enumerate(collection.passages)}
    for pool in collection.pools:
        pool_run = read_run(tmp_path / "run" / f"{pool.name}.trec.gz")
        columns = np.array([places[text] for text in pool_run.passage_ids.to_pylist()])[pool_run.passages]
        np.testing.assert_allclose(cosines[pool_run.queries, columns], pool_run.scores, atol=2e-6)
        candidates = np.array(collection.pool_passages(pool))
        depth = np.bincount(pool_run.queries)[0]
        best = -np.sort(-cosines[:, candidates], axis=1)[:, :depth]
        np.testing.assert_allclose(pool_run.scores.reshape(best.shape), best, atol=2e-6)
        check_ranks(tmp_path / "run", pool, cosines, places, candidates)
    facts = json.loads((tmp_path / "run" / "protocol.json").read_text())["language_vectors"]
    assert (
        facts
        == {
            "shift": "shift from qab (5 sentences of parallel.jsonl)",
            "both_sides": "both_sides (5 sentences of parallel.jsonl)",
            "own": "own (transductive, all passages a language)",
        }[kind]
    )


def check_ranks(
    folder: Path, pool: Pool, cosines: Vectors, places: dict[str, int], candidates: NDArray[np.int64]
) -> None:
    """As many passages stand above a relevant one as numpy counts, near ties aside."""
    ranks = read_exact_ranks(ranks_file(folder, pool))
    assert len(ranks.queries)
    for query, text, counts in zip(ranks.queries, ranks.passages, ranks.counts, strict=True):
        score = cosines[query, places[ranks.passage_ids[int(text)].as_py()]]
        scores = cosines[query, candidates]
        assert (scores > score + 1e-5).sum() <= counts[0] <= (scores > score - 1e-5).sum()


def test_without_language_vectors_nothing_changes(world: Path, model: Path, tmp_path: Path) -> None:
    run(world, model, tmp_path / "run")
    encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
    collection = find_benchmark("lareqa:own").read(world / "questions/test")
    pool_run = read_run(tmp_path / "run" / "multilingual.trec.gz")
    texts = np.array(pool_run.passage_ids.to_pylist())[pool_run.passages]
    passages = {passage.passage_id: passage for passage in collection.passages}
    vectors = encoder.encode_passages([passages[text] for text in texts[:30]])
    query = encoder.encode_queries([collection.queries[0].text])
    np.testing.assert_allclose(pool_run.scores[:30], (vectors @ query.T).ravel(), atol=1e-6)
    assert "language_vectors" not in json.loads((tmp_path / "run" / "protocol.json").read_text())
    ones = np.ones((2, 3), np.float32)
    assert take_off(ones, ["qa", "qb"], {}, cosine=True) is ones


def test_two_processes_write_the_run_of_one(world: Path, model: Path, tmp_path: Path) -> None:
    run(world, model, tmp_path / "one", **KINDS["own"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "t"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, world, model, tmp_path / f"two-{rank}", tmp_path / "work"],
            env=os.environ | group | {"RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) > 3
    for name in names:
        assert (tmp_path / "two-0" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name


class Mortal(Encoder):
    """Breaks down at the second call."""

    calls = 0

    def encode_prepared(self, prepared_texts: Prepared, side: Side) -> NDArray[np.float32]:
        """Vectors, [S, H]."""
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        return super().encode_prepared(prepared_texts, side)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_write_the_run_of_one_also_after_a_kill(
    kind: str, world: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SHARD_PASSAGES", 8)
    settings = replace(SETTINGS, **KINDS[kind] | {"language_sentences": 5})  # type: ignore[arg-type]
    for name in ("whole", "joined"):
        (tmp_path / name).mkdir()
    inputs = {"sources": world, "model": model}
    stage.run(settings, **inputs, out=tmp_path / "whole", execution=Execution(tmp_path / "first", device="cpu"))
    collection = find_benchmark("lareqa:own").read(world / "questions/test")
    encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
    stage.follow(encoder, collection.rules)
    encoder.__class__ = Mortal
    with pytest.raises(KeyboardInterrupt):
        estimate(settings, world, collection, encoder, tmp_path / "work")
    assert len(list((tmp_path / "work").iterdir())) == 1
    for part in ("2/2", "1/2", ""):
        execution = Execution(tmp_path / "work", device="cpu", part=part)
        stage.run(settings, **inputs, out=tmp_path / "joined", execution=execution)
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "joined" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_vector_that_is_its_mean_stays_zero() -> None:
    vectors = np.array([[0.6, 0.8], [1, 0], [0, 1]], np.float32)
    languages = ["sw", "en", "en"]
    rest = take_off(vectors, languages, mean_vectors(vectors, languages), cosine=True)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(rest, [[0, 0], [half, -half], [-half, half]], atol=1e-7)
    np.testing.assert_allclose(take_off(vectors, languages, {"sw": vectors[0], "en": vectors[1]}, False)[2], [-1, 1])


def test_a_sample_does_not_depend_on_the_order(world: Path) -> None:
    passages = list(find_benchmark("lareqa:own").read(world / "questions/test").passages)
    few = list(sampled(passages, 3))
    assert few == list(sampled(passages[::-1], 3))
    counts = {language: sum(text.language == language for text in few) for language in {text.language for text in few}}
    assert set(counts.values()) == {3} and set(counts) == {text.language for text in passages}


def test_what_cannot_be_estimated_is_refused_by_name(world: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"parallel\.jsonl: no sentences in sw, xx, so"):
        parallel_sentences(world / "parallel.jsonl", ["qab", "xx", "sw"], 0)
    with pytest.raises(BadInput, match="no sentences in en"):
        run(world, model, tmp_path / "run", language_vectors="shift", **TEXTS)
    apart = tmp_path / "apart.jsonl"
    rows = [{"document_id": "d", "language": code, "sentences": ["a"] * len(code)} for code in ("qa", "qbb")]
    apart.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadInput, match="no document has as many sentences in each of qa, qbb"):
        parallel_sentences(apart, ["qa", "qbb"], 0)
    with pytest.raises(BadInput, match="language_vectors shift needs language_texts"):
        replace(SETTINGS, language_vectors="shift")
    with pytest.raises(BadInput, match="language_vectors own has no use for language_texts"):
        replace(SETTINGS, language_vectors="own", language_texts="a.jsonl")
    assert parallel_sentences(apart, ["qa"], 1) == [Passage("qa-0", "qa", "a")]


def test_the_command_takes_texts_from_anywhere(world: Path, model: Path, tmp_path: Path) -> None:
    texts = tmp_path / "elsewhere" / "ntrex.jsonl"
    texts.parent.mkdir()
    shutil.move(world / "parallel.jsonl", texts)
    words = f"evaluate --benchmark lareqa:own --model {model} --data {world}/questions/test --out {tmp_path}/out"
    flags = f"--language_vectors both_sides --language_sentences 5 --language_texts {texts} --device cpu"
    main([*words.split(), *flags.split()])
    row = json.loads((tmp_path / "out" / "scores.jsonl").read_text().splitlines()[0])
    assert row["model"] == "model (language vectors: both_sides)"
    assert "language_vectors both_sides (5 sentences of ntrex.jsonl)" in row["protocol"]
    shutil.copy(texts, world / "parallel.jsonl")
    run(world, model, tmp_path / "run", **KINDS["both_sides"])
    ours = read_run(tmp_path / "out" / "run.trec.gz")
    theirs = read_run(tmp_path / "run" / "multilingual.trec.gz")
    is_within = np.arange(len(ours.scores)) % (len(ours.scores) // len(ours.query_ids)) < 30
    np.testing.assert_array_equal(ours.scores[is_within], theirs.scores)
