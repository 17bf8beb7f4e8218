"""Stage `score`: turns the runs of a benchmark into scores, chance levels and values of every question."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from msm.collections.benchmark import BitextBenchmark
from msm.collections.collection import Collection, Pool
from msm.collections.exact_ranks import ExactRanks, read_exact_ranks
from msm.collections.measure_names import AnswerRule, Measure
from msm.collections.registry import check_split, find_benchmark, find_bitext
from msm.collections.run_folder import FUSION, POOLS, pair_file, ranks_file, read_protocol, run_file
from msm.collections.runs import Floats, Integers, Run, without_own_ids
from msm.collections.trec_files import read_run
from msm.errors import BadInput
from msm.evaluation.answer_values import answer_values
from msm.evaluation.bitext_values import pair_rows
from msm.evaluation.chance import CHANCE, chance
from msm.evaluation.fairness import fairness
from msm.evaluation.identity import FILE as COLLECTION
from msm.evaluation.identity import bitext_checksums, checksums
from msm.evaluation.language_bias import DEPTHS, FILE, Bias, bias, bias_rows, retrieved_languages
from msm.evaluation.measures import Values, evaluate
from msm.evaluation.per_query import SCHEMA, write_per_query
from msm.evaluation.ranks import Ties
from msm.evaluation.scores import averages, chance_rows, score_rows
from msm.evaluation.settings import Score
from msm.files import sha256_of, within, write_json, write_json_lines
from msm.settings import listed


class BenchmarkScores(NamedTuple):
    """Results of all runs of a benchmark."""

    rows: pa.Table
    """Per-query values, in the form of `SCHEMA`; null where they cannot be known."""
    runs: dict[str | None, str]
    """Checksum of each run, by the language of its candidates; of a run of bitext, by its name."""
    rules: str
    """Rules of the benchmark, and the rule for equal scores."""
    facts: dict[str, int]
    """Counts for the manifest."""
    checksums: dict[str, str]
    """Checksums of questions, candidates and judgements; see `msm.evaluation.identity`."""
    bias: dict[int, Bias]
    """Languages of the best answers, by depth, where several languages are ranked together."""


def run(settings: Score, *, sources: Path, run: Path, out: Path) -> dict[str, Any]:
    """Score every pool of a benchmark, or every pair of bitext.

    Args:
        settings: settings of the stage.
        sources: folder that holds the folder of questions.
        run: folder of TREC runs, one for each pool.
        out: empty folder to fill.

    Returns:
        Counts, and the means over languages, for the manifest.

    Raises:
        BadInput: another split than the published one, or a run that is missing, malformed, or of other questions or
            candidates.
    """
    check_split(settings.benchmark, settings.split)
    bitext = find_bitext(settings.benchmark)
    folder = within(sources, settings.questions)
    results = _score_pairs(*bitext, folder, run) if bitext else _score_pools(settings, folder, run)
    write_per_query(out / "per_query.parquet", results.rows.filter(pc.field("value").is_valid()))
    cells = averages(results.rows)
    facts = {name: getattr(settings, name) for name in ("split", "setting", "model", "seed")}
    facts["benchmark"] = settings.name
    facts["protocol"] = "; ".join(
        [results.rules, *(f"{name} {value}" for name, value in sorted(read_protocol(run).items()))]
    )
    write_json_lines(out / "scores.jsonl", score_rows(cells, facts, results.runs))
    write_json_lines(out / "chance.jsonl", chance_rows(cells, facts))
    write_json(out / COLLECTION, results.checksums | {"rules": results.rules})
    if results.bias:
        write_json_lines(out / FILE, bias_rows(results.bias))
    return results.facts | {
        "means": {
            f"{cell.measure} {cell.candidate_language or 'multilingual'}": cell.value
            for cell in cells
            if cell.query_language == "mean" and cell.value is not None
        },
    }


def _score_pools(settings: Score, folder: Path, run: Path) -> BenchmarkScores:
    benchmark = find_benchmark(settings.benchmark).measured_by(listed(settings.measures))
    ties = benchmark.ties if settings.ties == "benchmark" else settings.ties
    collection = benchmark.read(folder)
    tables, fair, languages = [], [], {}
    pools, is_fused = _scored_pools(collection, run), FUSION in read_protocol(run)
    for pool in pools:
        pool_run = _read_pool(collection, pool, run_file(run, pool))
        if collection.spare:
            pool_run = without_own_ids(pool_run)
        exact = read_exact_ranks(ranks_file(run, pool)) if ranks_file(run, pool).is_file() else None
        if pool.candidate_language is None and len(collection.passages.counts) > 1:
            language_of = retrieved_languages(collection, pool_run)
            languages = bias(collection, pool_run, DEPTHS, language_of)
            if not benchmark.answers:
                fair += _fairness_rows(collection, pool, fairness(collection, pool_run, language_of))
        if benchmark.answers:
            tables += _answer_rows(collection, pool, pool_run, benchmark.answers)
        else:
            tables += _judged_rows(collection, pool, exact or pool_run, benchmark.parsed_measures(pool), ties, is_fused)
    return BenchmarkScores(
        pa.concat_tables([*tables, *fair]),
        {pool.candidate_language: sha256_of(run_file(run, pool)) for pool in pools},
        f"{benchmark.protocol_of(collection)}; ties {'list' if benchmark.answers else ties}",
        {
            "queries": len(collection.queries),
            "passages": len(collection.passages),
            "missing_passages": len(_said_missing(collection)),
        },
        checksums(collection),
        languages,
    )


def _scored_pools(collection: Collection, run: Path) -> list[Pool]:
    """Return the pools that a folder of runs is of: all, unless it names some."""
    names = listed(read_protocol(run).get(POOLS, "")) or [pool.name for pool in collection.pools]
    return [pool for pool in collection.pools if pool.name in names]


def _said_missing(collection: Collection) -> list[str]:
    """Return the ids of relevant passages that the corpus lacks, after a message about their number."""
    ids = collection.missing()
    if ids:
        logging.getLogger(__name__).warning(
            "%d relevant passages are not in the corpus, such as %s; they count as not found", len(ids), ids[0]
        )
    return ids


def _score_pairs(benchmark: BitextBenchmark, pairs: str, folder: Path, run: Path) -> BenchmarkScores:
    tables, runs, queries = [], {}, 0
    bitexts = list(benchmark.read(folder, pairs))
    for bitext in bitexts:
        queries += len(bitext.sources)
        for measure in benchmark.measures:
            path = pair_file(run, bitext, measure)
            tables.append(pair_rows(bitext, read_run(path), measure, benchmark.equal_texts_are_right, path))
            runs[path.name] = sha256_of(path)
    rules, facts = f"{benchmark.protocol}; ties list", {"queries": queries}
    return BenchmarkScores(pa.concat_tables(tables), runs, rules, facts, bitext_checksums(bitexts), {})


def _read_pool(collection: Collection, pool: Pool, path: Path) -> Run:
    """Read the run of one pool.

    Raises:
        BadInput: the run has queries or passages that are not of the pool.
    """
    run = read_run(path, may_be_empty=True)
    queries = (collection.queries[position].query_id for position in collection.pool_queries(pool))
    passages = (passage.passage_id for passage in collection.passages.of(pool.candidate_language))
    for ids, pool_ids in ((run.query_ids, queries), (run.passage_ids, passages)):
        if unknown_ids := set(ids.to_pylist()).difference(pool_ids):
            raise BadInput(
                f"{path}: {min(unknown_ids)} is no query or passage of this pool; the run was made for another one"
            )
    return run


def _judged_rows(
    collection: Collection,
    pool: Pool,
    ranking: Run | ExactRanks,
    measures: list[Measure],
    ties: Ties,
    is_fused: bool,
) -> Iterator[pa.Table]:
    """Return per-query values of one pool by its judgements, in the form of `SCHEMA`, for judged queries."""
    passages = len(collection.pool_passages(pool))
    qrels = collection.pool_qrels(pool)
    evaluation = evaluate(qrels, ranking, measures, ties=ties, pool=passages, is_fused=is_fused)
    for result in evaluation.measures:
        if result.blank:
            sys.stderr.write(f"{pool.name}: {result.measure} is left blank: {result.blank}\n")
        has_value = ~np.isnan(result.values) | bool(result.blank)
        values = {
            "measure": str(result.measure),
            "value": pa.array(result.values[has_value], mask=np.isnan(result.values[has_value])),
            "tied": result.is_tied[has_value],
            "chance": _chance(result, evaluation.relevant[has_value], passages),
        }
        yield _table(collection, pool, evaluation.queries[has_value], values)


def _fairness_rows(collection: Collection, pool: Pool, values_by_measure: dict[str, Floats]) -> Iterator[pa.Table]:
    """Return per-query values of the measures of fairness, in the form of `SCHEMA`, for judged queries."""
    for name, values in values_by_measure.items():
        positions = np.flatnonzero(~np.isnan(values))
        is_tied, chance_values = np.zeros(len(positions), bool), pa.nulls(len(positions), pa.float64())
        columns = {"measure": name, "value": values[positions], "tied": is_tied, "chance": chance_values}
        yield _table(collection, pool, positions, columns)


def _answer_rows(collection: Collection, pool: Pool, run: Run, rule: AnswerRule) -> Iterator[pa.Table]:
    """Return per-query values of one pool by the answers that its passages hold, in the form of `SCHEMA`."""
    count = len(collection.queries)
    for name, results in answer_values(collection, run, rule).items():
        values = {
            "measure": name,
            "value": results,
            "tied": np.zeros(count, bool),
            "chance": pa.nulls(count, pa.float64()),
        }
        yield _table(collection, pool, np.arange(count), values)


def _table(collection: Collection, pool: Pool, positions: Integers, values: dict[str, Any]) -> pa.Table:
    """Return rows of some queries; one text stands for all of a column."""
    queries = [collection.queries[position] for position in positions]
    columns = {
        "query_id": [query.query_id for query in queries],
        "question_id": [collection.questions[position] for position in positions],
        "cluster_id": [collection.query_clusters[position] for position in positions],
        "query_language": [query.language for query in queries],
        "candidate_language": pa.repeat(pa.scalar(pool.candidate_language, pa.string()), len(queries)),
    } | values
    columns["measure"] = pa.repeat(values["measure"], len(queries))
    return pa.table(columns, schema=SCHEMA)


def _chance(result: Values, relevant: Integers, passages: int) -> pa.Array:
    if result.measure.name not in CHANCE:
        return pa.nulls(len(relevant), pa.float64())
    return pa.array(np.asarray(chance(result.measure, relevant, passages)))
