"""A recipe as large as a study gets: 50 models, 5 benchmarks of 18 languages, 3 seeds, 20,000 queries a run.

The models that a page compares before anybody chose others have rankings: 100 of 100,000 passages for every query.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from msm import files
from msm.collections.registry import find_benchmark
from msm.collections.runs import Run, ranked_run
from msm.collections.trec_files import write_run
from msm.evaluation.language_bias import DEPTHS, FILE, bias, bias_rows
from msm.evaluation.per_query import SCHEMA, write_per_query
from msm.evaluation.scores import averages, chance_rows, score_rows
from msm.pipeline import artifacts
from tests.reporting import made

LANGUAGES = "ar bn de en es fa fi fr hi id ja ko ru sw te th yo zh".split()
CONTROLS = ("untrained", "mlm")
TEXTS = "study"
"""Folder of the collection."""
LOGGED, STEPS = 4, 20_000
"""Models with a training log, and lines in it."""
RANKED, COMPARED = "miracl", 2
"""Benchmark with rankings, and how many models, the last ones, have them with the first seed."""
PASSAGES, DEPTH = 100_000, 100


class Size(NamedTuple):
    """How much is written."""

    models: int = 50
    seeds: int = 3
    queries: int = 20_000


BENCHMARKS: dict[str, tuple[str, bool]] = {
    "lareqa": ("map@20", True),
    "xquad_r": ("map@20", True),
    "miracl": ("ndcg@10", False),
    "mr_tydi": ("mrr@100", False),
    "mewsli_x": ("map@20", False),
}
"""Measure beside `recall@100`, and whether the questions are the same in all languages."""


def write_large(root: Path, size: Size) -> Path:
    """Fill `root`, such as `results/large`, with score folders and the manifests behind them."""
    names = [*CONTROLS, *(f"model-{number:02}" for number in range(len(CONTROLS), size.models))]
    log = "".join(json.dumps({"step": step, "loss": 4 + 1 / step, "accuracy": 0.5}) + "\n" for step in range(1, STEPS))
    world = made.write_step(root, "sources/world", {}, _texts(size.queries))
    collection = find_benchmark("beir").read(world / "payload" / TEXTS)
    for benchmark, (measure, is_parallel) in BENCHMARKS.items():
        ids = _ids(size.queries, is_parallel, ["recall@100", measure])
        rng = np.random.default_rng(len(benchmark))
        hardness = rng.uniform(size=len(ids))
        for place, name in enumerate(names):
            for seed in range(1, size.seeds + 1):
                row = f"{benchmark}-{name}-{seed}"
                start = made.write_step(root, f"pretrain/{name}-{seed}", {}, {"model.safetensors": row})
                if place < LOGGED and not (start / artifacts.LOG).is_file():
                    (start / artifacts.LOG).write_text(log)
                finetuning = made.write_step(
                    root, f"finetune/{row}", {"sources": world, "start": start}, {"model.safetensors": row}
                )
                is_compared = benchmark == RANKED and seed == 1 and place >= size.models - COMPARED
                best_run = _run(size.queries, place) if is_compared else None
                run = _write_run(root / "retrieve" / row, best_run, {"sources": world, "model": finetuning})
                values = np.clip(0.01 * place + 0.5 * hardness + rng.normal(0, 0.1, len(ids)), 0, 1)
                value = SCHEMA.get_field_index("value")
                rows = ids.set_column(value, SCHEMA.field(value), pa.array(values))
                facts = {"benchmark": benchmark, "split": "test", "setting": "zero-shot", "model": name, "seed": seed}
                shares = bias_rows(bias(collection, best_run, DEPTHS)) if best_run else []
                _write_scores(root / "score" / row, rows, facts, {"sources": world, "run": run}, shares)
    return root


def _texts(queries: int) -> dict[str, str]:
    """A collection in BEIR's layout; one passage is relevant to a query."""
    questions = [(LANGUAGES[place % len(LANGUAGES)], place // len(LANGUAGES)) for place in range(queries)]
    files: dict[str, Iterable[dict[str, str]]] = {
        "corpus.jsonl": (
            {"_id": f"p{place}", "language": LANGUAGES[place % len(LANGUAGES)], "text": f"passage {place} " * 30}
            for place in range(PASSAGES)
        ),
        "queries.jsonl": (
            {"_id": f"{language}-{number:05}", "language": language, "text": f"{language} {number}?"}
            for language, number in questions
        ),
    }
    contents = {name: "".join(json.dumps(line) + "\n" for line in lines) for name, lines in files.items()}
    qrels = "".join(f"{language}-{number:05}\tp{place}\t1\n" for place, (language, number) in enumerate(questions))
    return {f"{TEXTS}/{name}": text for name, text in (contents | {"qrels/test.tsv": qrels}).items()}


def _run(queries: int, seed: int) -> Run:
    """Rankings at random."""
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.random((queries, DEPTH), np.float32), axis=1)
    passages = (np.arange(DEPTH) * 997 + rng.integers(PASSAGES, size=(queries, 1))) % PASSAGES
    ids = [f"{LANGUAGES[place % len(LANGUAGES)]}-{place // len(LANGUAGES):05}" for place in range(queries)]
    return ranked_run(pa.array(ids), pa.array([f"p{place}" for place in range(PASSAGES)]), passages, scores)


def _write_run(folder: Path, run: Run | None, inputs: dict[str, Path]) -> Path:
    payload = folder / "run"
    payload.mkdir(parents=True)
    if run:
        write_run(payload / "multilingual.trec.gz", run, "made")
    made.write_manifest(folder, "retrieve", "run", inputs)
    return folder


def _ids(queries: int, is_parallel: bool, measures: list[str]) -> pa.Table:
    """Rows of all queries and measures, with values still to come; candidates of all languages in one pool."""
    languages = np.array(LANGUAGES)[np.arange(queries) % len(LANGUAGES)]
    numbers = np.arange(queries) // len(LANGUAGES)
    ids = [f"{language}-{number:05}" for number, language in zip(numbers, languages, strict=True)]
    query_ids = [
        f"{number:05}" if is_parallel else f"{text[:2]}-{text}" for number, text in zip(numbers, ids, strict=True)
    ]
    rows = queries * len(measures)
    columns = {
        "query_id": ids * len(measures),
        "question_id": query_ids * len(measures),
        "cluster_id": pa.nulls(rows, pa.string()),
        "query_language": list(languages) * len(measures),
        "candidate_language": pa.nulls(rows, pa.string()),
        "measure": np.repeat(measures, queries),
        "value": np.zeros(rows),
        "tied": np.zeros(rows, dtype=bool),
        "chance": np.full(rows, made.FLOOR),
    }
    return pa.table(columns, schema=SCHEMA)


def _write_scores(
    folder: Path,
    rows: pa.Table,
    facts: dict[str, object],
    inputs: dict[str, Path],
    shares: Iterable[dict[str, object]],
) -> None:
    payload = folder / "scores"
    payload.mkdir(parents=True)
    write_per_query(payload / "per_query.parquet", rows)
    cells = averages(rows)
    facts["protocol"] = "invented; ties trec"
    files.write_json_lines(payload / "scores.jsonl", score_rows(cells, facts, {None: "0" * 64}))
    files.write_json_lines(payload / "chance.jsonl", chance_rows(cells, facts))
    files.write_json_lines(payload / FILE, shares)
    made.write_manifest(folder, "score", "scores", inputs, {"benchmark": f"beir:{TEXTS}", "questions": TEXTS})
