"""Stage `score`: the runs of a benchmark to `scores.jsonl`, `chance.jsonl` and `per_query.parquet`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from msm.artifacts import sha256_of, write_json_lines
from msm.errors import BadInput
from msm.evaluation.answer_values import AnswerRule, answer_values
from msm.evaluation.benchmarks import find_benchmark, score_name
from msm.evaluation.chance import CHANCE, chance
from msm.evaluation.collection import Collection, Pool
from msm.evaluation.measures import Measure, Values, evaluate
from msm.evaluation.per_query import SCHEMA, write_per_query
from msm.evaluation.ranks import Ties
from msm.evaluation.scores import averages, chance_rows, score_rows
from msm.execution import Execution
from msm.retrieval.run_folder import read_protocol, run_file
from msm.retrieval.runs import Integers, Run, read_run
from msm.settings import Score


def run(settings: Score, *, sources: Path, run: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Score every pool of a benchmark.

    Args:
        settings: of the stage.
        sources: holds the folder of questions.
        run: TREC runs, one a pool.
        out: empty folder to fill.
        execution: not used.

    Returns:
        Counts, and the means over languages, for the manifest.

    Raises:
        BadInput: a run is missing, malformed, or of other questions or candidates.
    """
    benchmark = find_benchmark(settings.benchmark)
    collection = benchmark.read(sources / settings.questions)
    tables = []
    for pool in collection.pools:
        found = _read_pool(collection, pool, run_file(run, pool))
        if benchmark.answers:
            tables += _answer_rows(collection, pool, found, benchmark.answers)
        else:
            tables += _judged_rows(collection, pool, found, benchmark.parsed_measures(pool), settings.ties)
    rows = pa.concat_tables(tables)
    write_per_query(out / "per_query.parquet", rows)
    cells = averages(rows)
    facts = {name: getattr(settings, name) for name in ("split", "setting", "model", "seed")}
    facts["benchmark"] = score_name(settings.benchmark)
    facts["protocol"] = _protocol(
        benchmark.protocol, "list" if benchmark.answers else settings.ties, read_protocol(run)
    )
    runs = {pool.candidate_language: sha256_of(run_file(run, pool)) for pool in collection.pools}
    write_json_lines(out / "scores.jsonl", score_rows(cells, facts, runs))
    write_json_lines(out / "chance.jsonl", chance_rows(cells, facts))
    return {
        "queries": len(collection.queries),
        "passages": len(collection.passages),
        "means": {
            f"{cell.measure} {cell.candidate_language or 'multilingual'}": cell.value
            for cell in cells
            if cell.query_language == "mean"
        },
    }


def _read_pool(collection: Collection, pool: Pool, path: Path) -> Run:
    """The run of one pool.

    Raises:
        BadInput: it has queries or passages that are not of the pool.
    """
    run = read_run(path)
    candidates = collection.pool_passages(pool)
    _check_ids(path, run.query_ids, {collection.queries[place].query_id for place in collection.pool_queries(pool)})
    _check_ids(path, run.passage_ids, {collection.passages[place].passage_id for place in candidates})
    return run


def _judged_rows(
    collection: Collection, pool: Pool, run: Run, measures: list[Measure], ties: Ties
) -> Iterator[pa.Table]:
    """Per-query values of one pool by its judgements, in the form of `SCHEMA`."""
    evaluation = evaluate(collection.pool_qrels(pool), run, measures, ties=ties)
    passages = len(collection.pool_passages(pool))
    for result in evaluation.measures:
        chances = _chance(result, evaluation.relevant, passages)
        values = {"measure": str(result.measure), "value": result.values, "tied": result.tied, "chance": chances}
        yield _table(collection, pool, evaluation.queries, values)


def _answer_rows(collection: Collection, pool: Pool, run: Run, rule: AnswerRule) -> Iterator[pa.Table]:
    """Per-query values of one pool by the answers that its passages hold, in the form of `SCHEMA`."""
    count = len(collection.queries)
    for name, found in answer_values(collection, run, rule).items():
        values = {
            "measure": name,
            "value": found,
            "tied": np.zeros(count, bool),
            "chance": pa.nulls(count, pa.float64()),
        }
        yield _table(collection, pool, np.arange(count), values)


def _table(collection: Collection, pool: Pool, places: Integers, values: dict[str, Any]) -> pa.Table:
    """Rows of the queries at some places; one text stands for all of a column."""
    queries = [collection.queries[place] for place in places]
    columns = {
        "query_id": [query.query_id for query in queries],
        "question_id": [collection.questions[place] for place in places],
        "query_language": [query.language for query in queries],
        "candidate_language": pa.repeat(pa.scalar(pool.candidate_language, pa.string()), len(queries)),
    } | values
    columns["measure"] = pa.repeat(values["measure"], len(queries))
    return pa.table(columns, schema=SCHEMA)


def _check_ids(path: Path, found: pa.Array, known: set[str]) -> None:
    for text in found.to_pylist():
        if text not in known:
            raise BadInput(f"{path}: {text} is no query or passage of this pool; the run was made for another one")


def _chance(result: Values, relevant: Integers, passages: int) -> pa.Array:
    if result.measure.name not in CHANCE:
        return pa.nulls(len(relevant), pa.float64())
    return pa.array(np.asarray(chance(result.measure, relevant, passages)))


def _protocol(rules: str, ties: str, made: dict[str, Any]) -> str:
    """What must be equal for two numbers to be comparable, as one line."""
    return "; ".join([rules, f"ties {ties}", *(f"{name} {value}" for name, value in sorted(made.items()))])
