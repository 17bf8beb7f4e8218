"""Stage `score` against a slow implementation that reads the files by itself."""

import gzip
import json
from pathlib import Path
from shutil import copy
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from msm.collections.collection import Collection
from msm.collections.measure_names import FAIRNESS, SPLIT
from msm.collections.passages import Passages
from msm.collections.registry import find_benchmark
from msm.collections.run_folder import write_pool
from msm.errors import BadInput
from msm.evaluation import stage
from msm.evaluation.identity import checksums
from msm.evaluation.per_query import by_question, read_per_query
from msm.evaluation.scores import FIELDS
from msm.evaluation.settings import Score
from msm.files import sha256_of

LANGUAGES = ("de", "ru", "zh")
SETTINGS = Score(
    benchmark="lareqa:three",
    questions="questions",
    split="test",
    setting="zero-shot",
    model="random",
    ties="trec",
    seed=3,
)


def write_random_runs(collection: Collection, folder: Path) -> None:
    """Runs in which relevant passages are often near the top, and many scores are equal."""
    rng = np.random.default_rng(1)
    qrels = collection.qrels
    places_of = {passage.passage_id: place for place, passage in enumerate(collection.passages)}
    judged_places = np.array([places_of[text] for text in qrels.passage_ids.to_pylist()])
    for pool in collection.pools:
        candidates, queries = np.array(collection.pool_passages(pool)), collection.pool_queries(pool)
        scores = rng.integers(0, 4000, size=(len(queries), len(collection.passages))).astype(np.float32)
        scores[qrels.queries, judged_places[qrels.passages]] = rng.integers(3950, 4020, size=len(qrels.queries))
        places = candidates[np.argpartition(-scores[:, candidates], 25, axis=1)[:, :25]]
        places[::50] = -1
        write_pool(folder, collection, pool, places, np.take_along_axis(scores, places, axis=1), "random")


def slow_average_precision(ranking: list[str], relevant: set[str]) -> float:
    """As XTREME-R has it: the sum is divided by min(relevant, 20)."""
    hits, total = 0, 0.0
    for rank, passage in enumerate(ranking[:20], start=1):
        if passage in relevant:
            hits += 1
            total += hits / rank
    return total / min(len(relevant), 20)


def slow_answers(folder: Path) -> dict[str, set[str]]:
    """Question id to the ids of its answers, in all languages."""
    answers: dict[str, set[str]] = {}
    for path in folder.glob("*.json.gz"):
        language, number = path.name[:2], 0
        for article in json.loads(gzip.decompress(path.read_bytes()))["data"]:
            for paragraph in article["paragraphs"]:
                breaks = paragraph["sentence_breaks"]
                for question in paragraph["qas"]:
                    start = question["answers"][0]["answer_start"]
                    [place] = [place for place, (first, end) in enumerate(breaks) if first <= start < end]
                    answers.setdefault(question["id"], set()).add(f"{language}-{number}-{place}")
                number += 1
    return answers


def slow_rankings(path: Path) -> dict[str, list[str]]:
    """Query id to passages, as trec_eval sorts them."""
    entries: dict[str, list[tuple[float, str]]] = {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        query, _, passage, _, score, _ = line.split()
        entries.setdefault(query, []).append((float(score), passage))
    return {query: [passage for _, passage in sorted(hits, reverse=True)] for query, hits in entries.items()}


def slow_scores(questions: Path, runs: Path) -> dict[tuple[str, str | None], float]:
    """Every average of the module docstring of `msm.evaluation.scores`."""
    answers, scores = slow_answers(questions), {}
    for candidates in (None, *LANGUAGES):
        rankings = slow_rankings(
            runs / ("multilingual.trec.gz" if candidates is None else f"pool.{candidates}.trec.gz")
        )
        for query_language in LANGUAGES:
            scores[query_language, candidates] = fmean(
                slow_average_precision(
                    rankings.get(f"{query_language}-{question}", []),
                    {passage for passage in question_answers if candidates in (None, passage[:2])},
                )
                for question, question_answers in answers.items()
            )
    pairs = {
        query_language: [scores[query_language, other] for other in LANGUAGES if other != query_language]
        for query_language in LANGUAGES
    }
    scores |= {(query_language, "other"): fmean(values) for query_language, values in pairs.items()}
    scores["mean", None] = fmean(scores[query_language, None] for query_language in LANGUAGES)
    scores["mean", "same"] = fmean(scores[query_language, query_language] for query_language in LANGUAGES)
    # Every question is asked in every language, so the mean over questions is that over languages.
    scores |= {("all", candidates): scores["mean", candidates] for candidates in (None, "same")}
    scores["mean", "other"] = fmean(scores[query_language, "other"] for query_language in LANGUAGES)
    return scores


@pytest.fixture(scope="module")
def evaluation(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`questions`, `run` and `scores` of three languages of XQuAD-R."""
    root = tmp_path_factory.mktemp("scored")
    for name in ("questions", "run", "scores"):
        (root / name).mkdir()
    for language in LANGUAGES:
        copy(mirror / "xquad-r" / f"{language}.json.gz", root / "questions")
    write_random_runs(find_benchmark("lareqa:three").read(root / "questions"), root / "run")
    stage.run(SETTINGS, sources=root, run=root / "run", out=root / "scores")
    return root


def cells(path: Path) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Lines of map@20 in a score file, by what they average."""
    rows = [row for line in path.read_text().splitlines() if (row := json.loads(line))["measure"] == "map@20"]
    return {(row["query_language"], row["candidate_language"]): row for row in rows}


def test_every_average_equals_the_slow_implementation(evaluation: Path) -> None:
    expected = slow_scores(evaluation / "questions", evaluation / "run")
    lines = cells(evaluation / "scores" / "scores.jsonl")
    assert lines.keys() == expected.keys()
    for cell, value in expected.items():
        assert lines[cell]["value"] == pytest.approx(value, abs=1e-9), cell
    assert 0.1 < lines["mean", None]["value"] < 0.9


def test_a_score_line_says_where_it_comes_from(evaluation: Path) -> None:
    by_cell = cells(evaluation / "scores" / "scores.jsonl")
    assert all(tuple(row) == FIELDS for row in by_cell.values())
    row = by_cell["ru", "zh"]
    assert (row["benchmark"], row["split"], row["setting"]) == ("three", "test", "zero-shot")
    assert (row["model"], row["seed"], row["measure"], row["protocol"]) == (
        "random",
        3,
        "map@20",
        "lareqa; own ids kept; printed mean macro; ties trec",
    )
    assert row["run_sha256"] == sha256_of(evaluation / "run" / "pool.zh.trec.gz")
    assert by_cell["mean", None]["run_sha256"] == sha256_of(evaluation / "run" / "multilingual.trec.gz")
    assert (row["queries"], by_cell["mean", None]["queries"], by_cell["ru", "other"]["queries"]) == (1190, 3570, 2380)
    assert by_cell["mean", None]["tied"] == sum(by_cell[language, None]["tied"] for language in LANGUAGES) > 0


def test_per_query_values_average_to_the_scores(evaluation: Path) -> None:
    rows = read_per_query(evaluation / "scores" / "per_query.parquet")
    assert len(rows) == 3570 * (4 + len(FAIRNESS))
    lines = cells(evaluation / "scores" / "scores.jsonl")
    for kind, candidates in (("multilingual", None), ("same", "same"), ("other", "other")):
        values = by_question(rows, "map@20", kind)
        assert (len(values.questions), values.languages) == (1190, list(LANGUAGES))
        assert (len(values.clusters), values.clusters.max() + 1) == (1190, 240)
        assert values.values.mean() == pytest.approx(lines["mean", candidates]["value"], abs=1e-12)
    russian = by_question(rows, "map@20", "other").values[:, 1]
    assert russian.mean() == pytest.approx(lines["ru", "other"]["value"], abs=1e-12)


def test_checksums_tell_other_questions_candidates_and_judgements_apart(evaluation: Path) -> None:
    collection = find_benchmark("lareqa:three").read(evaluation / "questions")
    file_sums = json.loads((evaluation / "scores" / "collection.json").read_text())
    assert file_sums == checksums(collection) | {"rules": "lareqa; own ids kept; printed mean macro; ties trec"}
    first, *queries = collection.queries
    questions = collection._replace(queries=[first._replace(text="other"), *queries])
    qrels = collection._replace(qrels=collection.qrels._replace(labels=collection.qrels.labels + 1))
    passages = [passage._replace(text=passage.text + "?") for passage in collection.passages]
    parts = {language: [p for p in passages if p.language == language] for language in LANGUAGES}
    pool = collection._replace(passages=Passages({language: parts[language].copy for language in LANGUAGES}))
    for other, changed_name in ((questions, "questions"), (qrels, "qrels"), (pool, "candidates")):
        sums = checksums(other)
        assert [name for name in sums if sums[name] != file_sums[name]] == [changed_name]


def test_fairness_is_measured_where_languages_are_ranked_together(evaluation: Path) -> None:
    lines = [json.loads(line) for line in (evaluation / "scores" / "scores.jsonl").read_text().splitlines()]
    assert lines[0]["measure"] == "map@20"
    means = {
        row["measure"]: row["value"] for row in lines if row["query_language"] == "mean" and row["measure"] in FAIRNESS
    }
    assert list(means) == list(FAIRNESS)
    assert sum(means[name] for name in SPLIT) == pytest.approx(1)
    # Random rankings favour no language: a third of the first relevant passages is in the question's own.
    assert means["own_first@100"] == pytest.approx(1 / 3, abs=0.04)


def test_chance_stands_beside_every_score(evaluation: Path) -> None:
    chances = cells(evaluation / "scores" / "chance.jsonl")
    assert chances.keys() == cells(evaluation / "scores" / "scores.jsonl").keys()
    harmonic = sum(1 / rank for rank in range(1, 21))
    assert chances["de", "zh"]["value"] == pytest.approx(harmonic / 1196)
    passages = 1276 + 1219 + 1196
    expected = (harmonic + (20 - harmonic) * 2 / (passages - 1)) / passages
    assert chances["mean", None]["value"] == pytest.approx(expected)
    assert chances["mean", None]["model"] == "chance"


def test_a_run_of_another_pool_is_refused(evaluation: Path, tmp_path: Path) -> None:
    for path in (evaluation / "run").iterdir():
        copy(path, tmp_path)
    copy(evaluation / "run" / "pool.de.trec.gz", tmp_path / "pool.ru.trec.gz")
    with pytest.raises(BadInput, match=r"pool\.ru\.trec\.gz: de-\d+-\d+ is no query or passage of this pool"):
        stage.run(SETTINGS, sources=evaluation, run=tmp_path, out=tmp_path)
    (tmp_path / "pool.ru.trec.gz").unlink()
    with pytest.raises(BadInput, match=r"pool\.ru\.trec\.gz: no such file"):
        stage.run(SETTINGS, sources=evaluation, run=tmp_path, out=tmp_path)
