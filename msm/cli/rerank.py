"""`msm rerank`: ranks the best passages of any evaluation anew with a cross-encoder."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msm
from msm.cli.options import add_device, add_model_name, add_model_origin, add_split

CONTEXTS = ("none", "paragraph", "title_text")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm rerank`."""
    parser.add_argument(
        "--run",
        type=Path,
        required=True,
        metavar="DIR",
        help="Folder of the runs to rank anew, such as OUT/retrieve of `msm evaluate`.",
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="MODEL",
        help="Folder of the cross-encoder, which reads question and passage together, or its name in the Hugging Face "
        "hub.",
    )
    parser.add_argument(
        "--benchmark",
        required=True,
        metavar="NAME",
        help="Name of the benchmark whose passages the run ranks, such as mr_tydi-sw.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="Folder of the benchmark's files; `msm benchmarks NAME` lists them.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="Folder that gets the new runs and their scores."
    )
    parser.add_argument(
        "--depth",
        type=int,
        default=100,
        metavar="N",
        help="Number of best passages of each question that are ranked anew (default: 100). The others are left out "
        "of the new run.",
    )
    parser.add_argument(
        "--passage_context",
        choices=CONTEXTS,
        default="none",
        help="Text that the model reads with each passage: none, its paragraph, or its title (default: none).",
    )
    add_split(parser)
    add_model_name(parser)
    add_device(parser)
    add_model_origin(parser)


def main(arguments: Namespace) -> None:
    """Rank the passages anew, score them, and print the scores.

    Raises:
        BadInput: the runs, the data or the model do not exist.
    """
    scores = msm.rerank(
        arguments.run,
        arguments.model,
        arguments.benchmark,
        arguments.data,
        arguments.out,
        depth=arguments.depth,
        passage_context=arguments.passage_context,
        split=arguments.split or "",
        name=arguments.name or "",
        device=arguments.device,
        revision=arguments.revision,
        trust_remote_code=bool(arguments.trust_remote_code),
    )
    sys.stdout.write(f"{scores}\n")
