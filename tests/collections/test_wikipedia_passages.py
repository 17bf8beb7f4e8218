"""XOR-Retrieve and Natural Questions as stages, against `msm score-answers` on the same passages."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from msm.cli.main import main
from msm.collections.collection import Collection, Pool
from msm.collections.readers import natural_questions, wikipedia_passages, xor_retrieve
from msm.collections.registry import find_benchmark
from msm.collections.run_folder import pool_depth, write_pool
from msm.errors import BadInput
from msm.evaluation import stage
from msm.evaluation.settings import Score

WORDS = 'the U.S. city of Oslo , "north" of 1,000 km John\'s house yes no Bergen 1999'.split()


def write_passages(path: Path, answers: list[str]) -> list[str]:
    rng = np.random.default_rng(8)
    texts = [" ".join([*rng.choice(WORDS, size=60), *rng.choice(answers, size=2)]) for _ in range(300)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["id", "text", "title"])
        writer.writerows([str(number), text, "Oslo"] for number, text in enumerate(texts, start=1))
    return texts


def score(folder: Path, benchmark: str, collection: Collection) -> tuple[dict[tuple[str, str], Any], Any]:
    """Scores of random rankings, by measure and language of the questions, and the rankings."""
    rng = np.random.default_rng(9)
    places = np.argsort(rng.random((len(collection.queries), len(collection.passages))), axis=1)[:, :100]
    scores = np.broadcast_to(np.arange(100, 0, -1.0), places.shape)
    for name in ("run", "out"):
        (folder / name).mkdir()
    write_pool(folder / "run", collection, collection.pools[0], places, scores, "t")
    settings = Score(
        benchmark=benchmark, questions="q", split="dev", setting="zero-shot", model="m", ties="trec", seed=1
    )
    stage.run(settings, sources=folder, run=folder / "run", out=folder / "out")
    rows = [json.loads(line) for line in (folder / "out" / "scores.jsonl").read_text().splitlines()]
    assert {row["benchmark"] for row in rows} == {"mine"}
    means = [row for row in rows if row["candidate_language"] == ("other" if row["query_language"] == "mean" else "en")]
    return {(row["measure"], row["query_language"]): row for row in means}, places


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> dict[tuple[str, str], Any]:
    main(["score-answers", *map(str, words)])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {(row["measure"], row["language"]): row for row in rows}


def test_xor_scores_are_those_of_score_answers(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "q").mkdir()
    shutil.copy(mirror / "xor" / f"{xor_retrieve.FILE}.gz", tmp_path / "q")
    queries, answers = xor_retrieve.read_questions(tmp_path / "q")
    sizes = {language: sum(query.language == language for query in queries) for language in ("te", "ar", "ko")}
    assert (len(queries), sizes) == (1928, {"te": 238, "ar": 309, "ko": 285})
    texts = write_passages(tmp_path / "q" / xor_retrieve.PASSAGES, [answers[q.query_id][0] for q in queries])
    with pytest.raises(BadInput, match=r"300 passages are not the published corpus; .* --format xor_retrieve"):
        find_benchmark("xor_retrieve").read(tmp_path / "q")

    lines = [
        {"id": q.query_id, "lang": q.language, "question": q.text, "answers": answers[q.query_id]} for q in queries
    ]
    few = tmp_path / "q" / xor_retrieve.FILE
    (tmp_path / "q" / f"{xor_retrieve.FILE}.gz").unlink()
    few.write_text(
        "".join(json.dumps(line) + "\n" for line in [*lines[::120], {**lines[0], "id": "x", "answers": ["no"]}])
    )
    collection = find_benchmark("xor_retrieve_treebank:mine").read(tmp_path / "q")
    assert len(collection.queries) == len(lines[::120])
    assert [passage.text for passage in collection.passages] == texts
    values, places = score(tmp_path, "xor_retrieve_treebank:mine", collection)
    predictions = [
        {"id": query.query_id, "lang": query.language, "ctxs": [texts[place] for place in row]}
        for query, row in zip(collection.queries, places, strict=True)
    ]
    (tmp_path / "p.json").write_text(json.dumps(predictions))
    words = ("--gold", few, "--predictions", tmp_path / "p.json", "--tokenizer", "treebank", "--lenient")
    expected = printed(capsys, "--benchmark", "xor_retrieve", *words)
    assert values.keys() == expected.keys()
    assert {key: row["value"] for key, row in values.items()} == pytest.approx(
        {k: r["value"] for k, r in expected.items()}
    )
    assert 0 < values["recall@2kt", "mean"]["value"] < 1
    assert values["recall@2kt", "mean"]["protocol"].startswith("xor_retrieve, tokenizer treebank; ")


def test_nq_scores_are_those_of_score_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q").mkdir()
    gold = [(f"question #{number % 39}", [f"answer {number}", f"Café{number}"]) for number in range(40)]
    gold_file = tmp_path / "q" / natural_questions.FILE
    gold_file.write_text("".join(f"{question}\t{answers!r}\n" for question, answers in gold))
    texts = write_passages(tmp_path / "q" / wikipedia_passages.FILE, [a[-1].upper() for _, a in gold])
    collection = find_benchmark("nq:mine").read(tmp_path / "q")
    assert [query.text for query in collection.queries] == [question for question, _ in gold]
    values, places = score(tmp_path, "nq:mine", collection)
    predictions = [
        {"question": query.text, "ctxs": [{"text": texts[place], "title": "x"} for place in row]}
        for query, row in zip(collection.queries, places, strict=True)
    ]
    (tmp_path / "p.json").write_text(json.dumps(predictions))
    expected = printed(capsys, "--benchmark", "nq", "--gold", gold_file, "--predictions", tmp_path / "p.json")
    for cutoff in (1, 5, 20, 100):
        assert values[f"success@{cutoff}", "en"]["value"] == pytest.approx(expected[f"success@{cutoff}", "en"]["value"])
    assert 0 < values["success@5", "en"]["value"] < values["success@100", "en"]["value"]
    with pytest.raises(BadInput, match="40 questions instead of 3610"):
        find_benchmark("nq").read(tmp_path / "q")


def test_a_run_holds_enough_passages() -> None:
    benchmark = find_benchmark("nq")
    assert pool_depth(benchmark, Pool("pool.en", None, "en"), 1000, 20) == 100
