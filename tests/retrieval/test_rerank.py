"""A cross-encoder on the best passages of a run, against sentence-transformers pair by pair."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification

from msm.cli.main import main
from msm.collections.runs import sorted_run
from msm.collections.trec_files import read_run, write_run
from tests.encoders.tiny import SIZES, tokenizer

TEXTS = [f"fudi moro {number}" + " bud" * number for number in range(8)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pieces = tokenizer(model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces), max_position_embeddings=64, num_labels=1, initializer_range=0.5, **SIZES
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path / "cross")
    pieces.save_pretrained(tmp_path / "cross")
    return tmp_path / "cross"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": f"d{number}", "title": "", "text": text} for number, text in enumerate(TEXTS)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [{"_id": f"q{number}", "text": TEXTS[number]} for number in range(3)]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    lines = "".join(f"q{number}\td{number}\t1\n" for number in range(3))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    return folder


def test_the_best_are_in_the_order_of_the_cross_encoder(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    queries, passages = np.repeat(np.arange(3), 8), np.tile(np.arange(8), 3)
    ids = [f"q{number}" for number in range(3)], [f"d{number}" for number in range(8)]
    before = sorted_run(*ids, queries, passages, random.random(24))
    (tmp_path / "runs").mkdir()
    write_run(tmp_path / "runs" / "multilingual.trec.gz", before, "some")
    words = ["--run", tmp_path / "runs", "--model", model, "--benchmark", "beir:toy", "--data", data]
    main(["rerank", *map(str, words), "--depth", "5", "--out", str(tmp_path / "out"), "--device", "cpu"])
    assert "ndcg@10" in capsys.readouterr().out.lower()
    after = read_run(tmp_path / "out" / "rerank" / "multilingual.trec.gz")
    theirs = CrossEncoder(str(model), device="cpu")
    for query in range(3):
        best = before.passages[before.queries == query][:5]
        scores = np.asarray(theirs.predict([[TEXTS[query], TEXTS[place]] for place in best]))
        names = [f"d{place}" for place in best[np.argsort(-scores, kind="stable")]]
        passage_ids = after.passage_ids.take(after.passages[after.queries == query].tolist()).to_pylist()
        assert passage_ids == names
        np.testing.assert_allclose(after.scores[after.queries == query], -np.sort(-scores), atol=1e-5)
    assert "reranked by cross" in (tmp_path / "out" / "score" / "scores" / "scores.jsonl").read_text()
