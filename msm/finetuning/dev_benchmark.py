"""Evaluates a model on the development split of a benchmark during training.

Scores of questions that weights were selected on cannot be reported, so `selection.questions` takes development
questions, never those of a test.
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
    """The development split of a benchmark, the pools that are searched, and the measure."""

    collection: Collection
    pools: list[Pool]
    measure: Measure


def read_dev_benchmark(sources: Path, settings: Finetune) -> DevBenchmark | None:
    """Read the benchmark that `selection.benchmark` names.

    Returns:
        The benchmark in its pool of all languages where it has one, else in the pools of each language; None where the
        setting is empty.

    Raises:
        BadInput: files are malformed, or no pool asks and answers in the same languages.
    """
    selection = settings.selection
    if not selection.benchmark:
        return None
    collection = find_benchmark(selection.benchmark).read(within(sources, selection.questions))
    pools = [pool for pool in collection.pools if pool.candidate_language is None]
    pools = pools or [pool for pool in collection.pools if pool.candidate_language == pool.query_language]
    if not pools:
        raise BadInput(f"{selection.benchmark}: no pool that asks and answers in the same languages")
    return DevBenchmark(collection, pools, parse_measure(selection.measure))


def measure_dev(encoder: Encoder, dev: DevBenchmark) -> float:
    """Return the measure of a model: the mean over the languages of the means over their questions."""
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
        for query, value in zip(evaluation.queries, evaluation.measures[0].values, strict=True):
            if not np.isnan(value):
                values.setdefault(dev.collection.queries[query].language, []).append(float(value))
    return float(np.mean([np.mean(each) for each in values.values()]))
