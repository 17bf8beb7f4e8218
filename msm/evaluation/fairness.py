"""Measures whether a ranker treats the languages of one pool alike; one value for each question, from its best answers.

| measure | value of a question | source |
|---|---|---|
| `peer@20` | probability that relevant passages of all languages have one expected rank (Kruskal-Wallis); greater is fairer | Yang et al. 2024, Language fairness in multilingual information retrieval, SIGIR; as package `peer_measure` computes it |
| `mrc@20` | Spearman's correlation of its ranking with that of its translations, mean over them (mean rank correlation) | Yang et al. 2025, arXiv:2509.06195, which ranks the whole pool |
| `other_languages_recall@20` | share of the relevant passages in other languages than the question's that are found | our own; SHIFT (arXiv:2606.18801) calls a measure of this kind target-languages recall, its formula was not at hand |
| `own_first@100` | 1 where a relevant passage in the question's language stands before all relevant ones in others | our own; MLAIRE (arXiv:2605.07249) calls a measure of this kind language preference rate, its formula was not at hand |
| `best_right_own`, `best_right_other`, `best_wrong_own`, `best_wrong_other` | 1 for the one that the best answer is: relevant or not, in the question's language or not; the four means sum to 1 | our own, after MLAIRE's idea |

In `peer` every label of 1 and above that occurs has the same weight, label 0 has none. In `mrc` the rankings end at 20:
of the union of two, those that one lacks share the places behind its last. Answers are taken in the order of the run.
A question is left out where the collection gives a measure no meaning: no relevant passage in its own language or in
another, no translation. Without any answer, `best_wrong_other` is 1.

Shapes: Q questions, K answers, L translations of one question.
"""  # noqa: E501

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from msm.collections.collection import Collection
from msm.collections.measure_names import SPLIT
from msm.collections.runs import Floats, Run

DEPTH, FIRST_DEPTH = 20, 100
"""Numbers of best answers that the measures, and that `own_first`, look at."""


class Answers(NamedTuple):
    """Relevant passages of one question, and the passages that a ranker gave for it."""

    language: str
    relevant: dict[str, tuple[str, int]]
    """Language and label of each relevant passage, by id."""
    ids: list[str]
    """Ids of the best answers, best first, [K]."""
    languages: list[str]
    """Language of each answer, [K]."""


def fairness(collection: Collection, run: Run, languages: Mapping[str, str]) -> dict[str, Floats]:
    """Return the values of every query of a collection by each measure; NaN where a measure has no meaning, [Q].

    Args:
        collection: queries and judgements.
        run: run on the pool of all languages.
        languages: language of every passage of the run.
    """
    answers = _answers(collection, run, languages)
    labels = sorted({label for one in answers for _, label in one.relevant.values()})
    best = np.array([_best(one) for one in answers], np.float64).reshape(-1, len(SPLIT))
    return {
        f"peer@{DEPTH}": peer([_samples(one, DEPTH) for one in answers], labels),
        f"mrc@{DEPTH}": _mrc(collection.questions, [one.ids[:DEPTH] for one in answers]),
        f"other_languages_recall@{DEPTH}": np.array([_other_recall(one) for one in answers]),
        f"own_first@{FIRST_DEPTH}": np.array([_own_first(one) for one in answers]),
        **dict(zip(SPLIT, best.T, strict=True)),
    }


def _answers(collection: Collection, run: Run, languages: Mapping[str, str]) -> list[Answers]:
    relevant: list[dict[str, tuple[str, int]]] = [{} for _ in collection.queries]
    qrels, passage_languages = collection.qrels, collection.passages.languages
    names = qrels.passage_ids.to_pylist()
    for query, passage, label in zip(qrels.queries, qrels.passages, qrels.labels.tolist(), strict=True):
        if label >= 1:
            relevant[query][names[passage]] = (passage_languages[names[passage]], label)
    starts = np.searchsorted(run.queries, np.arange(len(run.query_ids) + 1))
    rows = {query_id: row for row, query_id in enumerate(run.query_ids.to_pylist())}
    ids = run.passage_ids.to_pylist()
    answers = []
    for query, of_query in zip(collection.queries, relevant, strict=True):
        row = rows.get(query.query_id)
        first, last = (0, 0) if row is None else (starts[row], min(starts[row + 1], starts[row] + FIRST_DEPTH))
        best = [ids[index] for index in run.passages[first:last]]
        answers.append(Answers(query.language, of_query, best, [languages[name] for name in best]))
    return answers


def _samples(one: Answers, depth: int) -> dict[int, dict[str, list[float]]]:
    """Return the ranks of the relevant passages by label and language; NaN for each that was not retrieved."""
    ranks = {name: rank for rank, name in enumerate(one.ids[:depth], start=1)}
    samples: dict[int, dict[str, list[float]]] = {}
    for name, (language, label) in one.relevant.items():
        samples.setdefault(label, {}).setdefault(language, []).append(ranks.get(name, np.nan))
    return samples


def peer(samples: Sequence[Mapping[int, Mapping[str, Sequence[float]]]], labels: Sequence[int]) -> Floats:
    """Return the probability of equal expected rank, [Q].

    Args:
        samples: ranks of the relevant passages of each question, by label and language; NaN for one not retrieved.
        labels: all labels that occur; each has the same weight.
    """
    values = np.zeros(len(samples))
    for label in labels:
        statistics = [_kruskal_wallis(list(one.get(label, {}).values())) for one in samples]
        heights, freedom = np.array(statistics, np.float64).reshape(-1, 2).T
        is_judged = np.array([label in one for one in samples])
        values += is_judged * np.where(freedom > 0, chdtrc(np.maximum(freedom, 1), heights), 1.0) / len(labels)
    return np.where([len(one) > 0 for one in samples], values, np.nan)


def _kruskal_wallis(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Return H without a correction for ties, and its degrees of freedom, 0 where nothing can be compared."""
    ranks = np.concatenate(groups) if groups else np.empty(0)
    is_unranked = np.isnan(ranks)
    if len(groups) < 2 or is_unranked.all():
        return 0.0, 0
    ranks = np.where(is_unranked, (2 * len(ranks) + np.count_nonzero(is_unranked) + 1) / 2, ranks)
    sizes = np.array([len(group) for group in groups])
    sums = np.add.reduceat(ranks, np.cumsum(sizes) - sizes)
    between = np.sum(sizes * (sums / sizes - ranks.mean()) ** 2)
    total = np.sum((ranks - ranks.mean()) ** 2)
    return (float((len(ranks) - 1) * between / total), len(groups) - 1) if total > 0 else (0.0, 0)


def _mrc(questions: Sequence[str], rankings: Sequence[list[str]]) -> Floats:
    translations_of: dict[str, list[int]] = {}
    for position, question in enumerate(questions):
        translations_of.setdefault(question, []).append(position)
    values = np.full(len(questions), np.nan)
    for translations in translations_of.values():
        if len(translations) > 1:
            values[translations] = mean_rank_correlation([rankings[position] for position in translations])
    return values


def mean_rank_correlation(rankings: Sequence[Sequence[str]]) -> Floats:
    """Return the mean of Spearman's correlations of each ranking with the others, [L].

    Two rankings are compared over the union of their passages; those that one lacks share the places behind its last.
    Where a ranking is empty the correlation is 0.

    Args:
        rankings: passage ids of each ranking, best first.
    """
    columns = {name: column for column, name in enumerate(dict.fromkeys(name for one in rankings for name in one))}
    ranks = np.zeros((len(rankings), len(columns)))
    for row, names in enumerate(rankings):
        ranks[row, [columns[name] for name in names]] = np.arange(1, len(names) + 1)
    present = (ranks > 0).astype(np.float64)
    counts = present.sum(axis=1)
    union = counts[:, None] + counts - present @ present.T
    behind = (counts[:, None] + 1 + union) / 2
    # Of the row's ranks: their sum over what the column's ranking lacks, too.
    alone = (counts * (counts + 1) / 2)[:, None] - ranks @ present.T
    mean = (union + 1) / 2
    products = ranks @ ranks.T + alone * behind.T + alone.T * behind - union * mean**2
    squares = np.sum(ranks**2, axis=1)[:, None] + (union - counts[:, None]) * behind**2 - union * mean**2
    scale = np.sqrt(np.maximum(squares, 0) * np.maximum(squares.T, 0))
    is_same = (union == 1) & (counts[:, None] == counts)
    correlations = np.where(is_same, 1.0, np.divide(products, scale, out=np.zeros_like(scale), where=scale > 1e-9))
    np.fill_diagonal(correlations, 0)
    return np.clip(correlations.sum(axis=1) / (len(rankings) - 1), -1, 1)


def _other_recall(one: Answers) -> float:
    relevant = {name for name, (language, _) in one.relevant.items() if language != one.language}
    return len(relevant.intersection(one.ids[:DEPTH])) / len(relevant) if relevant else np.nan


def _own_first(one: Answers) -> float:
    languages = {language for language, _ in one.relevant.values()}
    if one.language not in languages or len(languages) < 2:
        return np.nan
    first = next((name for name in one.ids if name in one.relevant), None)
    return float(first is not None and one.relevant[first][0] == one.language)


def _best(one: Answers) -> list[float]:
    """Which of `SPLIT` the best answer is."""
    if not one.relevant:
        return [np.nan] * len(SPLIT)
    is_right = bool(one.ids) and one.ids[0] in one.relevant
    is_own = bool(one.ids) and one.languages[0] == one.language
    return [float((is_right, is_own) == kind) for kind in ((True, True), (True, False), (False, True), (False, False))]
