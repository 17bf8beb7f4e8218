"""Models head to head, beside the same numbers computed by hand."""

from pathlib import Path

import numpy as np
import pytest

from msm.evaluation.per_query import read_per_query
from msm.reporting import results
from msm.reporting.contrasts import STEP, PairedValues, best, contrasts, grid, pairs
from msm.reporting.models import BenchmarkResults
from tests.reporting import made

COLUMN = ("map@20", "multilingual")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write_recipe(tmp_path_factory.mktemp("made") / "demo")


@pytest.fixture(scope="module")
def benchmark(root: Path) -> BenchmarkResults:
    (benchmark,) = results.read(root / "score").benchmarks
    with_values, _ = results.load(benchmark, [COLUMN])
    assert with_values is not None
    return with_values


def by_hand(root: Path, model: str) -> dict[tuple[str, str], float]:
    """Values of the pool of all languages, mean over two seeds."""
    means: dict[tuple[str, str], list[float]] = {}
    for seed in (1, 2):
        rows = read_per_query(root / f"score/lareqa-{model}-{seed}/scores/per_query.parquet").to_pylist()
        for row in rows:
            if row["candidate_language"] is None:
                means.setdefault((row["question_id"], row["query_language"]), []).append(row["value"])
    return {key: sum(values) / 2 for key, values in means.items()}


def test_contrasts_are_paired_by_question(root: Path, benchmark: BenchmarkResults) -> None:
    rows = contrasts(benchmark, COLUMN, ["mlm", "msm", "untrained"], made.SETTINGS)
    assert [(one.model, one.baseline) for one in rows] == [("msm", "mlm")] * 5 + [("untrained", "mlm")] * 5
    assert [one.language for one in rows[:5]] == [*made.LANGUAGES, "mean"]
    ours, theirs = by_hand(root, "msm"), by_hand(root, "mlm")
    gaps = {language: [ours[key] - theirs[key] for key in ours if key[1] == language] for language in made.LANGUAGES}
    for one in rows[:4]:
        gap = gaps[one.language]
        assert one.difference == pytest.approx(np.mean(gap))
        assert one.means[0] - one.means[1] == pytest.approx(one.difference)
        assert one.interval.low < one.difference < one.interval.high
        assert (one.wins, one.losses) == (sum(x > 1e-12 for x in gap), sum(x < -1e-12 for x in gap))
        assert one.wins + one.ties + one.losses == made.QUESTIONS
    assert rows[4].difference == pytest.approx(np.mean([np.mean(gap) for gap in gaps.values()]))
    assert rows[4].wins == sum(one.wins for one in rows[:4])


def test_clear_differences_stay_clear_when_corrected(benchmark: BenchmarkResults) -> None:
    rows = contrasts(benchmark, COLUMN, ["untrained", "bm25-words", "mlm", "msm"], made.SETTINGS)
    assert all(one.p < 0.05 for one in rows if one.model == "msm")
    assert contrasts(benchmark, COLUMN, ["msm"], made.SETTINGS) == []


def test_pairs_come_with_the_greatest_change_first(root: Path, benchmark: BenchmarkResults) -> None:
    all_pairs = pairs(benchmark, COLUMN, "msm", "mlm")
    ours, theirs = by_hand(root, "msm"), by_hand(root, "mlm")
    assert {(one.question, one.language): one.model for one in all_pairs} == pytest.approx(ours)
    assert [abs(one.change) for one in all_pairs] == pytest.approx(
        sorted((abs(ours[key] - theirs[key]) for key in ours), reverse=True)
    )


def test_grid_counts_every_pair_once(benchmark: BenchmarkResults) -> None:
    near = [
        PairedValues("a", "de", 0.501, 0.099),
        PairedValues("b", "de", 0.499, 0.101),
        PairedValues("c", "de", 1.0, 0.0),
    ]
    assert grid(near) == [(0.0, 1.0, 1), (pytest.approx(0.1), pytest.approx(0.5), 2)]
    all_pairs = pairs(benchmark, COLUMN, "msm", "mlm")
    assert sum(count for _, _, count in grid(all_pairs)) == len(all_pairs)
    assert all(round(x / STEP) * STEP == pytest.approx(x) for x, _, _ in grid(all_pairs))


def test_the_best_model_is_that_of_the_language_and_its_rivals_are_those_inside_the_noise(
    benchmark: BenchmarkResults,
) -> None:
    for language in (*made.LANGUAGES, "mean"):
        winner = best(benchmark, COLUMN, language, made.SETTINGS)
        names = [model.name for model in benchmark.models]
        against = [
            one for one in contrasts(benchmark, COLUMN, [winner.model, *set(names) - {winner.model}], made.SETTINGS)
        ]
        there = [one for one in against if one.language == language]
        assert all(one.means[0] <= winner.value == pytest.approx(one.means[1]) for one in there)
        assert set(winner.rivals) == {one.model for one in there if one.interval.low <= 0 <= one.interval.high}
        assert winner.others == len(names) - 1
