"""The hybrid-batch protocol: counts, the measures against loops over full rankings, merged questions."""

import gzip
import json
from pathlib import Path
from shutil import copy
from statistics import fmean

import numpy as np
import pytest

from msm.collections.benchmarks import hybrid
from msm.collections.measure_names import parse_measure
from msm.collections.readers.lareqa import written_questions
from msm.collections.registry import find_benchmark
from msm.collections.run_folder import write_pool
from msm.collections.runs import ranked_run
from msm.errors import BadInput
from msm.evaluation import stage
from msm.evaluation.measures import evaluate
from msm.evaluation.settings import Score

DISTINCT = {
    "ar": 1187, "de": 1182, "el": 1184, "en": 1187, "es": 1185, "hi": 1183, "ru": 1186, "th": 1183, "tr": 1184,
    "vi": 1182, "zh": 1181,
}  # fmt: skip


def test_merged_questions_are_as_many_as_the_paper_must_have_had(mirror: Path) -> None:
    collection = find_benchmark("xquad_r_dedup").read(mirror / "xquad-r")
    assert {language: queries for language, (queries, _) in collection.sizes().items()} == DISTINCT
    assert {passage.context for passage in collection.passages} == {""}
    counts = np.bincount(collection.qrels.queries)
    assert counts.min() == 11 and counts.max() > 11
    assert len(collection.queries) == len(collection.qrels.query_ids) == sum(DISTINCT.values())
    assert len(set(collection.query_clusters)) == 240
    questions = written_questions(mirror / "xquad-r")
    whole = find_benchmark("xquad_r").read(mirror / "xquad-r")
    answers: dict[tuple[str, str], set[int]] = {}
    for query, passage in zip(*whole.qrels[2:4], strict=True):
        text = whole.queries[query]
        answers.setdefault((text.language, questions[text.query_id]), set()).add(int(passage))
    for place in range(0, len(collection.queries), 97):
        text = collection.queries[place]
        right = set(collection.qrels.passages[collection.qrels.queries == place].tolist())
        assert right == answers[text.language, questions[text.query_id]]


def test_every_setting_equals_loops_over_the_full_ranking(mirror: Path, tmp_path: Path) -> None:
    for name in ("q", "run", "out"):
        (tmp_path / name).mkdir()
    for language in ("de", "th"):
        data = json.loads(gzip.decompress((mirror / "xquad-r" / f"{language}.json.gz").read_bytes()))
        (tmp_path / "q" / f"{language}.json").write_text(json.dumps({"data": data["data"][:4]}))
    collection = find_benchmark("xquad_r:small").read(tmp_path / "q")
    rng = np.random.default_rng(3)
    scores = rng.permutation(len(collection.queries) * len(collection.passages)).astype(np.float32)
    scores = scores.reshape(len(collection.queries), -1)
    places = {passage.passage_id: place for place, passage in enumerate(collection.passages)}
    judged_places = np.array([places[text] for text in collection.qrels.passage_ids.to_pylist()])[
        collection.qrels.passages
    ]
    scores[collection.qrels.queries, judged_places] *= 3
    relevant = np.zeros(scores.shape, bool)
    relevant[collection.qrels.queries, judged_places] = True
    expected: dict[tuple[str, str | None, str], float] = {}
    for pool in collection.pools:
        candidates, queries = np.array(collection.pool_passages(pool)), collection.pool_queries(pool)
        values: dict[tuple[str, str], list[float]] = {}
        rankings = [candidates[np.argsort(-scores[query, candidates])] for query in queries]
        for query, ranking in zip(queries, rankings, strict=True):
            ranks = [rank for rank, place in enumerate(ranking, start=1) if relevant[query, place]]
            language = collection.queries[query].language
            precision = fmean(number / rank for number, rank in enumerate(ranks, start=1))
            values.setdefault((language, "map"), []).append(precision)
            if pool.candidate_language is None:
                values.setdefault((language, "recall@10"), []).append(fmean(rank <= 10 for rank in ranks))
                values.setdefault((language, "rank_distance"), []).append(max(ranks) - min(ranks))
            else:
                values.setdefault((language, "recall@1"), []).append(fmean(rank <= 1 for rank in ranks))
        for (language, measure), slow_values in values.items():
            expected[language, pool.candidate_language, measure] = fmean(slow_values)
        places = np.array(rankings)
        best_scores = scores[np.array(queries)[:, None], places]
        write_pool(tmp_path / "run", collection, pool, places, best_scores, "t")
    settings = Score(
        benchmark="xquad_r:small", questions="q", split="test", setting="zero-shot", model="m", ties="trec", seed=1
    )
    stage.run(settings, sources=tmp_path, run=tmp_path / "run", out=tmp_path / "out")
    cells = {}
    for line in (tmp_path / "out" / "scores.jsonl").read_text().splitlines():
        row = json.loads(line)
        cells[row["query_language"], row["candidate_language"], row["measure"]] = row["value"]
    for cell, value in expected.items():
        assert cells[cell] == pytest.approx(value, abs=1e-9), cell
    assert cells["mean", None, "rank_distance"] == pytest.approx(
        fmean(expected[language, None, "rank_distance"] for language in ("de", "th"))
    )
    assert len(expected) == 2 * 3 + 4 * 2


def test_rank_distance_of_a_perfect_ranking_and_of_what_is_not_found(mirror: Path) -> None:
    collection = find_benchmark("xquad_r").read(mirror / "xquad-r")
    passages = collection.qrels.passages[np.argsort(collection.qrels.queries, kind="stable")].reshape(-1, 11)
    ids = (collection.qrels.query_ids, collection.qrels.passage_ids)
    measure = [parse_measure("rank_distance"), parse_measure("recall@10")]
    scores = np.broadcast_to(np.arange(11, 0, -1.0), passages.shape)
    distance, recall = evaluate(collection.qrels, ranked_run(*ids, passages, scores), measure, ties="trec").measures
    assert set(distance.values.tolist()) == {10.0}
    assert recall.values.mean() == pytest.approx(10 / 11)
    shallow = evaluate(collection.qrels, ranked_run(*ids, passages[:, 3:7], scores[:, 3:7]), measure, ties="trec")
    assert np.isnan(shallow.measures[0].values).all()
    assert shallow.measures[0].blank == f"{len(passages)} questions have relevant passages without a rank in this run"


def test_the_counts_of_mlqa_r_are_checked(mirror: Path, tmp_path: Path) -> None:
    sizes = hybrid.MLQA_COUNTS.values()
    queries, sentences = (sum(size[column] or 0 for size in sizes) for column in (0, 1))
    assert (queries, sentences) == (4199, 20534)
    copy(mirror / "xquad-r" / "ar.json.gz", tmp_path)
    with pytest.raises(BadInput, match=r"not the published MLQA-R: ar has 1190 questions instead of 517"):
        find_benchmark("mlqa_r").read(tmp_path)
    with pytest.raises(BadInput, match="has no cutoff"):
        parse_measure("rank_distance@5")
