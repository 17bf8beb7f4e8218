"""Score folders read without trust: each way of being broken costs that folder only."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from msm.evaluation.per_query import read_per_query
from msm.reporting import models, results
from msm.reporting.models import BenchmarkResults
from tests.reporting import made

COLUMN = ("map@20", "multilingual")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made.write_recipe(tmp_path / "demo")


def only(whole: models.Results) -> BenchmarkResults:
    (benchmark,) = whole.benchmarks
    return benchmark


def load(root: Path) -> BenchmarkResults:
    benchmark, problems = results.load(only(results.read(root / "score")), [COLUMN])
    assert benchmark is not None and not problems
    return benchmark


def newer(path: Path) -> None:
    """Make a manifest one of a later version."""
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))


def rewrite(folder: Path, change: Callable[[dict], dict]) -> None:
    """Change every line of the score file, and nothing else."""
    path = folder / "scores" / "scores.jsonl"
    lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_models_and_their_seeds_are_found(root: Path) -> None:
    benchmark = only(results.read(root / "score"))
    assert (benchmark.name, benchmark.split, benchmark.setting) == ("lareqa", "test", "zero-shot")
    seeds = {model.name: [scores.facts["seed"] for scores in model.seeds] for model in benchmark.models}
    assert seeds == {"bm25-words": [0], "mlm": [1, 2], "msm": [1, 2], "untrained": [1, 2]}
    assert {model.name for model in benchmark.models if not model.is_trained} == {"bm25-words"}
    assert benchmark.columns == [("map@20", "multilingual"), ("map@20", "same"), ("map@20", "other")]


def test_values_are_the_mean_over_seeds(root: Path) -> None:
    model = next(model for model in load(root).models if model.name == "msm")
    by_hand = []
    for seed in (1, 2):
        rows = read_per_query(root / f"score/lareqa-msm-{seed}/scores/per_query.parquet").to_pylist()
        one_pool = [row for row in rows if row["candidate_language"] is None]
        by_hand.append([[r["value"] for r in one_pool if r["query_language"] == name] for name in made.LANGUAGES])
    expected = np.mean(by_hand, axis=0).T
    np.testing.assert_allclose(model.values(COLUMN), expected)
    np.testing.assert_allclose(model.seed_means(COLUMN)[:, -1], [np.mean(values) for values in by_hand])


def test_chance_is_read_by_language(root: Path) -> None:
    chance = only(results.read(root / "score")).first.chance
    assert chance[COLUMN] == pytest.approx({name: made.FLOOR for name in (*made.LANGUAGES, "mean")})
    assert chance.keys() == set(only(results.read(root / "score")).columns)


def test_no_scores_yet_is_no_error(tmp_path: Path) -> None:
    nothing = results.read(tmp_path / "nothing" / "score")
    assert (nothing.benchmarks, nothing.problems) == ([], [])


@pytest.mark.parametrize(
    ("break_folder", "words"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "no manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "not JSON"),
        (
            lambda folder: (folder / "manifest.json").write_text('{"outputs": 1}'),
            "no manifest of a stage: outputs is 1",
        ),
        (lambda folder: newer(folder / "manifest.json"), "format 99"),
        (lambda folder: (folder / "scores/scores.jsonl").unlink(), "no such file"),
        (lambda folder: (folder / "scores/scores.jsonl").write_text("{}\n"), "scores.jsonl:1: benchmark is None"),
        (lambda folder: (folder / "scores/scores.jsonl").write_text(""), "no averages"),
        (lambda folder: (folder / "scores/scores.jsonl").write_bytes(b"\xff\xfe\n"), "scores.jsonl:1"),
        (lambda folder: (folder / "scores/chance.jsonl").write_text("[]\n"), "chance.jsonl:1"),
        (lambda folder: rewrite(folder, lambda line: line | {"value": float("nan")}), "NaN is no number"),
        (lambda folder: rewrite(folder, lambda line: line | {"value": 33.4}), "value is 33.4"),
        (lambda folder: rewrite(folder, lambda line: line | {"seed": 2}), "the same model and seed"),
        (lambda folder: rewrite(folder, lambda line: line | {"measure": "mrr@100"}), "other measures or pools"),
    ],
)
def test_broken_folder_is_named_and_the_rest_kept(
    root: Path, break_folder: Callable[[Path], object], words: str
) -> None:
    broken_folder = root / "score" / "lareqa-untrained-1"
    rows = len(list((root / "score").iterdir()))
    break_folder(broken_folder)
    all_results = results.read(root / "score")
    rest = [scores for benchmark in all_results.benchmarks for model in benchmark.models for scores in model.seeds]
    assert len(rest) == rows - 1
    (problem,) = all_results.problems
    assert words in problem.reason


def test_half_written_folder_is_said_to_be_one(root: Path) -> None:
    (root / "score" / ".lareqa-new-1.partial").mkdir()
    (problem,) = results.read(root / "score").problems
    assert "half-written" in problem.reason


def test_other_split_or_setting_never_shares_a_table(root: Path) -> None:
    rewrite(root / "score" / "lareqa-msm-2", lambda line: line | {"split": "dev"})
    all_results = results.read(root / "score")
    assert [(benchmark.split, len(benchmark.models)) for benchmark in all_results.benchmarks] == [
        ("dev", 1),
        ("test", 4),
    ]


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet"])
def test_broken_values_are_named(root: Path, content: bytes) -> None:
    (root / "score/lareqa-msm-1/scores/per_query.parquet").write_bytes(content)
    benchmark, problems = results.load(only(results.read(root / "score")), [COLUMN])
    assert benchmark is not None
    assert [len(model.seeds) for model in benchmark.models if model.name == "msm"] == [1]
    assert "not a table" in problems[0].reason


@pytest.mark.parametrize("value", [None, np.nan, np.inf])
def test_values_that_are_none_cost_their_folder_only(root: Path, value: float | None) -> None:
    path = root / "score/lareqa-msm-1/scores/per_query.parquet"
    rows = read_per_query(path)
    made.write_per_query(
        path,
        rows.slice(0, 0)
        if value is None
        else rows.set_column(rows.schema.get_field_index("value"), "value", [[value] * len(rows)]),
    )
    benchmark, problems = results.load(only(results.read(root / "score")), [COLUMN])
    assert benchmark is not None
    assert [len(model.seeds) for model in benchmark.models if model.name == "msm"] == [1]
    assert "map@20, multilingual: no values" in problems[0].reason


def test_other_questions_are_not_averaged_in(root: Path) -> None:
    short = made.per_query(1, 0.4, made.LANGUAGES).slice(1)
    made.write_per_query(root / "score/lareqa-msm-2/scores/per_query.parquet", short)
    _, problems = results.load(only(results.read(root / "score")), [COLUMN])
    assert ["other questions" in problem.reason for problem in problems] == [True]
