"""Stage `retrieve` with a small untrained encoder on a small constructed world."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from msm.collections.registry import find_benchmark
from msm.collections.runs import read_run
from msm.encoders.building import Form
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.encoders.saving import new_encoder, save_encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.retrieval import stage, stream
from msm.retrieval.settings import Retrieve

SETTINGS = Retrieve(
    benchmark="lareqa:own", questions="questions/test", depth=30, pool_depth=20, batch_tokens=4096, precision="fp32"
)


@pytest.fixture
def model(encoder: Path, tmp_path: Path) -> Path:
    save_encoder(new_encoder(encoder, Form("mean", "cosine", 24, 48, "paragraph")), tmp_path / "model")
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
    made = json.loads((tmp_path / "run" / "protocol.json").read_text())
    assert made["pooling"] == "mean" and made["passage_context"] == "paragraph" and "scale" not in made


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
        execution = Execution(work=tmp_path / f"{name}.work", device="cpu", vectors=vectors)
        stage.run(SETTINGS, sources=sources, model=model, out=out, execution=execution)
        return {path.name: path.read_bytes() for path in out.iterdir()}

    plain = run("plain", None)
    assert run("first", tmp_path / "v.sqlite") == plain

    def encode(*_: object) -> None:
        raise AssertionError("a stored text was encoded")

    monkeypatch.setattr(Encoder, "_encode_tokens", encode)
    assert run("second", tmp_path / "v.sqlite") == plain
