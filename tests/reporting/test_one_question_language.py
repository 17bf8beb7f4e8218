"""Tatoeba: every question is English, so the languages of the candidates stand side by side, as XTREME prints them."""

from pathlib import Path
from statistics import fmean

import numpy as np
import pyarrow as pa
import pytest

from msm import files
from msm.evaluation.choice import choice
from msm.evaluation.per_query import SCHEMA, write_per_query
from msm.evaluation.scores import averages, chance_rows, score_rows
from msm.reporting import results
from msm.reporting.markdown import table_text
from msm.reporting.tables import table
from tests.reporting import made

SENTENCES = {"ara": 40, "deu": 25, "swh": 10}
COLUMN = ("accuracy", "other")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    rows = [
        {
            "query_id": f"eng-{number}",
            "question_id": f"eng-{language}-{number}",
            "cluster_id": f"eng-{language}-{number}",
            "query_language": "eng",
            "candidate_language": language,
            "measure": "accuracy",
            "value": float(rng.random() < 0.6),
            "tied": False,
            "chance": 1 / count,
        }
        for language, count in SENTENCES.items()
        for number in range(1, count + 1)
    ]
    payload = tmp_path / "score" / "tatoeba-msm-1" / "scores"
    payload.mkdir(parents=True)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    write_per_query(payload / "per_query.parquet", table)
    facts = {
        "benchmark": "news",  # bitext of one's own
        "split": "test",
        "setting": "zero-shot",
        "model": "msm",
        "seed": 1,
        "protocol": "p",
    }
    lines = list(score_rows(averages(table), facts, dict.fromkeys(SENTENCES, "0" * 64)))
    files.write_json_lines(payload / "scores.jsonl", lines)
    files.write_json_lines(payload / "chance.jsonl", chance_rows(averages(table), facts))
    made.write_manifest(payload.parent, "score", "scores", {})
    return payload.parent


@pytest.mark.parametrize("pairs", ["", "deu-eng,eng-swh"])
def test_a_column_a_language_and_the_mean_over_them(folder: Path, pairs: str) -> None:
    (whole,) = results.read_folders([folder], choice("", pairs))
    (benchmark, _) = results.load(whole, [COLUMN])
    assert benchmark
    chance, model = table(benchmark, COLUMN, made.SETTINGS).rows
    lines = [line for _, line in files.read_json_lines(folder / "scores" / "scores.jsonl")]
    single = {line["candidate_language"]: line["value"] for line in lines}
    languages = ["deu", "swh"] if pairs else [*SENTENCES]
    assert {name: cell.value for name, cell in model.cells.items()} == pytest.approx(
        {name: single[name] for name in languages} | {"mean": fmean(single[name] for name in languages)}
    )
    assert {name: cell.value for name, cell in chance.cells.items()} == pytest.approx(
        {name: 1 / SENTENCES[name] for name in languages} | {"mean": fmean(1 / SENTENCES[name] for name in languages)}
    )
    if not pairs:
        # The mean that stands in the scores is the one that is printed.
        assert benchmark.first.means[COLUMN] == pytest.approx(single["other"])
    assert "columns are the languages of the candidates" in table(benchmark, COLUMN, made.SETTINGS).subtitle
    assert "| model | ara | deu | swh | mean |" in table_text(table(benchmark, COLUMN, made.SETTINGS)) or pairs
