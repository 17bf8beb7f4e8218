"""Tables and differences: order, intervals, corrections, and verdicts that never overstate."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from msm.evaluation.statistics import Interval
from msm.reporting import results, wording
from msm.reporting.comparisons import differences, training_noise, verdict
from msm.reporting.contents import Difference, notes
from msm.reporting.models import BenchmarkResults, Column, first_pair, ordered
from msm.reporting.sections import sections
from msm.reporting.settings import Report
from msm.reporting.tables import published_rows, table
from tests.reporting import made

COLUMN = ("map@20", "multilingual")
CLEAR = Interval(0.02, 0.06)


def loaded(root: Path) -> BenchmarkResults:
    (benchmark,) = results.read(root / "score").benchmarks
    with_values, _ = results.load(benchmark, benchmark.columns)
    assert with_values is not None
    return with_values


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkResults:
    return loaded(made.write_recipe(tmp_path_factory.mktemp("made") / "demo"))


def difference(differences: list[Difference], model: str, control: str) -> Difference:
    (one,) = (one for one in differences if (one.model, one.control) == (model, control))
    return one


def test_chance_and_controls_come_first(benchmark: BenchmarkResults) -> None:
    rows = table(benchmark, COLUMN, made.SETTINGS).rows
    assert [row.label for row in rows] == ["chance", "untrained", "bm25-words", "mlm", "msm"]
    assert [row.seeds for row in rows] == [0, 2, 0, 2, 2]


def test_mean_is_the_mean_over_languages_inside_its_interval(benchmark: BenchmarkResults) -> None:
    for row in table(benchmark, COLUMN, made.SETTINGS).rows[1:]:
        cells = [row.cells[language].value for language in made.LANGUAGES]
        mean = row.cells["mean"]
        assert mean.value == pytest.approx(np.mean([value for value in cells if value is not None]))
        assert mean.interval is not None and mean.value is not None
        assert mean.interval.low < mean.value < mean.interval.high


def test_seed_deviation_is_that_of_the_seed_means(benchmark: BenchmarkResults) -> None:
    row = table(benchmark, COLUMN, made.SETTINGS).rows[-1]
    model = next(model for model in benchmark.models if model.name == "msm")
    first, second = (np.nanmean(scores.values[COLUMN].values, axis=0).mean() for scores in model.seeds)
    assert row.seed_deviation == pytest.approx(abs(first - second) / math.sqrt(2))


def test_published_rows_are_of_the_same_measure_split_and_pool(benchmark: BenchmarkResults) -> None:
    rows = {row.label: row for row in published_rows(benchmark, COLUMN)}
    assert rows["MSM"].cells["ar"].value == 0.28
    assert rows["MSM"].cells["mean"].value == 0.334
    assert "SQuAD" in rows["MSM"].about
    assert published_rows(benchmark, ("map@20", "same")) == []
    assert published_rows(benchmark._replace(split="dev"), COLUMN) == []
    assert published_rows(benchmark._replace(setting="multilingual"), COLUMN) == []


XOR = ("recall@2kt", "other")


@pytest.mark.parametrize(
    ("name", "split", "setting", "column", "label", "cells"),
    [
        ("mr_tydi", "test", "zero-shot", ("mrr@100", "same"), "MSM", {"sw": 0.434, "mean": 0.447}),
        ("mr_tydi-sw-te", "test", "zero-shot", ("mrr@100", "same"), "MSM", {"sw": 0.434, "mean": None, "ar": None}),
        ("xquad_r_dedup", "test", "multilingual", ("recall@1", "same"), "XLM-R + Hybrid", {"zh": 0.7282}),
        ("xor_retrieve", "dev", "multilingual, selected on these questions", XOR, "MSM", {"mean": 0.486}),
        ("mewsli_x", "dev", "zero-shot", ("map@20", "multilingual"), "MSM", {"mean": 0.415}),
        ("xsimpp", "devtest", "zero-shot", ("xsim++", "other"), "MEXMA (559M)", {"mean": 0.096}),
    ],
)
def test_published_rows_by_name(
    benchmark: BenchmarkResults,
    name: str,
    split: str,
    setting: str,
    column: Column,
    label: str,
    cells: dict[str, float | None],
) -> None:
    rows = published_rows(benchmark._replace(name=name, split=split, setting=setting), column)
    [row] = [row for row in rows if row.label == label]
    assert {language: row.cells[language].value if language in row.cells else None for language in cells} == cells


def test_blank_cells_say_why(benchmark: BenchmarkResults) -> None:
    reasons = {label: (cells, note) for label, cells, note in notes(published_rows(benchmark, COLUMN))}
    cells, note = reasons["XLM-R"]
    assert cells == "ar, de, el, en, es, hi, ru, th, tr, vi, zh"
    assert "lost" in note


def test_every_pair_is_made_once_in_every_column(benchmark: BenchmarkResults) -> None:
    assert [(one.model, one.control) for one in differences(benchmark, COLUMN, made.SETTINGS)] == [
        ("bm25-words", "untrained"),
        ("mlm", "untrained"),
        ("msm", "untrained"),
        ("bm25-words", "mlm"),
        ("msm", "mlm"),
    ]


def test_difference_is_that_of_the_means(benchmark: BenchmarkResults) -> None:
    means = {row.label: row.cells["mean"].value for row in table(benchmark, COLUMN, made.SETTINGS).rows}
    one = difference(differences(benchmark, COLUMN, made.SETTINGS), "msm", "mlm")
    assert one.value == pytest.approx((means["msm"] or 0) - (means["mlm"] or 0))
    assert one.verdict == "better"
    assert one.better == list(made.LANGUAGES)


def test_equal_models_are_inside_the_noise(tmp_path: Path) -> None:
    made.write_recipe(tmp_path / "demo", models={"mlm": [1], "msm": [2]}, skill={"mlm": 0.3, "msm": 0.3})
    settings = Report(recipe="demo", controls="mlm", bootstrap=200, seed=1)
    one = difference(differences(loaded(tmp_path / "demo"), COLUMN, settings), "msm", "mlm")
    assert one.verdict == "inside the noise"
    assert (one.better, one.worse) == ([], [])
    assert one.interval.low < 0 < one.interval.high


def test_smallest_p_stays_usable_with_many_pairs(tmp_path: Path) -> None:
    skill = {"untrained": 0.1, **{f"m{number}": 0.3 + number / 100 for number in range(9)}}
    made.write_recipe(tmp_path / "demo", models={key: [1] for key in skill}, skill=skill)
    settings = Report(recipe="demo", controls="untrained", bootstrap=100, seed=1)
    assert max(one.p for one in differences(loaded(tmp_path / "demo"), COLUMN, settings)) < 0.05


@pytest.mark.parametrize(
    ("value", "interval", "p", "noise", "words"),
    [
        (0.04, CLEAR, 0.01, None, "better"),
        (-0.04, Interval(-0.06, -0.02), 0.01, None, "worse"),
        (0.04, CLEAR, 0.05, None, "inside the noise"),
        (0.01, Interval(-0.01, 0.03), 0.01, None, "inside the noise"),
        (0.04, CLEAR, 0.01, math.nan, "better (one training)"),
        (0.04, CLEAR, 0.01, 0.05, "inside the noise of training"),
        (0.04, CLEAR, 0.01, 0.03, "better"),
    ],
)
def test_verdict(value: float, interval: Interval, p: float, noise: float | None, words: str) -> None:
    assert verdict(value, interval, p, noise) == words


def test_training_noise_is_known_from_two_seeds_on(benchmark: BenchmarkResults) -> None:
    models = {model.name: model for model in benchmark.models}
    single = models["msm"]._replace(seeds=models["msm"].seeds[:1])
    assert training_noise(models["bm25-words"], models["bm25-words"], COLUMN) is None
    assert math.isnan(training_noise(single, models["mlm"], COLUMN) or 0)
    ranges = [np.ptp(models[name].seed_means(COLUMN)[:, -1]) for name in ("msm", "mlm")]
    expected = 12.7062 * math.sqrt(sum((one / math.sqrt(2)) ** 2 / 2 for one in ranges))
    assert training_noise(models["msm"], models["mlm"], COLUMN) == pytest.approx(expected)


def test_missing_control_is_said(tmp_path: Path) -> None:
    root = made.write_recipe(tmp_path / "demo", models={"untrained": [1], "msm": [1]})
    all_sections, problems = sections(results.read(root / "score"), made.SETTINGS)
    assert len(all_sections) == 1
    assert ["control mlm" in problem.reason for problem in problems] == [True]


def test_ranks_are_left_open_where_models_are_not_told_apart(tmp_path: Path) -> None:
    skill = {"untrained": 0.1, "mlm": 0.3, "msm": 0.3, "best": 0.5}
    seeds = {"untrained": [1], "mlm": [1], "msm": [2], "best": [1]}
    made.write_recipe(tmp_path / "demo", models=seeds, skill=skill)
    ranks = {row.label: row.ranks for row in table(loaded(tmp_path / "demo"), COLUMN, made.SETTINGS).rows}
    assert ranks == {"chance": None, "untrained": (4, 4), "mlm": (2, 3), "msm": (2, 3), "best": (1, 1)}


def test_only_what_was_trained_has_a_training(benchmark: BenchmarkResults, tmp_path: Path) -> None:
    assert {model.name: model.is_trained for model in benchmark.models} == {
        **dict.fromkeys(("untrained", "mlm", "msm"), True),
        "bm25-words": False,
    }
    root = made.write_recipe(tmp_path / "demo", models={"msm": [1]})
    encoder = made.write_step(root, "encoder/public", {}, {"model.safetensors": "x"})
    run = made.write_step(root, "retrieve/lareqa-public", {"model": encoder}, {"run.gz": "x"})
    made.write_scores(root, "lareqa-public", {"run": run}, "lareqa", "public", 0, 0.4, made.LANGUAGES)
    finetuning = made.write_step(root, "finetune/lareqa-as-it-is-1", {"weights": encoder}, {"model.safetensors": "x"})
    manifest = json.loads((finetuning / "manifest.json").read_text())
    (finetuning / "manifest.json").write_text(json.dumps(manifest | {"settings": {"steps": 0, "epochs": 0}}))
    run = made.write_step(root, "retrieve/lareqa-as-it-is-1", {"model": finetuning}, {"run.gz": "x"})
    made.write_scores(root, "lareqa-as-it-is-1", {"run": run}, "lareqa", "as-it-is", 1, 0.4, made.LANGUAGES)
    dense = root / "retrieve/lareqa-msm-1"
    run = made.write_step(root, "fuse/lareqa-both-1", {"dense": dense, "sparse": run}, {"run.gz": "x"})
    made.write_scores(root, "lareqa-both-1", {"run": run}, "lareqa", "both", 1, 0.4, made.LANGUAGES)
    has_training = {"msm": True, "both": True, "public": False, "as-it-is": False}
    assert {model.name: model.is_trained for model in loaded(root).models} == has_training


def test_a_control_and_a_candidate_are_looked_at_first(benchmark: BenchmarkResults) -> None:
    def names(controls: str) -> list[str]:
        settings = replace(made.SETTINGS, controls=controls)
        return [model.name for model in first_pair(ordered(benchmark, settings), settings)]

    assert names("untrained, mlm") == ["mlm", "msm"]
    assert names("untrained, msm") == ["msm", "mlm"]
    assert names("") == ["msm", "untrained"]


def test_rounding_never_contradicts_a_verdict() -> None:
    assert wording.difference(0.0123, Interval(0.0004, 0.02)) == ("+1.23", "[+0.04, +2.00]")
    assert wording.difference(0.0123, Interval(-0.0004, 0.02)) == ("+1.2", "[0.0, +2.0]")
    assert wording.difference(-0.0123, Interval(-0.02, -0.0100)) == (
        "\N{MINUS SIGN}1.2",
        "[\N{MINUS SIGN}2.0, \N{MINUS SIGN}1.0]",
    )
    assert wording.decimals([(0.2492, 0.2488)]) == 2
    assert wording.decimals([]) == wording.decimals([(0.2, 0.3)]) == 1
    assert [wording.p_value(p) for p in (0.0496, 0.0494, 0.05, 0.0001)] == [".0496", ".049", ".050", "< .001"]
