"""Per-query values of bitext mining: whether the target that a run ranks first is a translation."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from msm.collections.bitext import Bitext
from msm.collections.measure_names import Measure
from msm.collections.runs import Qrels, Run
from msm.errors import BadInput
from msm.evaluation.chance import chance
from msm.evaluation.measures import evaluate
from msm.evaluation.per_query import SCHEMA

CHOSEN = Measure("success", 1)


def alignment(bitext: Bitext, equal_texts_are_right: bool) -> Qrels:
    """Return the judgements of a pair: the target of the same line and, by that rule, every target with its text."""
    positions: dict[str, list[int]] = {}
    for position, text in enumerate(bitext.targets):
        positions.setdefault(text if equal_texts_are_right else str(position), []).append(position)
    names = bitext.targets if equal_texts_are_right else map(str, range(len(bitext.targets)))
    pairs = [(source, target) for source, name in enumerate(names) for target in positions[name]]
    sources, targets = np.array(pairs, np.int64).T
    ids = pa.array(bitext.source_ids), pa.array(bitext.target_ids)
    return Qrels(*ids, sources, targets, np.ones(len(pairs), np.int64))


def pair_rows(bitext: Bitext, run: Run, measure: str, equal_texts_are_right: bool, path: Path) -> pa.Table:
    """Return per-query values of one measure of a pair, in the form of `SCHEMA`.

    Args:
        bitext: the pair.
        run: best targets of each source; equal scores in the order of choice.
        measure: `accuracy`, or `xsim` or `xsim++`, which count what is wrong.
        equal_texts_are_right: rule of the benchmark for other targets with the text of the aligned one.
        path: file of the run, for messages.

    Raises:
        BadInput: the run has other sentences.
    """
    for ids, sentence_ids in ((run.query_ids, bitext.source_ids), (run.passage_ids, bitext.target_ids)):
        if others := set(ids.to_pylist()).difference(sentence_ids):
            raise BadInput(f"{path}: {min(others)} is no sentence of {bitext.name}; the run was made for other files")
    evaluation = evaluate(alignment(bitext, equal_texts_are_right), run, [CHOSEN], ties="list")
    [result] = evaluation.measures
    by_chance = chance(CHOSEN, evaluation.relevant, len(bitext.target_ids))
    wrong_counts = measure != "accuracy"
    count = len(bitext.sources)
    columns = {
        "query_id": bitext.source_ids,
        "question_id": list(_lines(bitext)),
        "cluster_id": list(_lines(bitext)),
        "query_language": pa.repeat(bitext.source_language, count),
        "candidate_language": pa.repeat(bitext.target_language, count),
        "measure": pa.repeat(measure, count),
        "value": 1 - result.values if wrong_counts else result.values,
        "tied": result.is_tied,
        "chance": 1 - by_chance if wrong_counts else by_chance,
    }
    return pa.table(columns, schema=SCHEMA)


def _lines(bitext: Bitext) -> Iterator[str]:
    """Return the cluster of each source: its line number, which translations share where languages share lines."""
    for number in range(1, len(bitext.sources) + 1):
        yield str(number) if bitext.shared_lines else f"{bitext.name}-{number}"
