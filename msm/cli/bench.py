"""`msm bench NAME`: times this project against the usual way, and prints one JSON line for each comparison.

`msm bench encode` and `gpu` end with a table of their lines. With `--against`, the ratios are compared with committed
ones.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from msm.bench import ratio_verdicts
from msm.cli.options import add_mirror
from msm.errors import CommandError
from msm.imports import entry

RACES = {
    "corpus": "msm.bench.corpus",
    "pretrain": "msm.bench.pretrain",
    "retrieve": "msm.bench.retrieve",
    "encode": "msm.bench.encode",
    "packed": "msm.bench.packed",
    "finetune": "msm.bench.finetune",
    "growth": "msm.bench.growth",
}
"""Name of each benchmark to its module, whose function `run(quick)` yields one dictionary for each comparison."""
ALONE = {"gpu": "msm.bench.gpu"}
"""Name and module of benchmarks that run only if they are named."""
OPTIONS = {
    "encode": ("mirror", "peers"),
    "pretrain": ("profile",),
    "growth": ("sizes", "picture_file"),
    "gpu": ("minutes",),
}
"""Name of a benchmark to further arguments of its function `run`."""
WITH_TABLE = ("encode", "gpu")
"""Names of benchmarks whose function `table(rows)` makes a table of all comparisons."""
MINUTES = 8.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm bench`."""
    names = [*RACES, *ALONE]
    parser.add_argument(
        "name",
        nargs="?",
        choices=names,
        help="Name of the benchmark of speed. The default is all of them but gpu, one by one.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="Run smaller shapes, which take at most two minutes for each benchmark."
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="File of committed ratios (JSON lines); the command fails where a ratio of this run is clearly less.",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="For encode, install other projects' encoders in a folder of their own, and time them too.",
    )
    add_mirror(parser, "For encode.")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="For pretrain, print the share of each part in the time of a step; nothing is compared.",
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        default=[],
        metavar="KIND=N,N",
        help="For growth, sizes that are timed: of search in passages, of score in questions, of units in megabytes, of"
        " report in runs; such as search=1000,4000.",
    )
    parser.add_argument(
        "--picture",
        dest="picture_file",
        default="",
        metavar="FILE",
        help="For growth, SVG file that a picture of the results is written to.",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        metavar="N",
        help=f"For gpu, number of minutes after which no further comparison begins (default: {MINUTES:g}).",
    )


def main(arguments: argparse.Namespace) -> None:
    """Print each comparison when it is done.

    Raises:
        BadInput: the file of committed ratios cannot be read.
        CommandError: a ratio is clearly less than the committed one.
    """
    ratios = ratio_verdicts.read_committed(arguments.against) if arguments.against else {}
    rows: list[dict[str, Any]] = []
    for name in [arguments.name] if arguments.name else RACES:
        rows += _run(name, arguments)
    if arguments.against:
        all_verdicts = list(ratio_verdicts.verdicts(rows, ratios))
        sys.stdout.writelines(f"{line}\n" for line in ["", *ratio_verdicts.lines(all_verdicts)])
        if not all(verdict.has_passed for verdict in all_verdicts):
            raise CommandError("bench: slower than committed")


def _run(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Run a benchmark, print its rows one by one and its table, where it has one, and return the rows."""
    start = time.monotonic()
    module = (RACES | ALONE)[name]
    options = {option: getattr(arguments, option) for option in OPTIONS.get(name, ())}
    rows = []
    for row in entry(f"{module}:run")(arguments.quick, **options):
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
        rows.append(row)
    if rows and name in WITH_TABLE:
        sys.stdout.writelines(f"{line}\n" for line in ["", *entry(f"{module}:table")(rows)])
    sys.stderr.write(f"{name}: {time.monotonic() - start:.0f} s\n")
    return rows
