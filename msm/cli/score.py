"""`msm score`: scores a run of any system; see `msm.verbs.score`.

With `--benchmark` (or `--format`), the run gets a score folder. With `--qrels`, the measures are printed as trec_eval
computes them, one JSON object a line; with both, measures and order of equal scores are the benchmark's.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import get_args

from msm.cli.options import add_labels, add_measures, add_own_data
from msm.collections.formats import MEASURES
from msm.collections.registry import reference
from msm.errors import BadInput
from msm.evaluation.ranks import Ties
from msm.files import read_json_lines, write_json_lines
from msm.retrieval.approximate import INDEXES, lines
from msm.retrieval.foreign import INDEXES_FILE
from msm.settings import listed
from msm.verbs.score import VectorFiles, score, score_on_benchmark

VECTORS = ("query_vectors", "passage_vectors")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm score`."""
    parser.add_argument(
        "--run",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="Files of a system's runs, one for each pool; with --qrels, one TREC run (query Q0 passage rank "
        "score tag).",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="Folder that gets the scores; with --qrels, file that gets a copy of the printed JSON lines.",
    )
    parser.add_argument(
        "--ties",
        choices=get_args(Ties),
        help="Rule for the order of passages with equal scores. The default is the benchmark's rule; with "
        "--qrels alone, it is trec (by passage id, descending).",
    )
    add_measures(
        parser,
        f"The default is the measures of the benchmark; with --qrels alone, {', '.join(MEASURES)}.",
    )
    _add_benchmark_arguments(parser)
    plain = parser.add_argument_group("scores by judgements alone, as trec_eval computes them")
    plain.add_argument(
        "--qrels",
        type=Path,
        metavar="FILE",
        help="File of TREC judgements (query iteration passage label); it may be compressed.",
    )
    plain.add_argument(
        "--float32", action="store_true", help="Round scores to 32 bits, as trec_eval did before version 10."
    )


def _add_benchmark_arguments(parser: ArgumentParser) -> None:
    options = parser.add_argument_group("scores on a benchmark")
    options.add_argument(
        "--benchmark",
        default="",
        metavar="NAME",
        help="Name of the benchmark, such as lareqa (`msm benchmarks` lists them); with --format, a name for "
        "your own data.",
    )
    add_own_data(options)
    options.add_argument(
        "--data", type=Path, metavar="DIR", help="Folder of the benchmark's files; `msm benchmarks NAME` lists them."
    )
    options.add_argument(
        "--query_vectors",
        type=Path,
        metavar="FILE",
        help="File of the vectors of the questions (.npz or .npy). The passages are then searched with them, and no "
        "run is read.",
    )
    options.add_argument(
        "--passage_vectors", type=Path, metavar="FILE", help="File of the vectors of the passages (.npz or .npy)."
    )
    options.add_argument(
        "--query_ids",
        type=Path,
        metavar="FILE",
        help="File with the ids of the questions' vectors: one id on each line, or a JSON list. The default is "
        "NAME.ids.txt or NAME.ids.json beside NAME.npy.",
    )
    options.add_argument(
        "--passage_ids",
        type=Path,
        metavar="FILE",
        help="File with the ids of the passages' vectors, as for --query_ids.",
    )
    options.add_argument(
        "--similarity",
        choices=("cosine", "dot"),
        default="dot",
        help="Similarity of two vectors: their inner product (dot), or the cosine of the angle between them "
        "(default: dot).",
    )
    options.add_argument(
        "--depth",
        type=int,
        default=100,
        metavar="N",
        help="Number of passages kept for each question when vectors are searched (default: 100).",
    )
    options.add_argument(
        "--index",
        nargs="+",
        choices=INDEXES,
        default=[],
        help="Approximate indexes to build from the vectors. Their recall against the exact search is printed"
        " for each language.",
    )
    options.add_argument(
        "--name", metavar="TEXT", help="Name of the system in tables. The default is the name of the first file."
    )
    add_labels(options, "system")


def main(arguments: Namespace) -> None:
    """Score a run, or vectors, on a benchmark or by judgements alone.

    Raises:
        BadInput: the options name neither judgements nor a benchmark, or neither a run nor vectors, or contradict each
            other, or a file is malformed.
    """
    on_benchmark = bool(arguments.benchmark or arguments.format)
    if on_benchmark == bool(arguments.qrels) and not (arguments.qrels and not arguments.data):
        raise BadInput("say either --benchmark NAME --data DIR (or --format FORMAT --data DIR), or --qrels FILE")
    if arguments.qrels:
        _score_plainly(arguments)
    else:
        _score_on_benchmark(arguments)


def _score_on_benchmark(arguments: Namespace) -> None:
    vectors = [getattr(arguments, name) for name in VECTORS]
    if any(vectors) != all(vectors) or bool(arguments.run) == any(vectors):
        raise BadInput("say either --run FILE... or --query_vectors FILE --passage_vectors FILE")
    if not arguments.data or not arguments.out:
        raise BadInput("--data DIR (the benchmark's files) and --out DIR are needed")
    scores = score_on_benchmark(
        _vector_files(arguments) if any(vectors) else arguments.run,
        arguments.benchmark,
        arguments.data,
        arguments.out,
        format=arguments.format,
        languages=arguments.languages,
        split=arguments.split or "",
        setting=arguments.setting,
        name=arguments.name or "",
        seed=arguments.seed,
        measures=arguments.measures,
        ties=arguments.ties or "benchmark",
    )
    sys.stdout.write(f"{scores.title}\n{scores}\n")
    if arguments.index:
        rows = [row for _, row in read_json_lines(arguments.out / "runs" / INDEXES_FILE)]
        sys.stdout.writelines(f"{line}\n" for line in ["", *lines(rows)])


def _vector_files(arguments: Namespace) -> VectorFiles:
    return VectorFiles(
        queries=arguments.query_vectors,
        passages=arguments.passage_vectors,
        query_ids=arguments.query_ids,
        passage_ids=arguments.passage_ids,
        similarity=arguments.similarity,
        depth=arguments.depth,
        indexes=tuple(arguments.index),
    )


def _score_plainly(arguments: Namespace) -> None:
    """Print every measure, and on stderr the measures without a value and the number of queries that the run lacks."""
    if not arguments.run or len(arguments.run) != 1:
        raise BadInput("--qrels takes one --run FILE")
    [path] = arguments.run
    if arguments.out and arguments.out.resolve() in (arguments.qrels.resolve(), path.resolve()):
        raise BadInput(f"--out {arguments.out}: would replace what is scored")
    benchmark = reference(arguments.benchmark, arguments.format) if arguments.benchmark or arguments.format else ""
    measures = listed(arguments.measures) if arguments.measures else None
    results = score(
        path, arguments.qrels, measures, benchmark=benchmark, ties=arguments.ties, float32=arguments.float32
    )
    first = next(iter(results.values()))
    if first.ranked_queries < first.judged_queries:
        counts = f"{first.ranked_queries} of {first.judged_queries} judged queries"
        sys.stderr.write(f"msm score: {counts} are in the run; the others count 0\n")
    for measure, result in results.items():
        if result.blank:
            sys.stderr.write(f"msm score: {measure} is left blank: {result.blank}\n")
    rows = [
        {"measure": measure, "value": result.value, "queries": result.queries} for measure, result in results.items()
    ]
    if arguments.out:
        write_json_lines(arguments.out, rows)
    sys.stdout.writelines(json.dumps(row) + "\n" for row in rows)
