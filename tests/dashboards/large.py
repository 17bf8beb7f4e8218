"""A recipe as large as a study gets: 50 models, 5 benchmarks of 18 languages, 3 seeds, 20,000 queries a run."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from msm import artifacts
from msm.evaluation.per_query import SCHEMA, write_per_query
from msm.evaluation.scores import averages, chance_rows, score_rows
from tests.reporting import made

LANGUAGES = "ar bn de en es fa fi fr hi id ja ko ru sw te th yo zh".split()
CONTROLS = ("untrained", "mlm")
LOGGED, STEPS = 4, 20_000
"""Models with a training log, and lines in it."""


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
    world = made.write_step(root, "sources/world", {}, {"questions.txt": "?"})
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
                tuned = made.write_step(
                    root, f"finetune/{row}", {"sources": world, "start": start}, {"model.safetensors": row}
                )
                run = made.write_step(root, f"retrieve/{row}", {"sources": world, "model": tuned}, {"run.gz": row})
                values = np.clip(0.01 * place + 0.5 * hardness + rng.normal(0, 0.1, len(ids)), 0, 1)
                rows = ids.set_column(5, SCHEMA.field("value"), pa.array(values))
                facts = {"benchmark": benchmark, "split": "test", "setting": "zero-shot", "model": name, "seed": seed}
                _write_scores(root / "score" / row, rows, facts, {"sources": world, "run": run})
    return root


def _ids(queries: int, is_parallel: bool, measures: list[str]) -> pa.Table:
    """Rows of all queries and measures, with values still to come; candidates of all languages in one pool."""
    languages = np.array(LANGUAGES)[np.arange(queries) % len(LANGUAGES)]
    numbers = np.arange(queries) // len(LANGUAGES)
    ids = [f"{language}-{number:05}" for number, language in zip(numbers, languages, strict=True)]
    rows = queries * len(measures)
    columns = {
        "query_id": ids * len(measures),
        "question_id": ([f"{number:05}" for number in numbers] if is_parallel else ids) * len(measures),
        "query_language": list(languages) * len(measures),
        "candidate_language": pa.nulls(rows, pa.string()),
        "measure": np.repeat(measures, queries),
        "value": np.zeros(rows),
        "tied": np.zeros(rows, dtype=bool),
        "chance": np.full(rows, made.FLOOR),
    }
    return pa.table(columns, schema=SCHEMA)


def _write_scores(folder: Path, rows: pa.Table, facts: dict[str, object], inputs: dict[str, Path]) -> None:
    payload = folder / "scores"
    payload.mkdir(parents=True)
    write_per_query(payload / "per_query.parquet", rows)
    cells = averages(rows)
    facts["protocol"] = "invented; ties trec"
    artifacts.write_json_lines(payload / "scores.jsonl", score_rows(cells, facts, {None: "0" * 64}))
    artifacts.write_json_lines(payload / "chance.jsonl", chance_rows(cells, facts))
    made.write_manifest(folder, "score", "scores", inputs)
