"""`msm evaluate`: encodes, searches and scores benchmarks with any encoders, or BM25; see `msm.verbs.evaluate`.

Several processes (`torchrun -m msm evaluate ...`) split the work.
"""

import dataclasses
import itertools
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msm
from msm.cli.options import (
    add_batch_tokens,
    add_device,
    add_labels,
    add_measures,
    add_model_name,
    add_model_origin,
    add_own_data,
    add_part,
    add_precision,
)
from msm.encoders.settings import Pooling
from msm.encoders.usage import CONTEXTS, PRECISIONS, QUESTION_MARKS, SIMILARITIES, VECTOR_KINDS, Usage
from msm.errors import BadInput, visible
from msm.evaluation.settings import TieRule
from msm.reporting.score_lines import loss_lines, overview_lines
from msm.retrieval.settings import BM25, LanguageVectorsKind
from msm.verbs.scores import Scores


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm evaluate`."""
    _add_task_arguments(parser)
    _add_search_arguments(parser)
    _add_label_arguments(parser)
    _add_usage_arguments(parser)
    _add_vector_arguments(parser)


def _add_task_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--benchmark",
        nargs="+",
        default=[""],
        metavar="NAME",
        help="Names of benchmarks, such as lareqa (`msm benchmarks` lists them); with --format, a name for "
        "your own data.",
    )
    parser.add_argument(
        "--model",
        nargs="+",
        required=True,
        metavar="MODEL",
        help=f"Folders of models, names of models in the Hugging Face hub, or {BM25}.",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        required=True,
        metavar="DIR",
        help="Folder of the files of each benchmark, in the order of --benchmark.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="Output folder. With several benchmarks or models, each model on each benchmark gets DIR/BENCHMARK/MODEL.",
    )
    add_part(parser)
    add_own_data(parser)
    parser.add_argument(
        "--pairs",
        default="",
        metavar="PAIRS",
        help="Language pairs of bitext, such as de-fr,fr-de; all-en for every language with English, or all.",
    )


def _add_search_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--depth",
        type=int,
        default=0,
        metavar="N",
        help="Number of passages kept for each question; 0 keeps as many as the measures need (default: 0).",
    )
    parser.add_argument(
        "--fuse",
        type=float,
        metavar="ALPHA",
        help="Weight of the model's scores in a fusion with BM25: a passage scores ALPHA * dense + sparse, "
        "both scaled to one range. Without it, BM25 is not run.",
    )
    parser.add_argument(
        "--ties",
        choices=get_args(TieRule),
        default="benchmark",
        help="Rule for the order of passages with equal scores; benchmark takes the benchmark's own "
        "rule (default: benchmark).",
    )
    add_measures(parser, "The default is the official measures of the benchmark.")
    add_precision(parser, PRECISIONS, "auto")
    add_batch_tokens(parser)
    add_device(parser)


def _add_label_arguments(parser: ArgumentParser) -> None:
    labels = parser.add_argument_group("labels of the scores, beside the benchmark and the model")
    add_model_name(labels)
    add_labels(labels, "model")


def _add_usage_arguments(parser: ArgumentParser) -> None:
    usage = parser.add_argument_group("how the model is used; the default of each option is what the model's files say")
    usage.add_argument(
        "--pooling",
        choices=get_args(Pooling),
        help="Pooling, by which the states of a text's tokens become one vector.",
    )
    usage.add_argument(
        "--similarity", choices=SIMILARITIES, help="Similarity of the vectors of a question and a passage."
    )
    usage.add_argument(
        "--query_prompt", metavar="TEXT", help="Prompt that is put before every question, such as 'query: '."
    )
    usage.add_argument(
        "--passage_prompt", metavar="TEXT", help="Prompt that is put before every passage, such as 'passage: '."
    )
    usage.add_argument(
        "--query_tokens",
        type=int,
        metavar="N",
        help="Largest number of tokens of a question; the rest of a longer one is cut off.",
    )
    usage.add_argument(
        "--passage_tokens",
        type=int,
        metavar="N",
        help="Largest number of tokens of a passage; the rest of a longer one is cut off.",
    )
    usage.add_argument(
        "--dimensions",
        type=int,
        nargs="+",
        metavar="N",
        help="Numbers of dimensions of a vector that are kept, from the first on. Each number is evaluated by itself.",
    )
    usage.add_argument(
        "--vectors",
        choices=VECTOR_KINDS,
        nargs="+",
        help="Number formats in which vectors of passages are stored (default: fp32). Each format is evaluated "
        "by itself.",
    )
    usage.add_argument(
        "--passage_context",
        choices=CONTEXTS,
        help="Text that is encoded with each passage: none, its paragraph, its title, or title and text as one.",
    )
    usage.add_argument(
        "--question_mark",
        choices=QUESTION_MARKS,
        help="Treatment of the question mark at the end of a question: kept or stripped.",
    )
    add_model_origin(usage)


def _add_vector_arguments(parser: ArgumentParser) -> None:
    vectors = parser.add_argument_group("language vectors that are subtracted between encoding and search")
    vectors.add_argument(
        "--language_vectors",
        choices=get_args(LanguageVectorsKind),
        default="none",
        help="Language vectors that are subtracted: none; those of passages, relative to a pivot language (shift); "
        "those of passages and of questions (both_sides); or the means of the benchmark's own passages (own), which "
        "only somebody who has all passages beforehand can compute.",
    )
    vectors.add_argument(
        "--language_texts",
        type=Path,
        metavar="PATH",
        help="Parallel documents from which language vectors are estimated. For shift and both_sides.",
    )
    vectors.add_argument(
        "--language_sentences",
        type=int,
        default=200,
        metavar="N",
        help="Number of sentences that are read in each language; 0 reads all (default: 200).",
    )
    vectors.add_argument(
        "--language_pivot",
        default="en",
        metavar="CODE",
        help="Code of the language whose vectors shift leaves unchanged (default: en).",
    )
    vectors.add_argument(
        "--language_labels",
        default="given",
        metavar="NAME",
        help="Source of the language of each text: the collection (given), the identifier py3langid, or the "
        "path of a fastText model (default: given).",
    )


def main(arguments: Namespace) -> None:
    """Evaluate every model on every benchmark, and print the scores by language.

    Raises:
        BadInput: a benchmark, its data or a model does not exist, or neither files nor options tell how a model is
            used.
    """
    evaluations = list(_evaluations(arguments))
    results = []
    for evaluation in evaluations:
        results.append(evaluation.run())
        if results[-1].rows:  # none where another process scores
            sys.stdout.write(f"{results[-1].title}\n{results[-1]}\n")
    if len(results) > 1 and all(scores.rows for scores in results):
        _print_overview(evaluations, results)


def _evaluations(arguments: Namespace) -> Iterator["msm.Evaluation"]:
    """Yield the evaluations of every benchmark with every model and every size of vectors.

    Raises:
        BadInput: the numbers of data folders and benchmarks differ, or options contradict each other.
    """
    benchmarks, data = arguments.benchmark, arguments.data
    if len(data) != len(benchmarks):
        raise BadInput(f"--data: {len(benchmarks)} benchmarks need as many folders, got {len(data)}")
    sizes = arguments.dimensions or [None], arguments.vectors or [None]
    variants: list[tuple[Any, ...]] = list(itertools.product(arguments.model, *sizes))
    several = len(benchmarks) * len(variants) > 1
    for benchmark, folder in zip(benchmarks, data, strict=True):
        for model, dimensions, vectors in variants:
            one = {"benchmark": benchmark, "data": folder, "model": model}
            usage = _fields(Usage, arguments) | {"dimensions": dimensions, "vectors": vectors}
            evaluation = msm.Evaluation(**_fields(msm.Evaluation, arguments) | one, usage=Usage(**usage))
            out = arguments.out / evaluation.folder_name if several else arguments.out
            yield dataclasses.replace(evaluation, out=out)


def _fields(kind: type[Any], arguments: Namespace) -> dict[str, Any]:
    """Return the options that are fields of a dataclass; fields whose option is not given keep their defaults."""
    options = {name: value for name, value in vars(arguments).items() if value is not None}
    return {field.name: options[field.name] for field in dataclasses.fields(kind) if field.name in options}


def _print_overview(evaluations: list["msm.Evaluation"], results: list[Scores]) -> None:
    """Print all models side by side: a table for each benchmark, of its first measure and pool."""
    pairs = zip(evaluations, results, strict=True)
    for benchmark, group in itertools.groupby(pairs, key=lambda pair: pair[0].reference):
        runs = {evaluation.label: (evaluation, scores) for evaluation, scores in group}
        rows = {name: scores.rows for name, (_, scores) in runs.items()}
        sizes = {name: size for name, (_, scores) in runs.items() if (size := scores.passage_bytes) is not None}
        lines = list(overview_lines(rows, sizes))
        whole = _whole({name: evaluation for name, (evaluation, _) in runs.items()}, sizes)
        if whole:
            lines += ["", "difference to the whole vectors", *loss_lines(rows, sizes, whole)]
        sys.stdout.writelines(f"{line}\n" for line in ["", visible(f"{benchmark}: {lines[0]}"), *lines[1:]])


def _whole(runs: dict[str, "msm.Evaluation"], sizes: dict[str, float]) -> dict[str, str]:
    """Return the name of each run with smaller vectors, and of the run of the same model with the largest ones."""
    whole = {}
    for name in sizes:
        same = [other for other in sizes if runs[other].model == runs[name].model]
        largest = max(same, key=sizes.__getitem__)
        if sizes[name] < sizes[largest]:
            whole[name] = largest
    return whole
