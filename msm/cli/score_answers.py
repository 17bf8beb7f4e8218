"""`msm score-answers`: scores retrieved passages by the answers that they hold, and prints one JSON object a line.

For XOR-Retrieve the questions of the prediction file count that have an answer other than yes and no. As in the
official scorer, questions that the file leaves out do not count; their number is printed. For Natural Questions all
questions count.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, get_args

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
from msm.files import write_json_lines


class Hit(NamedTuple):
    """Whether the passages of a question hold an answer, by one measure."""

    measure: str
    language: str
    hit: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm score-answers`."""
    parser.add_argument("--benchmark", required=True, choices=("xor_retrieve", "nq"))
    parser.add_argument(
        "--gold", type=Path, metavar="FILE", help="Questions with answers, JSON Lines, which may be compressed."
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        metavar="FILE",
        help="Predictions, a JSON list, which may be compressed.",
    )
    parser.add_argument(
        "--tokenizer",
        choices=get_args(TokenizerName),
        help="Tokenizer of xor_retrieve: nltk (the default), or treebank, which needs no model.",
    )
    parser.add_argument(
        "--lenient", action="store_true", help="For xor_retrieve, add a measure that ignores punctuation."
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="File that gets the printed lines too.")


def main(arguments: Namespace) -> None:
    """Print every measure by language, and the mean over the languages.

    Raises:
        BadInput: a file is malformed, the files share no question, or the model of the tokenizer is missing.
    """
    if arguments.benchmark == "nq" and (arguments.tokenizer or arguments.lenient):
        raise BadInput("--tokenizer and --lenient are for xor_retrieve; nq has one way to match answers")
    hits = _nq_hits(arguments) if arguments.benchmark == "nq" else _xor_hits(arguments)
    if not hits:
        raise BadInput(f"{arguments.predictions}: no question that counts")
    extra = {"tokenizer": "treebank"} if arguments.tokenizer == "treebank" else {}
    rows = [row | extra for row in averaged(hits)]
    if arguments.out:
        write_json_lines(arguments.out, rows)
    sys.stdout.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


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


def _xor_hits(arguments: Namespace) -> list[Hit]:
    if arguments.gold is None:
        raise BadInput("--gold is needed for xor_retrieve")
    tokenizer = find_tokenizer(arguments.tokenizer or "nltk")
    gold = {question: spans(answers) for question, answers in read_xor_answers(arguments.gold).items()}
    predictions = read_xor_predictions(arguments.predictions)
    counted = [prediction for prediction in predictions if gold.get(prediction.question_id)]
    _say_missing(arguments, sum(map(bool, gold.values())) - len(counted), "are left out, as by the official scorer")
    hits = [
        list(xor_hits(prediction, gold[prediction.question_id], tokenizer, lenient=arguments.lenient))
        for prediction in tqdm(counted, desc="match", unit=" questions", disable=None)
    ]
    return [hit for part in hits for hit in part]


def _nq_hits(arguments: Namespace) -> list[Hit]:
    predictions, beside = read_nq_predictions(arguments.predictions)
    gold = beside if arguments.gold is None else read_nq_answers(arguments.gold)
    found = {prediction.question_id: prediction for prediction in predictions}
    if arguments.gold is None and len(beside) < len(found):
        [first, *_] = found.keys() - beside.keys()
        raise BadInput(f"{arguments.predictions}: no `answers` for {first!r}; give --gold")
    if not gold.keys() & found.keys():
        raise BadInput(f"{arguments.predictions}: none of the questions of {arguments.gold}")
    _say_missing(arguments, len(gold.keys() - found.keys()), "count 0")
    language = predictions[0].language
    places = {
        question: (found[question].language, first_match(found[question].passages[: max(CUTOFFS)], answers))
        if question in found
        else (language, None)
        for question, answers in gold.items()
    }
    return [
        Hit(f"success@{cutoff}", language, place is not None and place < cutoff)
        for cutoff in CUTOFFS
        for language, place in places.values()
    ]


def _say_missing(arguments: Namespace, missing: int, what: str) -> None:
    if missing:
        sys.stderr.write(f"{arguments.predictions}: {missing} questions of {arguments.gold} have no entry and {what}\n")
