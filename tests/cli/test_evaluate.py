"""`msm evaluate` with models of ours and of others, on pools of one's own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder, SentenceTransformer, SparseEncoder

from msm.cli.main import main
from msm.collections.trec_files import read_run
from msm.encoders.building import EncoderForm
from msm.encoders.model_files import OWN
from msm.encoders.saving import new_encoder, save_encoder
from msm.retrieval import stream
from tests.encoders.tiny_kinds import late_interaction, masked_checkpoint, splade

FLAGS = "--pooling mean --similarity cosine --query_tokens 24 --passage_tokens 48".split()


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    words = ["fudi", "moro", "pepiga", "bud", "Deti", "ra", "vipa"]
    random = np.random.default_rng(0)
    texts = [" ".join([f"{number}", *random.choice(words, 5)]) for number in range(40)]
    corpus = [{"_id": f"d{number}", "title": "", "text": text} for number, text in enumerate(texts)]
    queries = [{"_id": f"q{number}", "text": texts[5 * number]} for number in range(6)]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = "".join(f"q{number}\td{5 * number}\t1\n" for number in range(6))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    return folder


def evaluate(*words: object) -> None:
    main(["evaluate", *map(str, words)])


def scores(folder: Path) -> dict[str, float]:
    rows = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    return {row["measure"]: row["value"] for row in rows if row["query_language"] == "mean"}


def test_the_model_of_another_library_gives_its_rankings(encoder: Path, beir: Path, tmp_path: Path) -> None:
    model = tmp_path / "theirs"
    form = EncoderForm("mean", "cosine", 24, 24, query_prompt="Query: ", passage_prompt="Passage: ")
    save_encoder(new_encoder(encoder, form), model)
    (model / OWN).unlink()
    evaluate("--benchmark", "beir:toy", "--model", model, "--data", beir, "--out", tmp_path / "out")
    run = read_run(tmp_path / "out" / "run.trec.gz")
    theirs = SentenceTransformer(str(model), device="cpu")
    corpus = [json.loads(line) for line in (beir / "corpus.jsonl").read_text().splitlines()]
    queries = [json.loads(line)["text"] for line in (beir / "queries.jsonl").read_text().splitlines()]
    cosines = theirs.encode_query(queries) @ theirs.encode_document([row["text"] for row in corpus]).T
    places = [int(text[1:]) for text in run.passage_ids.take(run.passages.tolist()).to_pylist()]
    np.testing.assert_allclose(run.scores, cosines[run.queries, places], atol=1e-5)
    assert len(run.scores) == 6 * 40
    assert scores(tmp_path / "out")["recall@100"] == 1
    rows = (tmp_path / "out" / "scores.jsonl").read_text()
    assert '"benchmark": "toy"' in rows and "pooling mean" in rows and "query_prompt Query: " in rows
    assert "; precision fp32; " in rows and "; processor cpu; " in rows


def test_a_plain_encoder_needs_flags_and_flags_win(
    encoder: Path, sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--format",
        "lareqa",
        "--benchmark",
        "own",
        "--model",
        encoder,
        "--data",
        sources / "questions/test",
        "--out",
        tmp_path / "out",
    ]
    with pytest.raises(SystemExit) as end:
        evaluate(*words)
    assert end.value.code == 2
    assert "say --pooling --similarity" in capsys.readouterr().err
    evaluate(*words, *FLAGS)
    first = (tmp_path / "out" / "retrieve" / "manifest.json").read_bytes()
    evaluate(*words, *FLAGS)
    assert (tmp_path / "out" / "retrieve" / "manifest.json").read_bytes() == first
    evaluate(*words, *FLAGS, "--pooling", "cls")
    assert (tmp_path / "out" / "retrieve" / "manifest.json").read_bytes() != first
    assert not (encoder / OWN).exists()
    main(["compare", "--baseline", str(tmp_path / "out"), str(tmp_path / "out" / "score"), "--resamples", "20"])
    assert "+0.0000" in capsys.readouterr().out


def test_bm25_is_a_model(beir: Path, tmp_path: Path) -> None:
    evaluate("--benchmark", "beir", "--model", "bm25", "--data", beir, "--out", tmp_path / "out")
    assert scores(tmp_path / "out")["mrr@100"] > 0.5


def test_bm25_needs_no_torch(beir: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--benchmark", "beir", "--model", "bm25", "--data", str(beir), "--out", str(tmp_path / "out")]
    code = f"import sys; from msm.cli.main import main; main({words}); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_fusion_adds_bm25(encoder: Path, beir: Path, tmp_path: Path) -> None:
    words = ["--benchmark", "beir", "--model", encoder, "--data", beir, *FLAGS]
    evaluate(*words, "--fuse", 0.3, "--out", tmp_path / "out")
    assert scores(tmp_path / "out")["mrr@100"] > 0.5
    assert "fusion centred min-max" in (tmp_path / "out" / "scores.jsonl").read_text()
    fusion = read_run(tmp_path / "out" / "run.trec.gz")
    assert np.bincount(fusion.queries).tolist() == [40] * 6


def test_sparse_models_and_one_vector_a_token_side_by_side(
    beir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SHARD_PASSAGES", 24)  # three a shard of the latter
    start, out = masked_checkpoint(tmp_path / "start"), tmp_path / "out"
    kinds = {"splade": SparseEncoder, "late": MultiVectorEncoder}
    models = [splade(tmp_path / "splade", start), late_interaction(tmp_path / "late", start)]
    evaluate("--benchmark", "toy", "--format", "beir", "--data", beir, "--out", out, "--model", *models)
    overview = [line.split() for line in capsys.readouterr().out.splitlines()[-2:]]
    assert [row[0] for row in overview] == list(kinds)
    corpus = [json.loads(line)["text"] for line in (beir / "corpus.jsonl").read_text().splitlines()]
    queries = [json.loads(line)["text"] for line in (beir / "queries.jsonl").read_text().splitlines()]
    for name, kind in kinds.items():
        model: Any = kind(str(tmp_path / name), device="cpu")
        expected = model.similarity(model.encode_query(queries), model.encode_document(corpus)).numpy()
        run = read_run(out / "toy" / name / "run.trec.gz")
        places = np.array([int(text[1:]) for text in run.passage_ids.take(run.passages.tolist()).to_pylist()])
        assert len(places) == 6 * 40
        np.testing.assert_allclose(run.scores, expected[run.queries, places], rtol=1e-5)
        order = np.lexsort((places, -run.scores, run.queries))
        np.testing.assert_array_equal(order, np.arange(len(places)))
        right = expected[np.arange(6), 5 * np.arange(6), None]
        ranks = 1 + np.count_nonzero(expected > right + 1e-5, axis=1)
        assert scores(out / "toy" / name)["mrr@100"] == pytest.approx(np.mean(1 / ranks))
        passages = model.encode_document(corpus)
        size = 8 * passages.to_dense().count_nonzero() if name == "splade" else 32 * sum(map(len, passages))
        assert int(overview[list(kinds).index(name)][-1]) == round(float(size) / 40)
    assert "kind multi-vector" in (out / "toy" / "late" / "scores.jsonl").read_text()
    main(["compare", "--baseline", *(str(out / "toy" / name) for name in kinds), "--resamples", "20"])
    options = [
        (["--dimensions", 8], "--dimensions is for models of one vector a text"),
        (["--language_vectors", "own"], "--language_vectors are taken off one vector a text"),
    ]
    for words, message in options:
        with pytest.raises(SystemExit) as end:
            evaluate("--benchmark", "beir", "--model", *models, "--data", beir, "--out", tmp_path / "no", *words)
        assert end.value.code == 2 and not (tmp_path / "no").exists()
        assert message in capsys.readouterr().err


def test_a_model_that_is_nowhere_is_one_line(beir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate("--benchmark", "beir", "--model", "./no/such/model", "--data", beir, "--out", tmp_path / "out")
    assert capsys.readouterr().err.count("\n") == 1


def test_several_models_and_vectors_side_by_side(
    encoder: Path, beir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["--benchmark", "beir:toy", "--data", beir, "--out", out, *FLAGS, "--model", encoder]
    evaluate(*words, "--vectors", "fp32", "binary", "--dimensions", 32, 8)
    output = capsys.readouterr().out
    folders = [f"model-{dimensions}-{kind}" for dimensions in (32, 8) for kind in ("fp32", "binary")]
    assert sorted(path.name for path in (out / "beir-toy").iterdir()) == sorted(folders)
    overview, losses = output.split("beir:toy: ")[-1].split("difference to the whole vectors")
    table = [line.split() for line in overview.splitlines()[2:] if line]
    assert [row[:3] for row in table] == [["model", *name.split("-")[1:]] for name in folders]
    assert [row[-1] for row in table] == ["128", "4", "32", "1"]
    smaller = [line.split() for line in losses.splitlines()[2:]]
    assert [row[:3] + row[-1:] for row in smaller] == [row[:3] + row[-1:] for row in table[1:]]
    for row, expected_row in zip(table[1:], smaller, strict=True):
        assert float(expected_row[3]) == pytest.approx(float(row[3]) - float(table[0][3]), abs=0.11)
        assert expected_row[3][0] in "+-"
    protocol = (out / "beir-toy" / "model-8-binary" / "scores.jsonl").read_text()
    assert "dimensions 8" in protocol and "vectors binary" in protocol
    evaluate(*words, "--vectors", "fp32", "binary", "--dimensions", 32, 8)
    assert capsys.readouterr().out == output


def test_parts_join_to_the_run_of_one(
    encoder: Path, beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SHARD_PASSAGES", 7)
    words = ["--benchmark", "beir:toy", "--data", beir, *FLAGS, "--model", encoder, "--out"]
    evaluate(*words, tmp_path / "whole")
    for part in ("3/3", "1/3"):
        evaluate(*words, tmp_path / "parts", "--part", part)
        assert not (tmp_path / "parts" / "run.trec.gz").exists()
    assert len(list((tmp_path / "parts" / "work").rglob("shard-*.npz"))) == 4
    evaluate(*words, tmp_path / "parts")
    whole, parts = (read_run(tmp_path / name / "run.trec.gz") for name in ("whole", "parts"))
    assert whole.passage_ids.take(whole.passages.tolist()) == parts.passage_ids.take(parts.passages.tolist())
    np.testing.assert_array_equal(whole.scores, parts.scores)
    assert (tmp_path / "whole" / "scores.jsonl").read_text() == (tmp_path / "parts" / "scores.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--part", "4/3"], "--part must be I/N"),
        (["--data", ".", "."], "1 benchmarks need as many folders, got 2"),
        (["--passage_tokens", "512"], "must fit the model's"),
        (["--query_tokens", "-1"], "must be at least 1, got -1"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(
    encoder: Path, beir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    options = ["--benchmark", "beir:toy", "--data", beir, *FLAGS, "--model", encoder, "--out", tmp_path / "out", *words]
    with pytest.raises(SystemExit) as end:
        evaluate(*options)
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out" / "retrieve").exists()
