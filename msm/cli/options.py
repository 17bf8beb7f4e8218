"""Options that several commands share, so that one option has one meaning and one help text."""

import argparse
from pathlib import Path
from typing import get_args

from msm import tracking
from msm.evaluation.settings import Setting
from msm.execution import DEVICES

Parser = argparse._ActionsContainer
"""A parser, or a group of options of a parser."""


def add_recipe(parser: Parser) -> None:
    """Declare `--recipe`."""
    parser.add_argument(
        "--recipe", required=True, metavar="RECIPE", help="Name of a recipe, such as demo, or path of its file."
    )


def add_own_data(parser: Parser) -> None:
    """Declare `--format` and `--languages`, which say how the files of a benchmark are read."""
    parser.add_argument(
        "--format",
        default="",
        help="Format of your own data, such as beir, trec or squad (`msm benchmarks` lists all), or the name of a "
        "benchmark whose files it has.",
    )
    parser.add_argument(
        "--languages",
        default="",
        metavar="CODES",
        help="Codes of the languages of the benchmark to keep, separated by commas, such as sw,bn. The default is all.",
    )


def add_measures(parser: Parser, default: str) -> None:
    """Declare `--measures`.

    Args:
        parser: parser of the command.
        default: sentence that says which measures are taken without the option.
    """
    parser.add_argument(
        "--measures",
        default="",
        metavar="NAMES",
        help=f"Names of measures, separated by commas, such as nDCG@10,R@100. {default}",
    )


def add_labels(parser: Parser, what: str) -> None:
    """Declare the labels of scores that decide no value.

    Args:
        parser: parser of the command, or a group of its options.
        what: the word for what was trained, `model` or `system`.
    """
    add_split(parser)
    parser.add_argument(
        "--setting",
        choices=get_args(Setting),
        default="zero-shot",
        help="Origin of the fine-tuning data: other languages than the test's (zero-shot), all of them "
        "(multilingual), or all of them with a checkpoint that was selected on the test questions "
        "(default: zero-shot).",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=f"Seed of the {what}'s training (default: 0).")


def add_split(parser: Parser) -> None:
    """Declare `--split`, the questions that are scored."""
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="Split of the questions. The default is the benchmark's published split; test for your own data.",
    )


def add_model_name(parser: Parser) -> None:
    """Declare `--name`, the name of a model in tables."""
    parser.add_argument(
        "--name", metavar="TEXT", help="Name of the model in tables. The default is the name of its folder."
    )


def add_model_origin(parser: Parser) -> None:
    """Declare `--revision` and `--trust_remote_code`."""
    parser.add_argument(
        "--revision", metavar="NAME", help="Branch, tag or commit of a model of the Hugging Face hub, such as main."
    )
    parser.add_argument(
        "--trust_remote_code",
        action="store_true",
        default=None,
        help="Allow Python code that is part of the model to run. Use it only for models that you trust.",
    )


def add_batch_tokens(parser: Parser) -> None:
    """Declare `--batch_tokens`."""
    parser.add_argument(
        "--batch_tokens",
        type=int,
        default=16384,
        metavar="N",
        help="Largest number of tokens that are encoded in one batch, padding included (default: 16384).",
    )


def add_precision(parser: Parser, formats: tuple[str, ...] = ("fp32", "bf16"), default: str = "fp32") -> None:
    """Declare `--precision`.

    Args:
        parser: parser of the command.
        formats: names of the number formats that may be chosen.
        default: name of the number format that is taken without the option.
    """
    parser.add_argument(
        "--precision",
        choices=formats,
        default=default,
        help="Number format of the model's matrix products ("
        + (
            "default: auto, which takes bf16 where the hardware has units for it)."
            if default == "auto"
            else f"default: {default})."
        ),
    )


def add_device(parser: Parser) -> None:
    """Declare `--device`."""
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="Device that the model runs on (default: auto, which takes a GPU if there is one).",
    )


def add_part(parser: Parser, note: str = "") -> None:
    """Declare `--part`.

    Args:
        parser: parser of the command, or a group of its options.
        note: sentence that ends the help text.
    """
    parser.add_argument(
        "--part",
        default="",
        metavar="I/N",
        help="Part of the passages that is encoded and searched, number I of N, such as 2/8. The same command without "
        f"this option then joins the parts.{note and f' {note}'}",
    )


def add_mirror(parser: Parser, note: str = "") -> None:
    """Declare `--mirror`.

    Args:
        parser: parser of the command, or a group of its options.
        note: sentence that ends the help text.
    """
    parser.add_argument(
        "--mirror",
        default="",
        metavar="DIR",
        help=f"Folder with a copy of the public files, which is read instead of the network.{note and f' {note}'}",
    )


def add_resamples(parser: Parser, results: str, *, default: int, least: int) -> None:
    """Declare `--resamples` and the seed by which they are drawn.

    Args:
        parser: parser of the command.
        results: words for what is computed from the resamples.
        default: number of resamples without the option.
        least: smallest number of resamples that the command accepts.
    """
    parser.add_argument(
        "--resamples",
        type=int,
        default=default,
        metavar="N",
        help=f"Number of resamples of the questions from which {results} are computed, {least} or more "
        f"(default: {default}).",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="Seed of the generator that draws the resamples (default: 1)."
    )


def add_job(parser: Parser, *, required: bool = True, content: str = "the Job") -> None:
    """Declare `--job`.

    Args:
        parser: parser of the command.
        required: whether the command does nothing else.
        content: words for what is written.
    """
    parser.add_argument(
        "--job", type=Path, required=required, metavar="FILE", help=f"File that {content} is written to, as YAML."
    )


def add_verify(parser: Parser) -> None:
    """Declare the option that has all bytes of inputs compared with their manifests."""
    parser.add_argument(
        "--verify",
        action="store_true",
        help="Compare all bytes of inputs and finished results with their manifests. Without it, only files whose"
        " size or time differ are read.",
    )


def add_log(parser: Parser) -> None:
    """Declare the option that names a tool to watch trainings and scores."""
    parser.add_argument(
        "--log",
        choices=("", *tracking.BACKENDS),
        default="",
        metavar="TOOL",
        help="Tool that shows losses, scores by language and reports, beside the file log.jsonl: tensorboard,"
        " mlflow or wandb.",
    )
