"""`msm mine`: mines hard negatives from a run or a model, into a file that fine-tuning reads."""

import argparse
import sys
from pathlib import Path

import msm
from msm.cli.options import add_batch_tokens, add_device, add_precision
from msm.errors import BadInput
from msm.finetuning.settings import Mine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm mine`."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--model", type=Path, metavar="DIR", help="Folder of the fine-tuned model that ranks the passages."
    )
    source.add_argument(
        "--run",
        type=Path,
        metavar="FILE",
        help="TREC run of the training questions, from whose passages negatives are taken.",
    )
    parser.add_argument(
        "--examples",
        required=True,
        metavar="FILES",
        help="Files of training examples, separated by commas; LANG=FILE gives the language of one file.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="File that gets the examples with their mined negatives, .jsonl or .jsonl.gz.",
    )
    parser.add_argument(
        "--corpus",
        default="",
        metavar="FILE",
        help="File of the passages that are searched. The default is the passages of the examples.",
    )
    parser.add_argument(
        "--language",
        default="en",
        metavar="CODE",
        help="Code of the language of all files for which --examples gives no language (default: en).",
    )
    parser.add_argument(
        "--passage_unit",
        choices=("sentence", "paragraph"),
        default="sentence",
        help="Unit of a SQuAD file that is one passage: the sentence with the answer, or its paragraph "
        "(default: sentence).",
    )
    parser.add_argument(
        "--depth",
        default="1-50",
        metavar="FROM-TO",
        help="First and last rank from which negatives may be taken, counted from 1 (default: 1-50).",
    )
    parser.add_argument(
        "--negatives",
        type=int,
        default=5,
        metavar="N",
        help="Largest number of negatives of each question (default: 5).",
    )
    parser.add_argument(
        "--choice",
        choices=("first", "random"),
        default="first",
        help="Which passages become negatives if more than --negatives are left: those of the first ranks, or random "
        "ones (default: first).",
    )
    parser.add_argument(
        "--filters",
        default="answer, score",
        help="Names of filters, separated by commas. Each filter drops passages: those that hold an answer string "
        "(answer), those of the positive's document (document), or those that score nearly as high as the positive "
        "(score). The default is answer, score.",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=0.0,
        metavar="X",
        help="Smallest difference, in units of the model's score, by which a negative must score less than the "
        "positive for the filter score (default: 0).",
    )
    add_precision(parser)
    add_batch_tokens(parser)
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="Seed of the generator that draws ranks when --choice is random (default: 1).",
    )
    add_device(parser)


def main(arguments: argparse.Namespace) -> None:
    """Mine hard negatives, and print how many passages each filter dropped.

    Raises:
        BadInput: a file or an option is malformed.
    """
    counts = msm.mine(
        _settings(arguments), arguments.out, run=arguments.run, model=arguments.model, device=arguments.device
    )
    reasons = ", ".join(f"{name} {getattr(counts, name)}" for name in ("positive", "answer", "document", "score"))
    sys.stderr.write(
        f"{arguments.out}: {counts.examples} examples, {counts.negatives} negatives, {counts.without} without; "
        f"of {counts.candidates} passages were dropped: {reasons}\n"
    )


def _settings(arguments: argparse.Namespace) -> Mine:
    low, _, high = arguments.depth.partition("-")
    if not (low.isdigit() and high.isdigit()):
        raise BadInput(f"--depth must be FROM-TO, such as 1-50, got {arguments.depth!r}")
    return Mine(
        examples=arguments.examples,
        dev_examples="",
        language=arguments.language,
        passage_unit=arguments.passage_unit,
        corpus=arguments.corpus,
        depth_from=int(low),
        depth_to=int(high),
        negatives=arguments.negatives,
        choice=arguments.choice,
        filters=arguments.filters,
        margin=arguments.margin,
        precision=arguments.precision,
        batch_tokens=arguments.batch_tokens,
        seed=arguments.seed,
    )
