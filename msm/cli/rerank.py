"""`msm rerank`: ranks the best passages of any evaluation anew with a cross-encoder."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msm
from msm.execution import DEVICES

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
        help="Cross-encoder that scores question and passage together: a folder, or a name in the Hugging Face hub.",
    )
    parser.add_argument(
        "--benchmark", required=True, metavar="NAME", help="Name of the benchmark that was searched for the runs."
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="Folder of the benchmark's files; `msm benchmarks NAME` says which.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="Folder that gets the new runs and their scores."
    )
    parser.add_argument(
        "--depth",
        type=int,
        default=100,
        help="Number of passages of each query, the best first, that are ranked anew (100); the others are left out.",
    )
    parser.add_argument(
        "--passage_context",
        choices=CONTEXTS,
        default="none",
        help="Text that is read with each passage: none, its paragraph, or its title.",
    )
    parser.add_argument(
        "--split",
        help="Split of the questions. The default is the benchmark's published split; test for your own data.",
    )
    parser.add_argument("--name", help="Name of the model in tables. The default is the name of its folder.")
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="Device that the cross-encoder runs on; auto takes a GPU if there is one.",
    )
    parser.add_argument("--revision", help="Branch, tag or commit of a model of the Hugging Face hub.")
    parser.add_argument(
        "--trust_remote_code",
        action="store_true",
        help="Allow Python code that is part of the model to run. Use it only for models that you trust.",
    )


def main(arguments: Namespace) -> None:
    """Rerank, score and print.

    Raises:
        BadInput: no such runs, data or model.
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
        trust_remote_code=arguments.trust_remote_code,
    )
    sys.stdout.write(f"{scores}\n")
