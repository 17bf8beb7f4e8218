"""Scores rankings of any system, on judgements alone or on a benchmark.

On a benchmark, a system gets what models of ours get: a folder with scores by language, per-query values, chance levels
and languages of the answers, which `msm.compare`, `msm report` and the dashboard read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from msm.collections.benchmark import Benchmark
from msm.collections.collection import Collection
from msm.collections.foreign_vectors import ForeignVectors
from msm.collections.formats import MEASURES
from msm.collections.measure_names import Measure, parse_measure
from msm.collections.registry import check_split, find_benchmark, find_split, reference
from msm.collections.runs import Floats, Integers, Qrels, Run, sorted_run
from msm.collections.trec_files import read_qrels, read_run
from msm.errors import BadInput
from msm.evaluation.measures import Values, evaluate
from msm.evaluation.ranks import Ties
from msm.evaluation.settings import Score, Setting, TieRule
from msm.execution import Execution
from msm.pipeline import runner
from msm.pipeline.artifacts import new_folder
from msm.retrieval.approximate import INDEXES
from msm.retrieval.foreign import write_foreign_runs, write_vector_runs
from msm.settings import listed
from msm.verbs.scores import Scores, copy_scores, removed_on_failure, score_folder

HERE = "."
Rankings = Mapping[str, Mapping[str, float]]
"""Query id to passage id to score."""
Judgements = Mapping[str, Mapping[str, int]]
"""Query id to passage id to label; 1 and above is relevant."""


class Result(NamedTuple):
    """One measure of a run, averaged over the judged queries."""

    value: float | None
    """Mean of the measure over those queries; None if the run is too shallow for it."""
    queries: int
    """Number of queries for which the measure is defined."""
    judged_queries: int
    """Number of queries with judgements."""
    ranked_queries: int
    """Number of judged queries for which the run ranks anything; the others count 0."""
    blank: str
    """Reason why the value is not known; empty if it is known."""


def score(
    run: str | Path | Rankings,
    qrels: str | Path | Judgements,
    measures: Sequence[str] | None = None,
    *,
    benchmark: str = "",
    ties: Ties | None = None,
    float32: bool = False,
) -> dict[str, Result]:
    """Return measures of a run on judgements alone, averaged over the judged queries as by `trec_eval -c`.

        >>> import msm
        >>> run = {"q1": {"cat": 0.9, "dog": 0.7, "cow": 0.1}}
        >>> qrels = {"q1": {"dog": 1}}
        >>> msm.score(run, qrels, ["mrr@10", "recall@1"])["mrr@10"].value
        0.5

    Args:
        run: a TREC run file, which may be compressed, or a dictionary of query to passage to score.
        qrels: a TREC judgement file, which may be compressed, or a dictionary of query to passage to label.
        measures: names such as `mrr@100`, `ndcg@10`, `recall@100`, `map`; when not given those of the benchmark, or of
            data of one's own.
        benchmark: whose measures and order of equal scores these are.
        ties: order of equal scores; the benchmark's, or `trec`, when not given.
        float32: round scores to 32 bits, as trec_eval did before version 10.

    Returns:
        Measure, as this package spells it, to its value from 0 to 1.

    Raises:
        BadInput: no such file, a malformed one, an unknown measure, or none, or a benchmark whose passages are not
            judged.
    """
    rules = find_benchmark(benchmark) if benchmark else None
    names = _measures(measures, rules)
    ties = ties or (rules.ties if rules else "trec")
    judgements = _judgements(qrels) if isinstance(qrels, Mapping) else read_qrels(Path(qrels))
    rankings = _rankings(run, float32) if isinstance(run, Mapping) else read_run(Path(run), double=not float32)
    judged_ids = set(judgements.query_ids.to_pylist())
    counts = len(judged_ids), len(judged_ids.intersection(rankings.query_ids.to_pylist()))
    return {
        str(values.measure): _result(values, *counts)
        for values in evaluate(judgements, rankings, names, ties=ties).measures
    }


def _measures(names: Sequence[str] | None, rules: Benchmark | None) -> list[Measure]:
    """Return the named measures, or else those of the benchmark or of one's own data."""
    if names is not None:
        if not names:
            raise BadInput("--measures names no measure")
        return [parse_measure(name) for name in names]
    if rules and rules.answers:
        raise BadInput(f"{rules.name}: its passages are matched with answers, not judged; --qrels has no use here")
    return rules.parsed_measures() if rules else [parse_measure(name) for name in MEASURES]


def _result(values: Values, judged_count: int, ranked_count: int) -> Result:
    mean = None if np.isnan(values.mean) else values.mean
    return Result(mean, int(np.count_nonzero(~np.isnan(values.values))), judged_count, ranked_count, values.blank)


def _rankings(run: Rankings, float32: bool) -> Run:
    query_ids, passage_ids, queries, passages, scores = _triples(run)
    if not np.isfinite(scores).all():
        raise BadInput("a score of the run is not finite")
    return sorted_run(query_ids, passage_ids, queries, passages, scores, double=not float32)


def _judgements(qrels: Judgements) -> Qrels:
    query_ids, passage_ids, queries, passages, labels = _triples(qrels)
    return Qrels(pa.array(query_ids), pa.array(passage_ids), queries, passages, labels.astype(np.int32))


def _triples(values: Mapping[str, Mapping[str, float]]) -> tuple[list[str], list[str], Integers, Integers, Floats]:
    """Return the ids of queries and of passages, and for each pair the indices of both and its value."""
    passage_ids = list(dict.fromkeys(passage for pairs in values.values() for passage in pairs))
    place = {passage: number for number, passage in enumerate(passage_ids)}
    queries = np.repeat(np.arange(len(values)), [len(pairs) for pairs in values.values()])
    passages = np.array([place[passage] for pairs in values.values() for passage in pairs], np.int64)
    numbers = np.array([number for pairs in values.values() for number in pairs.values()], np.float64)
    return list(values), passage_ids, queries, passages, numbers


@dataclass(frozen=True, kw_only=True)
class VectorFiles:
    """Vectors of another system's questions and passages, in place of a run."""

    queries: Path
    """Vectors of the questions: `.npz` with `ids` and `vectors`, or `.npy` with ids beside it."""
    passages: Path
    """Vectors of the passages, in the same form."""
    query_ids: Path | None = None
    """File of the ids of the questions' vectors."""
    passage_ids: Path | None = None
    """File of the ids of the passages' vectors."""
    similarity: str = "dot"
    """Similarity of two vectors: `cosine`, or `dot` for the vectors as they are."""
    depth: int = 100
    """Number of passages that are kept for each question."""
    indexes: tuple[str, ...] = ()
    """Approximate indexes, `hnsw` and `ivf_pq`, whose recall against the exact search is written beside the runs."""

    def __post_init__(self) -> None:
        """Check the depth and the indexes.

        Raises:
            BadInput: the depth is below 1, or there is no such index.
        """
        if unknown_names := [name for name in self.indexes if name not in INDEXES]:
            raise BadInput(f"--index must be one of {', '.join(INDEXES)}, got {unknown_names[0]!r}")
        if self.depth < 1:
            raise BadInput(f"--depth must be at least 1, got {self.depth}")


def score_on_benchmark(
    system: Sequence[str | Path] | VectorFiles,
    benchmark: str,
    data: str | Path,
    out: str | Path,
    *,
    format: str = "",
    languages: str = "",
    split: str = "",
    setting: Setting = "zero-shot",
    name: str = "",
    seed: int = 0,
    measures: str = "",
    ties: TieRule = "benchmark",
) -> Scores:
    """Score another system's runs, or its vectors, on a benchmark.

        >>> import msm
        >>> data = msm.example("animals")
        >>> scores = msm.score_on_benchmark([f"{data}/run.trec"], "animals", data, "scores/animals", format="beir")
        >>> round(scores.mean, 3)
        0.908

    Args:
        system: files of runs, in any form that `msm.collections.foreign_runs` reads, or files of vectors.
        benchmark: name of the benchmark; with `format`, a name for your data.
        data: folder of the benchmark's files.
        out: score folder to write.
        format: format of data of your own: `beir`, `trec`, `squad`, or that of a benchmark.
        languages: languages of the benchmark that are kept, with commas; empty for all.
        split: split of the questions; the benchmark's own, or `test`, when empty.
        setting: origin of the training data; see `msm.evaluation.settings.Score`.
        name: name of the system in tables; the first file's when empty.
        seed: seed of the system's training.
        measures: names of measures, separated by commas; empty for the official ones.
        ties: order of equal scores.

    Raises:
        BadInput: no such benchmark, data or file, or ids that are not of the benchmark.
    """
    data, out = Path(data), Path(out)
    if not data.is_dir():
        raise BadInput(f"{data}: no such folder")
    first = system.queries if isinstance(system, VectorFiles) else Path(system[0])
    whole_name = reference(benchmark, format, listed(languages), "")
    split = split or find_split(whole_name) or "test"
    check_split(whole_name, split)
    settings = Score(
        benchmark=whole_name,
        questions=HERE,
        split=split,
        setting=setting,
        model=name or first.name.split(".")[0],
        ties=ties,
        measures=measures,
        seed=seed,
    )
    runs = out / "runs"
    with score_folder(out), removed_on_failure(runs):
        with new_folder(runs) as folder:
            _write_runs(folder, find_benchmark(whole_name).read(data), system)
        execution = Execution(work=out / "work", device="cpu")
        runner.run_stage("score", settings, {"sources": data, "run": runs}, out / "score", execution)
        return copy_scores(out)


def _write_runs(folder: Path, collection: Collection, system: Sequence[str | Path] | VectorFiles) -> None:
    if not isinstance(system, VectorFiles):
        write_foreign_runs(folder, collection, [Path(path) for path in system])
        return
    query_ids = [query.query_id for query in collection.queries]
    passage_ids = [passage.passage_id for passage in collection.passages]
    queries = ForeignVectors(system.queries, query_ids, system.query_ids)
    passages = ForeignVectors(system.passages, passage_ids, system.passage_ids)
    write_vector_runs(folder, collection, queries, passages, system.similarity, system.depth, system.indexes)
