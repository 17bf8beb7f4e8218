"""`msm evaluate`: encode, search and score a benchmark with any encoder, or BM25.

The folder that it writes:

| name | content |
|---|---|
| `run.trec.gz` | the run: of the pool of all languages, or of all languages' own pools, or of all pairs of bitext |
| `scores.jsonl` | see `msm.evaluation.scores` |
| `retrieve/`, `score/` | the folders of the two stages: the runs of all pools, how they were made, per-query values |
| `work/` | what a killed run goes on from, and links to the model's files, where it is used otherwise than these say |

A stage that is finished is not run again; a killed one goes on after the last finished shard. Several processes
(`torchrun -m msm evaluate ...`) split the shards; the first one scores.
"""

import copy
import dataclasses
import itertools
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from msm.collections.benchmark import Benchmark, BitextBenchmark
from msm.collections.measure_names import parse_measure
from msm.collections.registry import find_benchmark, find_bitext, find_split, reference
from msm.encoders.building import POOLINGS
from msm.encoders.loading import SIMILARITIES
from msm.encoders.model_files import find_model
from msm.encoders.precision import PRECISIONS, resolve_precision
from msm.encoders.saving import link_model
from msm.encoders.usage import CONTEXTS, QUESTION_MARKS, Usage
from msm.encoders.vectors import KINDS
from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.execution import DEVICES, Execution
from msm.files import new_file, read_json_lines
from msm.pipeline import runner
from msm.pipeline.artifacts import new_folder, payload
from msm.reporting.score_lines import overview_lines, score_lines
from msm.retrieval.fusion import fuse_folders
from msm.retrieval.margins import NEIGHBOURS
from msm.retrieval.settings import Lexical, Retrieve
from msm.settings import listed
from msm.training import pick_device

BM25 = "bm25"
LEAST_DEPTH = 100
HERE = "."
QUESTIONS, TEXTS = "questions", "texts"
"""Names of the links to the data and to parallel texts."""
LEXICAL_CONTEXTS: dict[str | None, Literal["benchmark", "none", "paragraph", "title_text"]] = {
    None: "benchmark",
    "none": "none",
    "paragraph": "paragraph",
    "title": "title_text",
    "title_text": "title_text",
}
"""What BM25 searches where a model is told to encode this."""


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
        help="Benchmarks, such as lareqa; with --format, a name for your data.",
    )
    parser.add_argument(
        "--model", nargs="+", required=True, metavar="MODEL", help=f"Model folders, names in the hub, or {BM25}."
    )
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        required=True,
        metavar="DIR",
        help="Folders of the files of each benchmark, in the same order.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="Output folder; each of several runs gets OUT/BENCHMARK/MODEL.",
    )
    parser.add_argument(
        "--part", default="", metavar="I/N", help="Encode part I of N of the passages; a call without it joins them."
    )
    parser.add_argument("--format", help="Format of your own data: beir, trec, squad, or that of a benchmark.")
    parser.add_argument("--languages", help="Languages of the benchmark to keep, with commas.")
    parser.add_argument("--pairs", help="Language pairs of bitext: all-en, de-fr,fr-de, or all.")


def _add_search_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--depth", type=int, default=0, help="Passages kept for a query; 0 keeps what the measures need."
    )
    parser.add_argument(
        "--fuse",
        type=float,
        metavar="ALPHA",
        help="Search with BM25 too: a score is ALPHA * dense + sparse, both scaled.",
    )
    parser.add_argument(
        "--ties", choices=get_args(Score.__annotations__["ties"]), default="benchmark", help="Order of equal scores."
    )
    parser.add_argument(
        "--measures", default="", metavar="NAMES", help="Measures instead of the official ones: nDCG@10,R@100."
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="Precision of the model's products.")
    parser.add_argument("--batch_tokens", type=int, default=16384, metavar="N", help="Tokens that are encoded at once.")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="Device that encodes.")


def _add_label_arguments(parser: ArgumentParser) -> None:
    labels = parser.add_argument_group("labels of the scores, beside the benchmark and the model")
    labels.add_argument("--split", help="Split of the questions; the benchmark's own, or test for your own data.")
    labels.add_argument(
        "--setting",
        choices=get_args(Score.__annotations__["setting"]),
        default="zero-shot",
        help="Where training data came from.",
    )
    labels.add_argument("--name", help="Name of the model in tables; its folder's name by default.")
    labels.add_argument("--seed", type=int, default=0, metavar="N", help="Seed of the model's training.")


def _add_usage_arguments(parser: ArgumentParser) -> None:
    usage = parser.add_argument_group("how the model is used; without a flag, as its files say")
    usage.add_argument("--pooling", choices=POOLINGS, help="How token states become one vector.")
    usage.add_argument("--similarity", choices=SIMILARITIES, help="Similarity of a question and a passage.")
    usage.add_argument("--query_prompt", metavar="TEXT", help="Text that is put before every question.")
    usage.add_argument("--passage_prompt", metavar="TEXT", help="Text that is put before every passage.")
    usage.add_argument("--query_tokens", type=int, metavar="N", help="Longest question, in tokens; the rest is cut.")
    usage.add_argument("--passage_tokens", type=int, metavar="N", help="Longest passage, in tokens; the rest is cut.")
    usage.add_argument(
        "--dimensions",
        type=int,
        nargs="+",
        metavar="N",
        help="Numbers of leading dimensions of a vector that are kept.",
    )
    usage.add_argument("--vectors", choices=KINDS, nargs="+", help="Number format of stored passages; fp32 by default.")
    usage.add_argument("--passage_context", choices=CONTEXTS, help="What is encoded with a passage.")
    usage.add_argument("--question_mark", choices=QUESTION_MARKS, help="Whether a question keeps its mark.")
    usage.add_argument("--revision", help="Branch, tag or commit of a model in the hub.")
    usage.add_argument("--trust_remote_code", action="store_true", default=None, help="Let the model's own code run.")


def _add_vector_arguments(parser: ArgumentParser) -> None:
    vectors = parser.add_argument_group("language vectors that are subtracted between encoding and search")
    kinds = get_args(Retrieve.__annotations__["language_vectors"])
    vectors.add_argument(
        "--language_vectors",
        choices=kinds,
        default="none",
        help="Language vectors; `own` are the passages' means (transductive).",
    )
    vectors.add_argument(
        "--language_texts", type=Path, metavar="PATH", help="Parallel documents, for shift and both_sides."
    )
    vectors.add_argument(
        "--language_sentences", type=int, default=200, metavar="N", help="Sentences read of each language; 0 reads all."
    )
    vectors.add_argument("--language_pivot", default="en", metavar="CODE", help="Language that shift leaves as it is.")


def main(arguments: Namespace) -> None:
    """Evaluate every model on every benchmark, and print the scores by language.

    Raises:
        BadInput: no such benchmark, data or model, or nothing says how the model is used.
    """
    runs = list(_runs(arguments))
    bitexts = [_checked(run) for run in runs]
    for run, bitext in zip(runs, bitexts, strict=True):
        _evaluate(run, bitext)
    if len(runs) > 1 and not _rank() and not arguments.part:
        _print_overview(runs)


def _runs(arguments: Namespace) -> Iterator[Namespace]:
    """One evaluation each: every benchmark with every model and every size of vectors.

    Raises:
        BadInput: not as many data folders as benchmarks.
    """
    benchmarks, data = arguments.benchmark, arguments.data
    if len(data) != len(benchmarks):
        raise BadInput(f"--data: {len(benchmarks)} benchmarks need as many folders, got {len(data)}")
    sizes = arguments.dimensions or [None], arguments.vectors or [None]
    variants: list[tuple[Any, ...]] = list(itertools.product(arguments.model, *sizes))
    for benchmark, folder in zip(benchmarks, data, strict=True):
        for model, dimensions, vectors in variants:
            run = copy.copy(arguments)
            run.benchmark, run.data, run.model, run.dimensions, run.vectors = (
                benchmark,
                folder,
                model,
                dimensions,
                vectors,
            )
            run.label = " ".join(str(part) for part in (Path(model).name, dimensions, vectors) if part is not None)
            if len(benchmarks) * len(variants) > 1:
                name = benchmark or str(arguments.format)
                run.out = arguments.out / _folder_name(name) / _folder_name(run.label)
            yield run


def _folder_name(text: str) -> str:
    return re.sub(r"[^\w.,@+-]+", "-", text)


def _checked(arguments: Namespace) -> BitextBenchmark | None:
    """Fill in what follows from the benchmark, which is returned if it is bitext.

    Raises:
        BadInput: options that do not go together, or no data.
    """
    bitext = _with_pairs(arguments)
    arguments.split = arguments.split or find_split(arguments.benchmark) or "test"
    if arguments.model == BM25 and arguments.language_vectors != "none":
        raise BadInput(f"--language_vectors are taken off vectors, and {BM25} has none")
    if arguments.language_texts and not arguments.language_texts.exists():
        raise BadInput(f"{arguments.language_texts}: no such file or folder")
    if bitext and arguments.language_vectors != "none":
        raise BadInput(f"--language_vectors: none are taken off bitext, and {arguments.benchmark} is bitext")
    if arguments.fuse is not None and arguments.model == BM25:
        raise BadInput(f"--fuse adds {BM25} to a model, and --model is {BM25}")
    if bitext and arguments.vectors not in (None, "fp32"):
        raise BadInput(f"--vectors {arguments.vectors}: bitext has no passages that an index would keep")
    if not arguments.data.is_dir():
        raise BadInput(f"{arguments.data}: no such folder")
    if arguments.depth < 0:
        raise BadInput(f"--depth must be at least 0, got {arguments.depth}")
    arguments.depth = arguments.depth or (NEIGHBOURS if bitext else _depth(_measured(arguments)))
    return bitext


def _evaluate(arguments: Namespace, bitext: BitextBenchmark | None) -> None:
    execution = Execution(work=arguments.out / "work", device=arguments.device, part=arguments.part)
    runs = arguments.out / "retrieve"
    if arguments.model == BM25:
        reads = {"sources": arguments.data}
        runner.run_stage("lexical", _lexical(arguments), reads, runs, dataclasses.replace(execution, part=""))
    else:
        settings = _retrieve(arguments)
        reads = {"sources": _sources(arguments), "model": _model(arguments)}
        runner.run_stage("retrieve", settings, reads, runs, execution)
    if _rank() or arguments.part:
        return
    if arguments.fuse is not None:
        runs = _fuse(arguments, runs, execution)
    scores = arguments.out / "score"
    runner.run_stage("score", _score(arguments), {"sources": arguments.data, "run": runs}, scores, execution)
    _write_run(_run_files(payload(runs), bitext), arguments.out / "run.trec.gz")
    with new_file(arguments.out / "scores.jsonl") as file:
        file.write((scores / "scores" / "scores.jsonl").read_text(encoding="utf-8"))
    _print_scores(arguments)


def _print_scores(arguments: Namespace) -> None:
    rows = [row for _, row in read_json_lines(arguments.out / "scores.jsonl")]
    sys.stdout.write(f"{rows[0]['benchmark']}, {arguments.split}: {rows[0]['model']} ({arguments.out})\n")
    sys.stdout.writelines(f"{line}\n" for line in score_lines(rows))


def _print_overview(runs: list[Namespace]) -> None:
    """All models side by side: a table for each benchmark, of its first measure in its first pool."""
    for benchmark, group in itertools.groupby(runs, key=lambda run: run.benchmark):
        rows = {run.label: [row for _, row in read_json_lines(run.out / "scores.jsonl")] for run in group}
        lines = list(overview_lines(rows))
        sys.stdout.writelines(f"{line}\n" for line in ["", f"{benchmark}: {lines[0]}", *lines[1:]])


def _with_pairs(arguments: Namespace) -> BitextBenchmark | None:
    """The bitext benchmark, if it is one; the wanted pairs become part of its name.

    Raises:
        BadInput: an option that the benchmark has no use for.
    """
    if not arguments.benchmark and not arguments.format:
        raise BadInput("--benchmark NAME or, for data of your own, --format FORMAT is needed")
    languages = listed(arguments.languages or "")
    arguments.benchmark = reference(arguments.benchmark, arguments.format or "", languages, arguments.pairs or "")
    found = find_bitext(arguments.benchmark)
    if found is None:
        return None
    if arguments.model == BM25 or arguments.fuse is not None:
        raise BadInput(f"{arguments.benchmark} is mined by vectors; {BM25} has none")
    return found[0]


def _fuse(arguments: Namespace, dense: Path, execution: Execution) -> Path:
    """The folder of the runs with BM25's added."""
    sparse, fused = arguments.out / "lexical", arguments.out / "fused"
    runner.run_stage("lexical", _lexical(arguments), {"sources": arguments.data}, sparse, execution)
    with new_folder(fused) as folder:
        fuse_folders(payload(dense), payload(sparse), arguments.fuse, arguments.depth, folder)
    return fused


def _measured(arguments: Namespace) -> Benchmark:
    """The benchmark with the measures that are wanted."""
    return find_benchmark(arguments.benchmark).measured_by(listed(arguments.measures))


def _depth(benchmark: Benchmark) -> int:
    """Passages that fusion and the languages of the answers look at; measures need none, they have exact ranks."""
    names = [*benchmark.measures, *(benchmark.language_measures or ())]
    return max([LEAST_DEPTH, benchmark.least_depth, *(parse_measure(name).cutoff or 0 for name in names)])


def _model(arguments: Namespace) -> Path:
    """The model's folder; where it is to be used otherwise than it says, one of links to its files."""
    folder = find_model(arguments.model, arguments.revision)
    usage = Usage(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(Usage)})
    if usage == Usage():
        return folder
    place = arguments.out / "work" / f"model-{_rank()}"
    with new_folder(place) as links:
        link_model(folder, usage, links)
    return place


def _sources(arguments: Namespace) -> Path:
    """The data; with parallel texts, a folder of links to both."""
    texts = arguments.language_texts
    if texts is None:
        return arguments.data
    place = arguments.out / "work" / f"sources-{arguments.part.replace('/', '-')}-{_rank()}"
    with new_folder(place) as links:
        _link_files(payload(arguments.data), links / QUESTIONS)
        _link_files(payload(texts), links / TEXTS / texts.name)
    return place


def _link_files(source: Path, place: Path) -> None:
    """Links to a file, or to all files of a folder: a link to the folder itself would leave no checksum of them."""
    files = [Path(folder) / name for folder, _, names in os.walk(source, followlinks=True) for name in names]
    for file in files or [source]:
        link = place / file.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.resolve())


def _rank() -> int:
    """Number of this process among those that torchrun started."""
    return int(os.environ.get("RANK", "0"))


def _retrieve(arguments: Namespace) -> Retrieve:
    return Retrieve(
        benchmark=arguments.benchmark,
        questions=QUESTIONS if arguments.language_texts else HERE,
        depth=arguments.depth,
        pool_depth=arguments.depth,
        batch_tokens=arguments.batch_tokens,
        precision=resolve_precision(arguments.precision, pick_device(arguments.device)),
        language_vectors=arguments.language_vectors,
        language_texts=f"{TEXTS}/{arguments.language_texts.name}" if arguments.language_texts else "",
        language_sentences=arguments.language_sentences,
        language_pivot=arguments.language_pivot,
    )


def _lexical(arguments: Namespace) -> Lexical:
    """BM25 with Anserini's parameters."""
    return Lexical(
        benchmark=arguments.benchmark,
        questions=HERE,
        analyzer="words",
        k1=0.9,
        b=0.4,
        depth=arguments.depth,
        pool_depth=arguments.depth,
        passage_context=LEXICAL_CONTEXTS[arguments.passage_context],
    )


def _score(arguments: Namespace) -> Score:
    return Score(
        benchmark=arguments.benchmark,
        questions=HERE,
        split=arguments.split,
        setting=arguments.setting,
        model=arguments.name or arguments.label + _treatment(arguments),
        ties=arguments.ties,
        measures=arguments.measures,
        seed=arguments.seed,
    )


def _treatment(arguments: Namespace) -> str:
    """What stands behind the model's name where its own scores are changed."""
    kind = arguments.language_vectors
    shifted = "" if kind == "none" else f" (language vectors: {kind})"
    return shifted + (" + bm25" if arguments.fuse is not None else "")


def _run_files(folder: Path, bitext: BitextBenchmark | None) -> list[Path]:
    """The run of the pool of all languages; without one, those of the languages; of bitext, of its last measure."""
    whole = folder / "multilingual.trec.gz"
    if whole.is_file():
        return [whole]
    return sorted(folder.glob(f"*.{bitext.measures[-1]}.trec.gz" if bitext else "*.trec.gz"))


def _write_run(files: list[Path], path: Path) -> None:
    """Files end to end, as gzip allows."""
    with new_file(path.with_suffix(""), "wb") as file:
        for part in files:
            file.write(part.read_bytes())
    path.with_suffix("").rename(path)
