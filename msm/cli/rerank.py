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
        "--run", type=Path, required=True, metavar="DIR", help="Folder of runs, such as OUT/retrieve of msm evaluate."
    )
    parser.add_argument("--model", required=True, metavar="MODEL", help="Cross-encoder: a folder or a name in the hub.")
    parser.add_argument("--benchmark", required=True, metavar="NAME", help="Benchmark that the runs are of.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="Folder of the benchmark's files.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="Folder for the new runs and scores.")
    parser.add_argument(
        "--depth", type=int, default=100, help="Best passages of each query that are ranked anew (100)."
    )
    parser.add_argument("--passage_context", choices=CONTEXTS, default="none", help="What is read with a passage.")
    parser.add_argument("--split", help="Split of the questions; the benchmark's own, or test for your own data.")
    parser.add_argument("--name", help="Name of the model in tables; its folder's name by default.")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="Device that ranks.")
    parser.add_argument("--revision", help="Branch, tag or commit of a model in the hub.")
    parser.add_argument("--trust_remote_code", action="store_true", help="Let the model's own code run.")


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
