"""`msm score-answers`: scores retrieved passages by the answers that they hold, and prints one JSON object a line."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import get_args

from msm.evaluation.answers import TokenizerName
from msm.files import write_json_lines
from msm.verbs.score_answers import score_answers

MISSING = {"xor_retrieve": "are left out, as by the official scorer", "nq": "count 0"}
"""Words for the effect of questions without predictions, by benchmark."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm score-answers`."""
    parser.add_argument(
        "--benchmark",
        required=True,
        choices=("xor_retrieve", "nq"),
        help="Benchmark whose rules are followed: XOR Retrieve (xor_retrieve) or Natural Questions (nq).",
    )
    parser.add_argument(
        "--gold", type=Path, metavar="FILE", help="File of questions with answers (JSON Lines); it may be compressed."
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        metavar="FILE",
        help="File of the retrieved passages of each question (a JSON list); it may be compressed.",
    )
    parser.add_argument(
        "--tokenizer",
        choices=get_args(TokenizerName),
        help="Tokenizer that counts words for xor_retrieve: nltk, or treebank, which needs no model (default: nltk).",
    )
    parser.add_argument(
        "--lenient", action="store_true", help="Add a measure that ignores punctuation. For xor_retrieve."
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="File that gets a copy of the printed lines.")


def main(arguments: Namespace) -> None:
    """Print every measure by language, and the mean over the languages.

    Raises:
        BadInput: a file is malformed, the files share no question, or the model of the tokenizer is missing.
    """
    scores = score_answers(
        arguments.benchmark,
        arguments.predictions,
        gold=arguments.gold,
        tokenizer=arguments.tokenizer,
        lenient=arguments.lenient,
    )
    if scores.missing:
        what = f"{scores.missing} questions of {arguments.gold} have no entry and {MISSING[arguments.benchmark]}"
        sys.stderr.write(f"{arguments.predictions}: {what}\n")
    if arguments.out:
        write_json_lines(arguments.out, scores.rows)
    sys.stdout.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in scores.rows)
