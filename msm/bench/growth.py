"""`msm bench growth` measures how time and memory grow with size: of search, of scoring, of packed units, of reports.

Every size is measured in a process of its own. Its inputs are made first; then the processor time of the work alone is
measured, and its peak memory beyond what the process held before.
"""

import ctypes
import functools
import gc
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from msm import files
from msm.bench.corpus import texts, train
from msm.bench.growth_picture import picture
from msm.bench.invented import DEPTH, invented_texts, judged_run, write_model, xlmr
from msm.collections.collection import Pool
from msm.collections.measure_names import parse_measure
from msm.collections.records import Document, Passage, Query
from msm.corpora import units
from msm.corpora.settings import Units
from msm.encoders.loading import open_encoder
from msm.errors import BadInput
from msm.evaluation.measures import evaluate
from msm.evaluation.per_query import SCHEMA, write_per_query
from msm.evaluation.scores import averages, chance_rows, score_rows
from msm.execution import Execution
from msm.pipeline import artifacts
from msm.pipeline.manifests import FORMAT
from msm.reporting import tables
from msm.reporting.results import load, read
from msm.reporting.settings import Report
from msm.retrieval.stream import search

FULL = {
    "search": (50_000, 200_000, 500_000, 2_000_000),
    "score": (1_000, 10_000, 100_000),
    "units": (10, 100, 1_000),
    "report": (10, 100, 500, 2_000),
}
"""Sizes by kind of work: numbers of passages that are encoded and searched, of questions that are scored, of megabytes
of text that are packed into units, and of runs in a report's table."""
QUICK = {"search": (1_000, 4_000), "score": (500, 8_000), "units": (1, 4), "report": (10, 90)}
SEARCH_QUERIES = 100
"""Number of queries of the search."""
LANGUAGES = ("ar", "de", "en", "th")
QUESTIONS = 500
"""Number of questions of each language in a run of the table."""
Work = Callable[[], Any]


def run(quick: bool, *, sizes: Sequence[str] = (), picture_file: str = "") -> Iterator[dict[str, Any]]:
    """Yield a row for each size of each kind of work, then the exponent with which each grows.

    Args:
        quick: whether small sizes are enough.
        sizes: words such as `search=1000,4000`, the sizes of one kind of work each; only these kinds are measured then.
        picture_file: path of the SVG file that gets a picture; empty for none.

    Raises:
        BadInput: a word names no kind of work, or its sizes are no whole numbers above 0.
    """
    sizes_by_kind = read_sizes(sizes) or (QUICK if quick else FULL)
    rows = []
    for kind, steps in sizes_by_kind.items():
        for size in steps:
            rows.append({"name": "growth", "kind": kind, "size": size, **_apart(kind, size)})
            yield rows[-1]
    for kind in sizes_by_kind:
        yield {"name": "growth_exponents", "kind": kind, **exponents([row for row in rows if row["kind"] == kind])}
    if picture_file:
        with files.new_file(Path(picture_file)) as file:
            file.write(picture(rows))


def read_sizes(words: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read the sizes of each kind of work from words such as `search=1000,4000`.

    Raises:
        BadInput: a word names no kind of work, or a size is no whole number above 0.
    """
    sizes = {}
    for word in words:
        kind, _, numbers = word.partition("=")
        if kind not in FULL or not all(number.isdigit() and int(number) for number in numbers.split(",")):
            raise BadInput(f"--sizes takes KIND=N,N,... with KIND one of {', '.join(FULL)}, got {word!r}")
        sizes[kind] = tuple(sorted({int(number) for number in numbers.split(",")}))
    return sizes


def exponents(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the exponents with which time and memory grow with size: 1 is in proportion, 0 is not at all."""
    first, last = rows[0], rows[-1]
    if first["size"] == last["size"]:
        return {"seconds": None, "mib": None}
    step = np.log(last["size"] / first["size"])
    ratios = {key: max(last[key], 0.01) / max(first[key], 0.01) for key in ("seconds", "mib")}
    return {key: round(float(np.log(ratio) / step), 2) for key, ratio in ratios.items()}


def _apart(kind: str, size: int) -> dict[str, float]:
    """Return the cost of the work of one size, measured in a forked process, which has the imports already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with context.Pool(1) as pool:
        return pool.apply(_cost, (kind, size))


def _cost(kind: str, size: int) -> dict[str, float]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        works = {"search": _search, "score": _score, "units": _units, "report": _report}
        work = works[kind](size, Path(name))
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, start = _status("VmRSS"), time.process_time()
        work()
        seconds, peak = time.process_time() - start, _status("VmHWM")
    return {"seconds": round(seconds, 3), "mib": round((peak - before) / 1024, 1)}


def _status(name: str) -> int:
    """Return a value of `/proc/self/status`, such as VmHWM, in KiB."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split(f"{name}:")[1].split()[0])


def _search(size: int, folder: Path) -> Work:
    """Prepare a small model and passages, and return the function that encodes and searches them."""
    some = list(itertools.islice(invented_texts("sentences"), 2_000))
    write_model(functools.partial(xlmr, 2, 64, 2), folder / "model", some)
    encoder = open_encoder(folder / "model", device=torch.device("cpu"), precision="fp32")
    queries = [Query(str(number), "en", text) for number, text in enumerate(some[:SEARCH_QUERIES])]
    passages = (
        Passage(str(passage_number), "en", f"{passage_number} {some[passage_number % len(some)]}")
        for passage_number in range(size)
    )
    encoder.encode_queries(some[:SEARCH_QUERIES])
    return lambda: search(queries, passages, encoder, {Pool("all", None, None): DEPTH}, folder / "records")


def _score(size: int, folder: Path) -> Work:
    """Prepare a run of `size` questions, and return the function that scores it by all measures."""
    del folder
    qrels, run = judged_run(size)
    measures = [parse_measure(name) for name in ("mrr", "recall@100", "ndcg@10", "map@20")]
    return lambda: evaluate(qrels, run, measures, ties="trec")


def _units(size: int, folder: Path) -> Work:
    """Prepare `size` megabytes of text, and return the function that packs them into units."""
    documents, out = folder / "documents", folder / "out"
    documents.mkdir()
    out.mkdir()
    invented_documents, _ = texts(300)
    (folder / "pieces").mkdir()
    pieces = train(folder / "pieces", [sentence for _, sentences in invented_documents for sentence in sentences])
    rows = [sentences for _, sentences in invented_documents]
    line_bytes = [len(" ".join(row).encode()) for row in rows]
    count = int(size * 1e6 / np.mean(line_bytes))
    documents_to_write = (Document("en", str(number), rows[number % len(rows)]) for number in range(count))
    files.write_json_lines(documents / "en.jsonl", (document._asdict() for document in documents_to_write))
    settings = Units(unit_tokens=64, document_units=32, min_units=2)
    return lambda: units.run(
        settings, documents=documents, tokenizer=pieces, out=out, execution=Execution(work=folder, processes=1)
    )


def _report(size: int, folder: Path) -> Work:
    """Prepare the scores of `size` runs, and return the function that makes their first table of the dashboard."""
    for number in range(size):
        _write_scores(folder / "score" / f"lareqa-model-{number:04}", f"model-{number:04}", number)

    def work() -> None:
        benchmark = read(folder / "score").benchmarks[0]
        column = benchmark.columns[0]
        loaded_benchmark, _ = load(benchmark, [column])
        assert loaded_benchmark is not None
        tables.table(loaded_benchmark, column, Report(recipe="growth", controls=""))

    return work


def _write_scores(folder: Path, model: str, seed: int) -> None:
    """Write the score folder of one model and seed, with random values."""
    payload = folder / "scores"
    payload.mkdir(parents=True)
    count = QUESTIONS * len(LANGUAGES)
    languages = [language for language in LANGUAGES for _ in range(QUESTIONS)]
    questions = [f"{number:05}" for number in range(QUESTIONS)] * len(LANGUAGES)
    columns = {
        "query_id": [f"{language}-{question}" for language, question in zip(languages, questions, strict=True)],
        "question_id": questions,
        "cluster_id": questions,
        "query_language": languages,
        "candidate_language": pa.nulls(count, pa.string()),
        "measure": ["map@20"] * count,
        "value": np.random.default_rng(seed).random(count),
        "tied": np.zeros(count, dtype=bool),
        "chance": np.full(count, 0.02),
    }
    rows = pa.table(columns, schema=SCHEMA)
    write_per_query(payload / "per_query.parquet", rows)
    facts = {"benchmark": "lareqa", "split": "test", "setting": "zero-shot", "model": model, "seed": 1}
    facts["protocol"] = "invented; ties trec"
    cells = averages(rows)
    files.write_json_lines(payload / "scores.jsonl", score_rows(cells, facts, {None: "0" * 64}))
    files.write_json_lines(payload / "chance.jsonl", chance_rows(cells, facts))
    manifest = {
        "format": FORMAT,
        "stage": "score",
        "identity": model,
        "code": "",
        "settings": {},
        "inputs": {},
        "payload": "scores",
    }
    files.write_json(folder / artifacts.MANIFEST, manifest | {"outputs": artifacts.checksums(payload), "facts": {}})
