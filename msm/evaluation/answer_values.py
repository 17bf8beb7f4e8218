"""Measures of a run by the answers that its passages hold, for benchmarks whose passages are not judged."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from msm.collections.collection import Collection
from msm.collections.measure_names import ANSWER_DEPTH, AnswerRule
from msm.collections.runs import Floats, Run
from msm.evaluation.answers import find_tokenizer, first_match, first_tokens, holds_leniently, holds_string

Judge = Callable[[list[str], Sequence[str]], dict[str, float]]
"""Texts of the passages, best first, and answers to measures."""

XOR_TOKENS = {"recall@2kt": 2000, "recall@5kt": 5000}
LENIENT = "-lenient"
CUTOFFS = (1, 5, 20, 100)


def judge_of(rule: AnswerRule) -> Judge:
    """Return the function that applies a rule.

    Raises:
        BadInput: the tokenizer's model is missing.
    """
    if rule == "dpr":
        return _dpr
    tokenizer = find_tokenizer("nltk" if rule == "xor-nltk" else "treebank")

    def judge(passages: list[str], answers: Sequence[str]) -> dict[str, float]:
        tokens = first_tokens(passages, tokenizer, max(XOR_TOKENS.values()))
        official = {name: float(holds_string(tokens[:count], answers)) for name, count in XOR_TOKENS.items()}
        lenient = {f"{name}{LENIENT}": float(holds_leniently(tokens[:n], answers)) for name, n in XOR_TOKENS.items()}
        return official | lenient

    return judge


def answer_values(collection: Collection, run: Run, rule: AnswerRule) -> dict[str, Floats]:
    """Return every measure of every query of the collection, in order; a query without passages has 0.

    Args:
        collection: collection with answers.
        run: run whose order is that of the passages, equal scores too.
        rule: rule by which answers are matched.
    """
    judge = judge_of(rule)
    texts = dict(_ranked(collection, run))
    rows = [judge(texts.get(query.query_id, []), collection.answers[query.query_id]) for query in collection.queries]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _dpr(passages: list[str], answers: Sequence[str]) -> dict[str, float]:
    position = first_match(passages[: max(CUTOFFS)], answers)
    return {f"success@{cutoff}": float(position is not None and position < cutoff) for cutoff in CUTOFFS}


def _ranked(collection: Collection, run: Run) -> Iterator[tuple[str, list[str]]]:
    """Query id and texts of its best passages."""
    passages = collection.passages.texts(run.passage_ids.to_pylist())
    passage_texts = [passages[passage].text for passage in run.passage_ids.to_pylist()]
    starts = np.searchsorted(run.queries, np.arange(len(run.query_ids) + 1))
    for index, query in enumerate(run.query_ids.to_pylist()):
        entries = run.passages[starts[index] : min(starts[index + 1], starts[index] + ANSWER_DEPTH)]
        yield query, [passage_texts[entry] for entry in entries]
