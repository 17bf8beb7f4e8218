"""`msm bench NAME`: one JSON line a comparison."""

import argparse
import importlib
import json
import sys

RACES = {
    "corpus": "msm.bench.corpus",
    "pretrain": "msm.bench.pretrain",
    "retrieve": "msm.bench.retrieve",
    "finetune": "msm.bench.finetune",
}
"""Name to module; each has `run(quick)`, which yields one dictionary a comparison."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("name", nargs="?", choices=RACES, help="all of them when not given")
    parser.add_argument("--quick", action="store_true", help="smaller shapes, under a minute each")


def main(arguments: argparse.Namespace) -> None:
    """Print the comparisons as they come."""
    for name in [arguments.name] if arguments.name else RACES:
        for row in importlib.import_module(RACES[name]).run(arguments.quick):
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
