"""`msm bench NAME`: times this project against the usual way, and prints one JSON line a comparison.

`msm bench encode` ends with its lines as a table.
"""

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
    "growth": "msm.bench.growth",
}
"""Module of each benchmark. Its function `run(quick)` yields one dictionary a comparison."""
OPTIONS = {"encode": ("mirror", "peers"), "pretrain": ("profile",), "growth": ("sizes", "picture_file")}
"""Further arguments of these functions."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm bench`."""
    parser.add_argument("name", nargs="?", choices=RACES, help="Name of the comparison; all by default.")
    parser.add_argument("--quick", action="store_true", help="Take smaller shapes, under a minute each.")
    parser.add_argument(
        "--peers", action="store_true", help="For encode, install other engines in a folder, and time them too."
    )
    parser.add_argument(
        "--profile", action="store_true", help="For pretrain, show where the time of a step goes instead of racing."
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        default=[],
        metavar="KIND=N,N",
        help="For growth, sizes of search (passages), score (queries), units (MB) or report (runs).",
    )
    parser.add_argument(
        "--picture", dest="picture_file", default="", metavar="FILE", help="For growth, write a picture (SVG)."
    )
    parser.add_argument(
        "--mirror", default="", metavar="DIR", help="For encode, folder with a copy of the public files."
    )


def main(arguments: argparse.Namespace) -> None:
    """Print each comparison when it is done."""
    for name in [arguments.name] if arguments.name else RACES:
        module, rows = importlib.import_module(RACES[name]), []
        options = {option: getattr(arguments, option) for option in OPTIONS.get(name, ())}
        for row in module.run(arguments.quick, **options):
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
            rows.append(row)
        if rows and hasattr(module, "table"):
            sys.stdout.writelines(f"{line}\n" for line in ["", *module.table(rows)])
