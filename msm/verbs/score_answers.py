"""Scores retrieved passages by the answers that they hold.

For XOR-Retrieve the questions of the prediction file count that have an answer other than yes and no. As in the
official scorer, questions that the file leaves out do not count; their number is returned. For Natural Questions all
questions count.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, NamedTuple

from tqdm import tqdm

from msm.collections.readers.answer_files import (
    Prediction,
    read_nq_answers,
    read_nq_predictions,
    read_xor_answers,
    read_xor_predictions,
)
from msm.errors import BadInput
from msm.evaluation.answer_values import CUTOFFS, LENIENT, XOR_TOKENS
from msm.evaluation.answers import (
    Tokenizer,
    TokenizerName,
    find_tokenizer,
    first_match,
    first_tokens,
    holds_leniently,
    holds_string,
    spans,
)


class Hit(NamedTuple):
    """Whether the passages of a question hold an answer, by one measure."""

    measure: str
    language: str
    hit: bool


class AnswerScores(NamedTuple):
    """Scores by answers."""

    rows: list[dict[str, Any]]
    """Every measure by language, and the mean over the languages: measure, language, value from 0 to 1, queries."""
    missing: int
    """Number of the questions that the predictions leave out: of XOR-Retrieve they do not count, of Natural Questions
    they count 0."""


def score_answers(
    benchmark: Literal["xor_retrieve", "nq"],
    predictions: str | Path,
    *,
    gold: str | Path | None = None,
    tokenizer: TokenizerName | None = None,
    lenient: bool = False,
) -> AnswerScores:
    """Score retrieved passages by the answers that they hold.

    Args:
        benchmark: `xor_retrieve` or `nq`.
        predictions: file of the passages of every question, a JSON list, which may be compressed.
        gold: file of questions with answers, JSON Lines, which may be compressed; for `nq` those beside the
            predictions when not given.
        tokenizer: tokenizer of `xor_retrieve`: `nltk`, the default, or `treebank`, which needs no model.
        lenient: whether to add a measure that ignores punctuation, for `xor_retrieve`.

    Raises:
        BadInput: a file is malformed, the files share no question, or the model of the tokenizer is missing.
    """
    predictions, gold = Path(predictions), None if gold is None else Path(gold)
    if benchmark == "nq":
        if tokenizer or lenient:
            raise BadInput("--tokenizer and --lenient are for xor_retrieve; nq has one way to match answers")
        hits, missing_count = _nq_hits(predictions, gold)
    else:
        if gold is None:
            raise BadInput("--gold is needed for xor_retrieve")
        hits, missing_count = _xor_hits(predictions, gold, find_tokenizer(tokenizer or "nltk"), lenient=lenient)
    if not hits:
        raise BadInput(f"{predictions}: no question that counts")
    extra = {"tokenizer": "treebank"} if tokenizer == "treebank" else {}
    return AnswerScores([row | extra for row in averaged(hits)], missing_count)


def averaged(hits: list[Hit]) -> Iterator[dict[str, Any]]:
    """Yield the share of hits by measure and language, and the unweighted mean over the languages."""
    for measure in dict.fromkeys(hit.measure for hit in hits):
        by_language: dict[str, list[bool]] = {}
        for hit in hits:
            if hit.measure == measure:
                by_language.setdefault(hit.language, []).append(hit.hit)
        shares = {language: fmean(by_language[language]) for language in sorted(by_language)}
        for language, share in shares.items():
            yield {"measure": measure, "language": language, "value": share, "queries": len(by_language[language])}
        total = sum(map(len, by_language.values()))
        yield {"measure": measure, "language": "mean", "value": fmean(shares.values()), "queries": total}


def xor_hits(prediction: Prediction, answers: list[str], tokenizer: Tokenizer, *, lenient: bool) -> Iterator[Hit]:
    """Yield the hits of one question of XOR-Retrieve.

    Args:
        prediction: texts of the passages, without titles.
        answers: answers other than yes and no.
        tokenizer: tokenizer of the passages.
        lenient: whether to add the lenient measures.
    """
    tokens = first_tokens(prediction.passages, tokenizer, max(XOR_TOKENS.values()))
    for measure, count in XOR_TOKENS.items():
        yield Hit(measure, prediction.language, holds_string(tokens[:count], answers))
    for measure, count in XOR_TOKENS.items() if lenient else ():
        yield Hit(measure + LENIENT, prediction.language, holds_leniently(tokens[:count], answers))


def _xor_hits(path: Path, gold: Path, tokenizer: Tokenizer, *, lenient: bool) -> tuple[list[Hit], int]:
    """Return the hits of all questions, and the number of questions that have no entry."""
    answers = {question: spans(texts) for question, texts in read_xor_answers(gold).items()}
    predictions = [prediction for prediction in read_xor_predictions(path) if answers.get(prediction.question_id)]
    hits = [
        list(xor_hits(prediction, answers[prediction.question_id], tokenizer, lenient=lenient))
        for prediction in tqdm(predictions, desc="match", unit=" questions", disable=None)
    ]
    return [hit for part in hits for hit in part], sum(map(bool, answers.values())) - len(predictions)


def _nq_hits(path: Path, gold: Path | None) -> tuple[list[Hit], int]:
    """Return the hits of all questions, and the number of questions that have no entry."""
    predictions, beside = read_nq_predictions(path)
    answers = beside if gold is None else read_nq_answers(gold)
    entries = {prediction.question_id: prediction for prediction in predictions}
    if gold is None and len(beside) < len(entries):
        [first, *_] = entries.keys() - beside.keys()
        raise BadInput(f"{path}: no `answers` for {first!r}; give --gold")
    if not answers.keys() & entries.keys():
        raise BadInput(f"{path}: none of the questions of {gold}")
    language = predictions[0].language
    places = {
        question: (entries[question].language, first_match(entries[question].passages[: max(CUTOFFS)], texts))
        if question in entries
        else (language, None)
        for question, texts in answers.items()
    }
    hits = [
        Hit(f"success@{cutoff}", language, place is not None and place < cutoff)
        for cutoff in CUTOFFS
        for language, place in places.values()
    ]
    return hits, len(answers.keys() - entries.keys())
