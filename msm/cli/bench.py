"""`msm bench NAME`: one JSON line a comparison."""

import argparse
import importlib
import json
import sys

RACES = {
    "corpus": "msm.bench.corpus",
    "pretrain": "msm.bench.pretrain",
    "retrieve": "msm.bench.retrieve",
    "encode": "msm.bench.encode",
    "finetune": "msm.bench.finetune",
}
"""Name to module; each has `run(quick)`, which yields one dictionary a comparison; `encode` has options beside."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("name", nargs="?", choices=RACES, help="all of them when not given")
    parser.add_argument("--quick", action="store_true", help="smaller shapes, under a minute each")
    parser.add_argument("--peers", action="store_true", help="encode: install other engines in a folder, and race them")
    parser.add_argument("--mirror", default="", metavar="DIR", help="encode: local copy of the public files")


def main(arguments: argparse.Namespace) -> None:
    """Print the comparisons as they come."""
    for name in [arguments.name] if arguments.name else RACES:
        options = {"mirror": arguments.mirror, "peers": arguments.peers} if name == "encode" else {}
        for row in importlib.import_module(RACES[name]).run(arguments.quick, **options):
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
