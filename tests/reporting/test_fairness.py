"""Models by measures of fairness: means over languages, and only what was measured."""

from pathlib import Path

import pyarrow as pa
import pytest

from msm import files
from msm.evaluation.per_query import SCHEMA, read_per_query, write_per_query
from msm.evaluation.scores import averages, score_rows
from msm.reporting import results
from msm.reporting.fairness import fairness_rows
from tests.reporting import made


def with_own_first(folder: Path) -> None:
    """Let a score folder say for every second question that its own language stands first."""
    payload = folder / "scores"
    rows = read_per_query(payload / "per_query.parquet").to_pylist()
    whole = [row for row in rows if row["candidate_language"] is None]
    new_rows = [row | {"measure": "own_first@100", "value": float(place % 2)} for place, row in enumerate(whole)]
    table = pa.Table.from_pylist(rows + new_rows, schema=SCHEMA)
    write_per_query(payload / "per_query.parquet", table)
    (_, first), *_ = files.read_json_lines(payload / "scores.jsonl")
    facts = {name: first[name] for name in ("benchmark", "split", "setting", "model", "seed", "protocol")}
    runs = dict.fromkeys((None, *made.LANGUAGES), "0" * 64)
    files.write_json_lines(payload / "scores.jsonl", score_rows(averages(table), facts, runs))


def test_models_are_shown_with_what_was_measured_of_them(tmp_path: Path) -> None:
    root = made.write_recipe(tmp_path / "demo", models={"mlm": [1], "msm": [1, 2]})
    for seed in (1, 2):
        with_own_first(root / "score" / f"lareqa-msm-{seed}")
    (benchmark,) = results.read(root / "score").benchmarks
    (row,) = fairness_rows(benchmark, made.SETTINGS)
    assert (row.model, list(row.cells)) == ("msm", ["own_first@100"])
    value, interval, _ = row.cells["own_first@100"]
    assert value == pytest.approx(0.5) and interval is not None
    assert interval.low < 0.5 < interval.high
    assert ("own_first@100", "multilingual") not in benchmark.columns
