import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from msm.cli.main import main
from msm.evaluation.per_query import SCHEMA, read_per_query, write_per_query
from msm.evaluation.scores import averages, score_rows

LANGUAGES = ("de", "en")
QUESTIONS = 40


def write_scores(folder: Path, model: str, seed: int, values: np.ndarray, **facts: str) -> str:
    """A score folder in which values [C, L] are those of every pool."""
    folder.mkdir()
    rows = [
        {
            "query_id": f"{language}-{question}",
            "question_id": f"{question:02}",
            "cluster_id": f"{question:02}",
            "query_language": language,
            "candidate_language": candidates,
            "measure": "map@20",
            "value": float(values[question, place]),
            "tied": False,
            "chance": None,
        }
        for place, language in enumerate(LANGUAGES)
        for candidates in (None, *LANGUAGES)
        for question in range(len(values))
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    write_per_query(folder / "per_query.parquet", table)
    row_facts = {
        "benchmark": "own",
        "split": "test",
        "setting": "zero-shot",
        "model": model,
        "seed": seed,
        "protocol": "p",
    }
    lines = score_rows(averages(table), row_facts | facts, dict.fromkeys((None, *LANGUAGES), "0" * 64))
    (folder / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(folder)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(1).random((QUESTIONS, 2)) / 2


def table(text: str, title: str) -> dict[str, list[str]]:
    """Cells of one table by language."""
    part = text[text.index(title) :].split("\n\n")[0].splitlines()
    return {line.split()[0]: line.split() for line in part if line.startswith((*LANGUAGES, "mean"))}


def test_seeds_are_averaged_before_models_are_compared(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    gain = np.zeros_like(values)
    gain[:30, 0] = 0.2
    one = write_scores(tmp_path / "a", "base", 1, values + 0.01)
    two = write_scores(tmp_path / "b", "base", 2, values - 0.01)
    model = write_scores(tmp_path / "c", "new", 1, values + gain)
    main(["compare", "--baseline", one, "--baseline", two, model, "--resamples", "500"])
    text = capsys.readouterr().out
    assert text.count("new (own test, 1 seed) against base (own test, 2 seeds)") == 3
    assert "standard deviation of the mean over seeds: base 0.0141, new unknown (1 seed)" in text
    for title in ("candidates of all languages", "candidates in the question's", "candidates in each other"):
        rows = table(text, f"map@20, {title}")
        assert list(rows) == ["de", "en", "mean"]
        assert rows["de"][3] == "+0.1500" and rows["de"][-3:] == ["30", "10", "0"]
        assert rows["en"][3:] == ["+0.0000", "[+0.0000,", "+0.0000]", "1.0000", "0", "40", "0"]
        assert rows["mean"][3] == "+0.0750" and float(rows["mean"][6]) < 0.05
        assert float(rows["de"][1]) == pytest.approx(values[:, 0].mean(), abs=1e-4)


def test_other_precision_and_processor_are_said(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    protocols = ["p; ties trec; precision fp32; processor cpu", "p; ties trec; precision bf16; processor cuda"]
    folders = [write_scores(tmp_path / text[-3:], text[-3:], 1, values, protocol=text) for text in protocols]
    main(["compare", "--baseline", *folders, "--resamples", "20"])
    text = capsys.readouterr().out
    for name, here, there in (("precision", "bf16", "fp32"), ("processor", "cuda", "cpu")):
        assert f"note: {folders[1]}: {name} {here}, that of {folders[0]} is {there}; the same model" in text
    main(["compare", "--baseline", folders[0], folders[0], "--resamples", "20"])
    assert "rounding" not in capsys.readouterr().out


def test_fairness_is_short_unless_all_of_it_is_wanted(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for number, model in enumerate(("base", "other")):
        folders.append(write_scores(tmp_path / model, model, 1, values + number / 10))
        path = tmp_path / model / "per_query.parquet"
        rows = read_per_query(path).filter(pc.field("candidate_language").is_null())
        tables = [rows.set_column(5, "measure", pa.repeat(name, len(rows))) for name in ("peer@20", "mrc@20")]
        write_per_query(path, pa.concat_tables(table.cast(SCHEMA) for table in (rows, *tables)))
    words = ["compare", "--baseline", *folders, "--resamples", "50"]
    main(words)
    short = capsys.readouterr().out
    main([*words, "--fairness"])
    long = capsys.readouterr().out
    assert "peer@20, candidates" in short and "mrc@20, candidates" not in short
    assert "mrc@20, candidates" in long


def test_p_values_are_corrected_over_all_models(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_scores(tmp_path / "a", "base", 1, values)
    models = [write_scores(tmp_path / f"m{n}", f"m{n}", 1, values + 0.1) for n in range(2)]
    main(["compare", "--baseline", base, models[0], "--resamples", "999"])
    assert table(capsys.readouterr().out, "map@20")["mean"][6] == f"{3 / 1000:.4f}"
    main(["compare", "--baseline", base, *models, "--resamples", "999"])
    assert table(capsys.readouterr().out, "map@20")["mean"][6] == f"{6 / 1000:.4f}"


def test_other_rules_are_refused_unless_told(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_scores(tmp_path / "a", "base", 1, values, protocol="own; ties trec; pooling mean")
    other = write_scores(tmp_path / "b", "used", 1, values, protocol="own; ties trec; pooling cls")
    main(["compare", "--baseline", base, other, "--resamples", "9"])
    assert 'protocols differ: "own; ties trec; pooling cls" against' in capsys.readouterr().out
    other_rules = write_scores(tmp_path / "c", "ruled", 1, values, protocol="own; ties list; pooling mean")
    with pytest.raises(SystemExit) as end:
        main(["compare", "--baseline", base, other_rules, "--resamples", "9"])
    assert end.value.code == 2
    assert "scored by the rules 'own; ties list'" in capsys.readouterr().err
    main(["compare", "--baseline", base, other_rules, "--resamples", "9", "--any_protocol"])
    assert "note: the rules of scoring differ" in capsys.readouterr().out


def test_other_judgements_or_candidates_are_refused_and_old_folders_are_named(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = {}
    for name, change in {
        "base": {},
        "same": {},
        "old": None,
        "qrels": {"qrels": "9"},
        "pool": {"candidates": "9"},
    }.items():
        folders[name] = write_scores(tmp_path / name, name, 1, values)
        checksums = {"questions": "1", "candidates": "2", "qrels": "3", "rules": "p"}
        if change is not None:
            (tmp_path / name / "collection.json").write_text(json.dumps(checksums | change))
    main(["compare", "--baseline", folders["base"], folders["same"], "--resamples", "9"])
    assert "earlier version" not in capsys.readouterr().out
    main(["compare", "--baseline", folders["base"], folders["old"], "--resamples", "9"])
    assert "note: 1 of 2 folders, such as" in capsys.readouterr().out
    for name, part in (("qrels", "qrels are 9"), ("pool", "candidates are 9")):
        with pytest.raises(SystemExit) as end:
            main(["compare", "--baseline", folders["base"], folders[name]])
        assert end.value.code == 2
        error = capsys.readouterr().err
        assert part in error and error.count("\n") == 1


def test_measures_on_one_kind_of_pool_only_are_compared_there(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in the protocol of hybrid batches: recall@10 on all candidates, recall@1 on those of a language."""
    folders = [write_scores(tmp_path / name, name, 1, values + gain) for name, gain in (("a", 0), ("b", 0.1))]
    for folder in folders:
        path = Path(folder) / "per_query.parquet"
        rows = read_per_query(path).to_pylist()
        for row in rows:
            row["measure"] = "recall@10" if row["candidate_language"] is None else "recall@1"
        write_per_query(path, pa.Table.from_pylist(rows, schema=SCHEMA))
    main(["compare", "--baseline", *folders, "--resamples", "99"])
    text = capsys.readouterr().out
    titles = [
        "recall@10, candidates of all languages",
        "recall@1, candidates in the question's",
        "recall@1, candidates in each",
    ]
    assert [text.count(f"{title}") for title in titles] == [2, 2, 2]
    assert "recall@1, candidates of all" not in text


def test_few_texts_and_ranks_are_said(tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    gains = {"base": 0, "like": 0, "ahead": 0.2}
    folders = [write_scores(tmp_path / name, name, 1, values + gain) for name, gain in gains.items()]
    main(["compare", "--baseline", *folders, "--resamples", "99"])
    text = capsys.readouterr().out
    assert "  1: ahead\n  2 to 3: base, like: not separable\n" in text
    assert "about 40 texts, fewer than 50" in text


def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_scores(tmp_path / "base", "base", 1, values)
    cases = {
        "dev: split is dev, that of": write_scores(tmp_path / "dev", "new", 1, values, split="dev"),
        "few: not scored on the questions of": write_scores(tmp_path / "few", "new", 1, values[1:]),
        "none: no such folder": str(tmp_path / "none"),
        "NaN: no such folder": "NaN",
        "collection.json: expected a JSON object": write_scores(tmp_path / "list", "new", 1, values),
        "scores.jsonl:1: seed is None": write_scores(tmp_path / "seed", "new", None, values),  # type: ignore[arg-type]
        "scores.jsonl: no such file": str(tmp_path),
    }
    (tmp_path / "list" / "collection.json").write_text("[]")
    for problem, folder in cases.items():
        with pytest.raises(SystemExit) as end:
            main(["compare", "--baseline", base, folder])
        error = capsys.readouterr().err
        assert end.value.code == 2
        assert problem in error and error.count("\n") == 1


def test_baselines_that_are_not_seeds_of_one_model_are_refused(
    tmp_path: Path, values: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_scores(tmp_path / "base", "base", 1, values)
    new = write_scores(tmp_path / "new", "new", 1, values)
    for second, problem in ((base, "base: model base with seed 1, as"), (new, "new: model new, but the first")):
        with pytest.raises(SystemExit) as end:
            main(["compare", "--baseline", base, "--baseline", second, new])
        assert end.value.code == 2
        assert problem in capsys.readouterr().err
