"""`msm export`: results and collections in the formats of others."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.collections.registry import find_benchmark
from msm.errors import BadInput
from msm.evaluation.exports import write_collection, write_mteb
from msm.files import read_json_lines
from msm.pipeline.artifacts import payload


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm export`."""
    parser.add_argument("--format", choices=("mteb", "beir", "trec"), required=True)
    parser.add_argument("--scores", type=Path, nargs="+", metavar="DIR", help="mteb: folders with scores.jsonl")
    parser.add_argument("--benchmark", metavar="NAME", help="beir, trec: whose collection")
    parser.add_argument("--data", type=Path, metavar="DIR", help="beir, trec: the benchmark's files")
    parser.add_argument("--split", default="test", help="beir: name of the file of judgements")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")


def main(arguments: Namespace) -> None:
    """Write the files.

    Raises:
        BadInput: an option that the format needs is missing, or an input cannot be read.
    """
    if arguments.format == "mteb":
        if not arguments.scores:
            raise BadInput("--format mteb needs --scores DIR")
        files = [payload(folder) / "scores.jsonl" for folder in arguments.scores]
        write_mteb([row for file in files for _, row in read_json_lines(file)], arguments.out)
        sys.stdout.write(f"{arguments.out}: scores of {len(files)} folders\n")
        return
    if not arguments.benchmark or not arguments.data:
        raise BadInput(f"--format {arguments.format} needs --benchmark NAME and --data DIR")
    collection = find_benchmark(arguments.benchmark).read(arguments.data)
    write_collection(arguments.format, collection, arguments.split, arguments.out)
    sys.stdout.write(f"{arguments.out}: collection of {arguments.benchmark} as {arguments.format}\n")
