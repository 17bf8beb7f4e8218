"""Stage `retrieve`: encode questions and candidates, search every pool exactly, write the runs."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from msm.errors import BadInput
from msm.evaluation.benchmarks import find_benchmark
from msm.evaluation.collection import Collection, Pool
from msm.execution import Execution
from msm.records import Passage
from msm.retrieval.encode import TextEncoder, load_text_encoder
from msm.retrieval.run_folder import pool_depth, write_pool, write_protocol
from msm.retrieval.runs import Floats
from msm.retrieval.search import BestPassages, nearest
from msm.settings import Retrieve
from msm.training import pick_device

SHARD_PASSAGES = 16384
"""Passages encoded before they are searched; bounds the memory."""


def run(settings: Retrieve, *, sources: Path, model: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write a run for every pool of a benchmark.

    Args:
        settings: of the stage.
        sources: holds the folder of questions.
        model: fine-tuned model folder.
        out: empty folder to fill.
        execution: the device.

    Returns:
        Counts for the manifest.

    Raises:
        BadInput: malformed questions, a depth below what the measures look at, or a model that gives no numbers.
    """
    benchmark = find_benchmark(settings.benchmark)
    collection = benchmark.read(sources / settings.questions)
    depths = {pool: pool_depth(benchmark, pool, settings.depth, settings.pool_depth) for pool in collection.pools}
    encoder = load_text_encoder(
        model,
        device=pick_device(execution.device),
        precision=settings.precision,
        batch_tokens=settings.batch_tokens,
    )
    for pool, best in search(collection, encoder, depths).items():
        write_pool(out, collection, pool, best.passages, best.scores, "dense")
    usage = dataclasses.asdict(encoder.model.usage) | {"precision": settings.precision}
    # The scale multiplies every score alike.
    write_protocol(out, {name: value for name, value in usage.items() if name != "scale" and value != ""})
    return {"queries": len(collection.queries), "passages": len(collection.passages), "pools": len(collection.pools)}


def search(collection: Collection, encoder: TextEncoder, depths: dict[Pool, int]) -> dict[Pool, BestPassages]:
    """The best passages of every pool.

    Args:
        collection: queries, passages and pools.
        encoder: texts to vectors.
        depths: passages to keep for each query, by pool.

    Raises:
        BadInput: a vector that is not finite.
    """
    queries = encoder.encode_queries([query.text for query in collection.queries])
    _check(queries, [query.query_id for query in collection.queries])
    asked = {pool: queries[collection.pool_queries(pool)] for pool in depths}
    best = {pool: BestPassages(len(asked[pool]), depth) for pool, depth in depths.items()}
    with tqdm(total=len(collection.passages), desc="encode and search", unit=" passages") as progress:
        for first, shard in shards(collection.passages, SHARD_PASSAGES):
            vectors = encoder.encode_passages(shard)
            _check(vectors, [passage.passage_id for passage in shard])
            for pool, depth in depths.items():
                if pool.candidate_language in (None, shard[0].language):
                    places, scores = nearest(asked[pool], vectors, depth)
                    best[pool].add(places + first, scores)
            progress.update(len(shard))
    return best


def shards(passages: Iterable[Passage], size: int) -> Iterator[tuple[int, list[Passage]]]:
    """Place of the first passage, and passages of one language, at most so many; in the given order."""
    first = 0
    for _, same in itertools.groupby(passages, key=lambda passage: passage.language):
        while shard := list(itertools.islice(same, size)):
            yield first, shard
            first += len(shard)


def _check(vectors: Floats, ids: list[str]) -> None:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise BadInput(f"the model's vector of {ids[int(np.argmin(finite))]} is not finite; its training diverged")
