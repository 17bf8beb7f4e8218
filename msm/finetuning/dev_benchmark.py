"""A measure of a benchmark's dev split, looked at during training.

Whoever selects on a split cannot report it: `selection.questions` is for dev questions, never for those of a test.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from msm.collections.collection import Collection, Pool
from msm.collections.measure_names import Measure, parse_measure
from msm.collections.registry import find_benchmark
from msm.encoders.encoder import Encoder
from msm.errors import BadInput
from msm.evaluation.measures import evaluate
from msm.files import within
from msm.finetuning.settings import Finetune
from msm.retrieval.ranking import search_vectors


class DevBenchmark(NamedTuple):
    """Questions, candidates and judgements, and what is measured of them."""

    collection: Collection
    pools: list[Pool]
    measure: Measure


def read_dev_benchmark(sources: Path, settings: Finetune) -> DevBenchmark | None:
    """The benchmark of `selection.benchmark`, in the pool of all languages where it has one, else in those of each.

    Returns:
        None where the setting is empty.

    Raises:
        BadInput: malformed files, an unknown measure, or `selection.benchmark`, `questions` or
            `measure` without the others.
    """
    chosen = settings.selection
    named = [chosen.benchmark, chosen.questions, chosen.measure]
    if not any(named) and chosen.keep != "dev_measure":
        return None
    if not all(named):
        raise BadInput("selection: benchmark, questions and measure belong together; one of them is empty")
    collection = find_benchmark(chosen.benchmark).read(within(sources, chosen.questions))
    pools = [pool for pool in collection.pools if pool.candidate_language is None]
    pools = pools or [pool for pool in collection.pools if pool.candidate_language == pool.query_language]
    if not pools:
        raise BadInput(f"{chosen.benchmark}: no pool that asks and answers in the same languages")
    return DevBenchmark(collection, pools, parse_measure(chosen.measure))


def measure_dev(encoder: Encoder, dev: DevBenchmark) -> float:
    """The measure, mean over the languages of the questions."""
    training = encoder.training
    encoder.eval()
    queries = encoder.encode_queries([query.text for query in dev.collection.queries])
    vectors = encoder.encode_passages(list(dev.collection.passages))
    encoder.train(training)
    ranking = search_vectors(dev.collection, queries, vectors.__getitem__, dict.fromkeys(dev.pools, 1))
    values: dict[str, list[float]] = {}
    for pool in dev.pools:
        qrels = dev.collection.pool_qrels(pool)
        evaluation = evaluate(qrels, ranking.exact_ranks(pool), [dev.measure], ties="trec")
        for place, value in zip(evaluation.queries, evaluation.measures[0].values, strict=True):
            if not np.isnan(value):
                values.setdefault(dev.collection.queries[place].language, []).append(float(value))
    return float(np.mean([np.mean(each) for each in values.values()]))
