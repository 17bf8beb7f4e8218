"""`msm benchmarks`: lists the benchmarks, or prints files, rules, sizes and sources of one."""

import sys
from argparse import ArgumentParser, Namespace

from msm.collections.described import BenchmarkLine, description, overview
from msm.collections.formats import BITEXT_FORMATS, FORMATS, LIBRARIES


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm benchmarks`."""
    parser.add_argument(
        "name",
        nargs="?",
        help="Name of a benchmark whose files, rules, sizes and sources are printed. Without it, a table of all "
        "benchmarks is printed.",
    )


def main(arguments: Namespace) -> None:
    """Print the table of all benchmarks, or the description of one.

    Raises:
        BadInput: no benchmark has the name.
    """
    sys.stdout.write(f"{description(arguments.name)}\n" if arguments.name else "".join(_table()))


def _table() -> list[str]:
    rows = [BenchmarkLine(*(name for name in BenchmarkLine._fields)), *overview()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(BenchmarkLine._fields) - 1)]
    lines = ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]) + "\n" for row in rows]
    formats = ", ".join(sorted([*FORMATS, *BITEXT_FORMATS, *LIBRARIES]))
    return [*lines, f"\nFormats of your own data (--format), beside those of every benchmark: {formats}\n"]
