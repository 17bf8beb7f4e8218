"""Stage `retrieve` with a small untrained encoder on a small constructed world."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from msm.collections.collection import Rules
from msm.collections.registry import BENCHMARKS, find_benchmark
from msm.collections.run_folder import ranks_file
from msm.collections.trec_files import read_run
from msm.encoders.building import EncoderForm
from msm.encoders.encoder import Encoder, Prepared
from msm.encoders.loading import open_encoder
from msm.encoders.saving import new_encoder, save_encoder
from msm.encoders.usage import Side, Usage
from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.execution import Execution, Part
from msm.pipeline import runner
from msm.retrieval import stage, stream
from msm.retrieval.settings import Retrieve
from msm.retrieval.stage import follow

SETTINGS = Retrieve(
    benchmark="lareqa:own", questions="questions/test", depth=30, pool_depth=20, batch_tokens=4096, precision="fp32"
)


@pytest.fixture
def model(encoder: Path, tmp_path: Path) -> Path:
    save_encoder(new_encoder(encoder, EncoderForm("mean", "cosine", 24, 48, "paragraph")), tmp_path / "model")
    return tmp_path / "model"


def test_every_run_holds_the_greatest_cosines_of_its_pool(
    sources: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SHARD_PASSAGES", 50)
    (tmp_path / "run").mkdir()
    stage.run(
        SETTINGS, sources=sources, model=model, out=tmp_path / "run", execution=Execution(work=tmp_path, device="cpu")
    )
    collection = find_benchmark("lareqa:own").read(sources / "questions/test")
    text_encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
    queries = text_encoder.encode_queries([query.text for query in collection.queries])
    cosines = queries @ text_encoder.encode_passages(list(collection.passages)).T
    ids = [passage.passage_id for passage in collection.passages]
    for pool in collection.pools:
        run = read_run(tmp_path / "run" / f"{pool.name}.trec.gz")
        depth = 30 if pool.candidate_language is None else 20
        candidates = collection.pool_passages(pool)
        assert run.query_ids.to_pylist() == [query.query_id for query in collection.queries]
        assert np.bincount(run.queries).tolist() == [min(depth, len(candidates))] * len(queries)
        expected = -np.sort(-cosines[:, candidates], axis=1)[:, :depth]
        np.testing.assert_allclose(run.scores.reshape(expected.shape), expected, atol=1e-5)
        places = np.array([ids.index(text) for text in run.passage_ids.to_pylist()])[run.passages]
        np.testing.assert_allclose(cosines[run.queries, places], run.scores, atol=1e-5)
        assert set(places) <= set(candidates)
    facts = json.loads((tmp_path / "run" / "protocol.json").read_text())
    assert facts["pooling"] == "mean" and facts["passage_context"] == "paragraph" and "scale" not in facts


@pytest.mark.parametrize("name", ["lareqa", "mr_tydi", "belebele"])
def test_a_model_reads_a_collection_as_its_official_run_does(name: str, encoder: Path) -> None:
    benchmark, cpu = BENCHMARKS[name], torch.device("cpu")
    rules = Rules(benchmark.passage_context, benchmark.own_ids, benchmark.instruction)
    bare = open_encoder(encoder, Usage(pooling="mean", similarity="cosine"), device=cpu, precision="fp32")
    follow(bare, rules)
    assert bare.choices["passage_context"] == (benchmark.passage_context, "benchmark")
    asking = Usage("mean", "cosine", query_prompt="Task: {instruction}\n", passage_context="none")
    asking_encoder = open_encoder(encoder, asking, device=cpu, precision="fp32")
    if not rules.instruction:
        with pytest.raises(BadInput, match="asks for an instruction, and the benchmark has none"):
            follow(asking_encoder, rules)
        return
    follow(asking_encoder, rules)
    assert asking_encoder.choices["passage_context"] == ("none", "flag")
    assert asking_encoder.choices["query_prompt"] == (f"Task: {rules.instruction}\n", "benchmark")
    prompts = Usage("mean", "cosine", query_prompt=f"Task: {rules.instruction}\n")
    expected = open_encoder(encoder, prompts, device=cpu, precision="fp32").encode_queries(["fudi moro"])
    np.testing.assert_array_equal(asking_encoder.encode_queries(["fudi moro"]), expected)


def test_a_diverged_model_is_refused(sources: Path, model: Path, tmp_path: Path) -> None:
    collection = find_benchmark("lareqa:own").read(sources / "questions/test")
    text_encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
    torch.nn.init.constant_(next(text_encoder.model.parameters()), float("nan"))
    with pytest.raises(BadInput, match="is not finite"):
        stream.search(collection.queries, collection.passages, text_encoder, {collection.pools[0]: 20}, tmp_path)


def test_stored_vectors_give_the_same_run(
    sources: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str, vectors: Path | None) -> dict[str, bytes]:
        out = tmp_path / name
        out.mkdir()
        execution = Execution(work=tmp_path / f"{name}.work", device="cpu", vector_store=vectors)
        stage.run(SETTINGS, sources=sources, model=model, out=out, execution=execution)
        return {path.name: path.read_bytes() for path in out.iterdir()}

    plain = run("plain", None)
    assert run("first", tmp_path / "v.sqlite") == plain

    def encode(*_: object) -> None:
        raise AssertionError("a stored text was encoded")

    monkeypatch.setattr(Encoder, "_encode_tokens", encode)
    assert run("second", tmp_path / "v.sqlite") == plain


def retrieve(sources: Path, model: Path, out: Path, part: str = "") -> dict[str, bytes]:
    """What the stage writes, by the name of the file; nothing for a part."""
    reads = {"sources": sources, "model": model}
    runner.run_stage("retrieve", SETTINGS, reads, out, Execution(out.with_suffix(".work"), device="cpu", part=part))
    return {path.name: path.read_bytes() for path in (out / "run").iterdir()} if not part else {}


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_join_to_the_bytes_of_the_whole(
    parts: int, sources: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SHARD_PASSAGES", 50)
    whole = retrieve(sources, model, tmp_path / "whole")
    pools = find_benchmark("lareqa:own").read(sources / "questions/test").pools
    assert {ranks_file(Path(), pool).name for pool in pools} < set(whole)
    for number in range(parts, 0, -1):
        retrieve(sources, model, tmp_path / "joined", part=f"{number}/{parts}")
        assert not (tmp_path / "joined").exists()
    assert retrieve(sources, model, tmp_path / "joined") == whole


class Mortal(Encoder):
    """Breaks down after some shards of passages."""

    left = 1_000_000

    def encode_prepared(self, prepared_texts: Prepared, side: Side) -> NDArray[np.float32]:
        """Vectors, [S, H]."""
        if side == "passage":
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
        return super().encode_prepared(prepared_texts, side)


def test_a_killed_part_goes_on(sources: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SHARD_PASSAGES", 50)
    collection = find_benchmark("lareqa:own").read(sources / "questions/test")
    depths = dict.fromkeys(collection.pools, 20)
    encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
    encoder.__class__ = Mortal
    assert isinstance(encoder, Mortal)
    for name in ("whole", "joined"):
        (tmp_path / name).mkdir()
    stage.write_runs(tmp_path / "whole", collection, encoder, depths, tmp_path / "first")
    encoder.left = 3
    with pytest.raises(KeyboardInterrupt):
        stage.search_part(collection, encoder, depths, tmp_path / "work", Part(1, 2))
    encoder.left = 1_000_000
    for number in (0, 1):
        stage.search_part(collection, encoder, depths, tmp_path / "work", Part(number, 2))
    encoder.left = 0  # the parts have encoded everything
    stage.write_runs(tmp_path / "joined", collection, encoder, depths, tmp_path / "work")
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "joined" / path.name).read_bytes() == path.read_bytes(), path.name


def test_what_is_not_split_is_refused(sources: Path, model: Path, tmp_path: Path) -> None:
    execution = Execution(tmp_path / "work", device="cpu", part="1/2")
    for changes, message in (
        ({"benchmark": "tatoeba@deu-eng"}, "bitext, which is mined as a whole"),
        ({"language_vectors": "own", "language_sentences": 0}, "give language_sentences"),
    ):
        with pytest.raises(BadInput, match=message):
            stage.run(replace(SETTINGS, **changes), sources=sources, model=model, out=tmp_path, execution=execution)
    score = Score(benchmark="lareqa:own", questions="questions/test", split="test", model="m", seed=0)
    with pytest.raises(BadInput, match="the stage score is not split into parts"):
        runner.run_stage("score", score, {"sources": sources, "run": model}, tmp_path / "out", execution)
