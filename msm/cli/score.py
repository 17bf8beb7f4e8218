"""`msm score`: a run of any system, scored.

With `--benchmark` (or `--format`), it gets what models of ours get: a folder with scores by language, per-query
values, chance levels and languages of the answers, which `msm compare`, `msm report` and the dashboard read. With
`--qrels`, the measures are printed as trec_eval computes them, one JSON object a line; `--benchmark` beside it names
whose measures and order of equal scores these are.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import get_args

import numpy as np

from msm.collections.benchmark import Benchmark
from msm.collections.collection import Collection
from msm.collections.foreign_vectors import ForeignVectors
from msm.collections.formats import MEASURES
from msm.collections.measure_names import Measure, parse_measure
from msm.collections.registry import find_benchmark, find_split, reference
from msm.collections.runs import Qrels, Run, read_qrels, read_run
from msm.errors import BadInput
from msm.evaluation.measures import evaluate
from msm.evaluation.ranks import Ties
from msm.evaluation.settings import Score
from msm.execution import Execution
from msm.files import new_file, read_json_lines, write_json_lines
from msm.pipeline import runner
from msm.pipeline.artifacts import new_folder
from msm.retrieval.foreign import write_foreign_runs, write_vector_runs
from msm.settings import listed

HERE = "."
VECTORS = ("query_vectors", "passage_vectors")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm score`."""
    parser.add_argument(
        "--run",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="Run files of any system; with --qrels, in trec_eval's form.",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="Score folder to write; with --qrels, a file for the printed lines."
    )
    parser.add_argument(
        "--ties", choices=get_args(Ties), help="Order of equal scores; the benchmark's rule, or trec, by default."
    )
    own = parser.add_argument_group("on a benchmark")
    own.add_argument(
        "--benchmark",
        default="",
        metavar="NAME",
        help="Benchmark, such as lareqa; with --format, a name for your data.",
    )
    own.add_argument("--format", default="", help="Format of your own data: beir, trec, squad, or that of a benchmark.")
    own.add_argument("--languages", default="", help="Languages of the benchmark to keep, with commas.")
    own.add_argument("--data", type=Path, metavar="DIR", help="Folder of the benchmark's files.")
    own.add_argument(
        "--query_vectors", type=Path, metavar="FILE", help="Vectors of the questions (.npz or .npy), in place of a run."
    )
    own.add_argument("--passage_vectors", type=Path, metavar="FILE", help="Vectors of the passages (.npz or .npy).")
    own.add_argument(
        "--query_ids",
        type=Path,
        metavar="FILE",
        help="Ids of the questions' vectors; by default FILE.ids.txt or .json beside them.",
    )
    own.add_argument("--passage_ids", type=Path, metavar="FILE", help="Ids of the passages' vectors, likewise.")
    own.add_argument(
        "--similarity",
        choices=("cosine", "dot"),
        default="dot",
        help="Similarity of two vectors; `dot` takes them as they are.",
    )
    own.add_argument("--depth", type=int, default=100, help="Passages kept for each query where vectors are searched.")
    own.add_argument("--name", help="Name of the system in tables; the first file's by default.")
    own.add_argument(
        "--setting",
        choices=get_args(Score.__annotations__["setting"]),
        default="zero-shot",
        help="Where training data came from.",
    )
    own.add_argument("--split", help="Split of the questions; the benchmark's own, or test for your own data.")
    own.add_argument("--seed", type=int, default=0, metavar="N", help="Seed of the system's training.")
    parser.add_argument(
        "--measures",
        default="",
        metavar="NAMES",
        help="Measures, such as mrr@100,map. By default those of the benchmark; of judgements alone, "
        f"{', '.join(MEASURES)}.",
    )
    plain = parser.add_argument_group("on judgements alone, as trec_eval")
    plain.add_argument("--qrels", type=Path, metavar="FILE", help="TREC judgements; the file may be compressed.")
    plain.add_argument(
        "--float32", action="store_true", help="Round scores to 32 bits, as trec_eval did before version 10."
    )


def main(arguments: Namespace) -> None:
    """Score.

    Raises:
        BadInput: neither judgements nor a benchmark, or both; neither a run nor vectors, or both; or a malformed file.
    """
    named = bool(arguments.benchmark or arguments.format)
    if named == bool(arguments.qrels) and not (arguments.qrels and not arguments.data):
        raise BadInput("say either --benchmark NAME --data DIR (or --format FORMAT --data DIR), or --qrels FILE")
    if arguments.qrels:
        _score_plainly(arguments)
    else:
        _score_benchmark(arguments)


def _score_benchmark(arguments: Namespace) -> None:
    vectors = [getattr(arguments, name) for name in VECTORS]
    if any(vectors) != all(vectors) or bool(arguments.run) == any(vectors):
        raise BadInput("say either --run FILE... or --query_vectors FILE --passage_vectors FILE")
    if not arguments.data or not arguments.out:
        raise BadInput("--data DIR (the benchmark's files) and --out DIR are needed")
    if not arguments.data.is_dir():
        raise BadInput(f"{arguments.data}: no such folder")
    if arguments.depth < 1:
        raise BadInput(f"--depth must be at least 1, got {arguments.depth}")
    name = reference(arguments.benchmark, arguments.format, listed(arguments.languages), "")
    benchmark = find_benchmark(name)
    settings = Score(
        benchmark=name,
        questions=HERE,
        split=arguments.split or find_split(name) or "test",
        setting=arguments.setting,
        model=arguments.name or (arguments.run or vectors)[0].name.split(".")[0],
        ties=arguments.ties or "benchmark",
        measures=arguments.measures,
        seed=arguments.seed,
    )
    runs, scores = arguments.out / "runs", arguments.out / "score"
    with new_folder(runs) as folder:
        collection = benchmark.read(arguments.data)
        if arguments.run:
            write_foreign_runs(folder, collection, arguments.run)
        else:
            _search_vectors(arguments, collection, folder)
    execution = Execution(work=arguments.out / "work", device="cpu")
    runner.run_stage("score", settings, {"sources": arguments.data, "run": runs}, scores, execution)
    found = (scores / "scores" / "scores.jsonl").read_text(encoding="utf-8")
    with new_file(arguments.out / "scores.jsonl") as file:
        file.write(found)
    _print_means(arguments.out / "scores.jsonl")


def _search_vectors(arguments: Namespace, collection: Collection, folder: Path) -> None:
    queries = ForeignVectors(
        arguments.query_vectors, [query.query_id for query in collection.queries], arguments.query_ids
    )
    passages = ForeignVectors(
        arguments.passage_vectors, [passage.passage_id for passage in collection.passages], arguments.passage_ids
    )
    write_vector_runs(folder, collection, queries, passages, arguments.similarity, arguments.depth)


def _print_means(path: Path) -> None:
    """Print the means over languages, one JSON object a line."""
    names = ("benchmark", "model", "candidate_language", "measure", "value", "queries", "tied")
    for _, row in read_json_lines(path):
        if row["query_language"] == "mean":
            sys.stdout.write(json.dumps({name: row[name] for name in names}) + "\n")


def _score_plainly(arguments: Namespace) -> None:
    """Print the value of every measure, averaged over the judged queries as by `trec_eval -c`."""
    name = reference(arguments.benchmark, arguments.format) if arguments.benchmark or arguments.format else ""
    benchmark = find_benchmark(name) if name else None
    measures = _measures(arguments.measures, benchmark)
    if not arguments.run or len(arguments.run) != 1:
        raise BadInput("--qrels takes one --run FILE")
    [path] = arguments.run
    if arguments.out and arguments.out.resolve() in (arguments.qrels.resolve(), path.resolve()):
        raise BadInput(f"--out {arguments.out}: would replace what is scored")
    qrels, run = read_qrels(arguments.qrels), read_run(path, double=not arguments.float32)
    _say_missing(qrels, run)
    ties = arguments.ties or (benchmark.ties if benchmark else "trec")
    results = evaluate(qrels, run, measures, ties=ties).measures
    for result in results:
        if result.blank:
            sys.stderr.write(f"msm score: {result.measure} is left blank: {result.blank}\n")
    rows = [
        {
            "measure": str(result.measure),
            "value": None if np.isnan(result.mean) else result.mean,
            "queries": int(np.count_nonzero(~np.isnan(result.values))),
        }
        for result in results
    ]
    if arguments.out:
        write_json_lines(arguments.out, rows)
    sys.stdout.writelines(json.dumps(row) + "\n" for row in rows)


def _measures(text: str, benchmark: Benchmark | None) -> list[Measure]:
    """The measures that are named; else those of the benchmark, or of data of one's own.

    Raises:
        BadInput: a measure that nobody knows, a list without any, or a benchmark whose passages are not judged.
    """
    if text:
        measures = [parse_measure(name) for name in listed(text)]
        if not measures:
            raise BadInput("--measures names no measure")
        return measures
    if benchmark and benchmark.answers:
        raise BadInput(f"{benchmark.name}: its passages are matched with answers, not judged; --qrels has no use here")
    return benchmark.parsed_measures() if benchmark else [parse_measure(name) for name in MEASURES]


def _say_missing(qrels: Qrels, run: Run) -> None:
    """Say how many judged queries the run knows, where these are not all: the others count with 0."""
    judged = set(qrels.query_ids.to_pylist())
    found = len(judged.intersection(run.query_ids.to_pylist()))
    if found < len(judged):
        sys.stderr.write(f"msm score: {found} of {len(judged)} judged queries are in the run; the others count 0\n")
