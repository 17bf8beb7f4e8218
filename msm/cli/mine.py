"""`msm mine`: mines hard negatives from a run or a model, into a file that fine-tuning reads."""

import argparse
import sys
from pathlib import Path

import msm
from msm.errors import BadInput
from msm.execution import DEVICES
from msm.finetuning.settings import Mine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm mine`."""
    ranked = parser.add_mutually_exclusive_group(required=True)
    ranked.add_argument("--model", type=Path, metavar="DIR", help="Fine-tuned model that ranks the passages.")
    ranked.add_argument("--run", type=Path, metavar="FILE", help="TREC run of the training questions.")
    parser.add_argument(
        "--examples", required=True, metavar="FILES", help="Training files, with commas; LANG=FILE names a language."
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="File for the mined examples, .jsonl or .jsonl.gz."
    )
    parser.add_argument(
        "--corpus", default="", metavar="FILE", help="Passages to search; by default those of the examples."
    )
    parser.add_argument("--language", default="en", help="Language of the examples (en).")
    parser.add_argument(
        "--passage_unit", choices=("sentence", "paragraph"), default="sentence", help="Passage unit of SQuAD files."
    )
    parser.add_argument(
        "--depth", default="1-50", metavar="FROM-TO", help="First and last rank that may give negatives (1-50)."
    )
    parser.add_argument(
        "--negatives", type=int, default=5, metavar="N", help="Most negatives kept of each question (5)."
    )
    parser.add_argument("--choice", choices=("first", "random"), default="first", help="Which of the ranks are kept.")
    parser.add_argument(
        "--filters", default="answer, score", help="What is no negative: answer, document, score (answer, score)."
    )
    parser.add_argument(
        "--margin", type=float, default=0.0, help="Least distance below the positive's score, for the filter score (0)."
    )
    parser.add_argument(
        "--precision", choices=("fp32", "bf16"), default="fp32", help="Precision of the model's products."
    )
    parser.add_argument("--batch_tokens", type=int, default=16384, metavar="N", help="Tokens that are encoded at once.")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="Seed of the choice random (1).")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="Device that encodes.")


def main(arguments: argparse.Namespace) -> None:
    """Mine hard negatives, and print how many passages each filter dropped.

    Raises:
        BadInput: a file or an option is malformed.
    """
    counts = msm.mine(
        _settings(arguments), arguments.out, run=arguments.run, model=arguments.model, device=arguments.device
    )
    taken = ", ".join(f"{name} {getattr(counts, name)}" for name in ("positive", "answer", "document", "score"))
    sys.stderr.write(
        f"{arguments.out}: {counts.examples} examples, {counts.kept} negatives, {counts.without} without; "
        f"of {counts.candidates} passages were dropped: {taken}\n"
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
