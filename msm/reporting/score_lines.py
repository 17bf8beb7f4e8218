"""The scores of one run as plain text: a row for each measure and pool, a column for each language."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msm.reporting.results import RANKS

MEAN = "mean"
WIDTH, CELL = 110, 7
POOLS = {None: "all languages", "same": "own language", "other": "other languages"}
"""Names of what is searched, by `candidate_language`."""


def score_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of a table, at most `WIDTH` columns wide; a second block where one line is too short for all languages.

    Args:
        rows: of `scores.jsonl`; see `msm.evaluation.scores`.
    """
    return _table(_cells(rows))


def overview_lines(models: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[str]:
    """The first measure in the first pool, as a title; then a row for each model.

    Args:
        models: name to rows of `scores.jsonl`, all of one benchmark.
    """
    cells = {model: _cells(rows) for model, rows in models.items()}
    first = next(iter(next(iter(cells.values()))))
    yield first
    yield from _table({model: values.get(first, {}) for model, values in cells.items()})


def _cells(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Values by measure and pool, and by language; shares times 100, ranks as they are."""
    cells: dict[str, dict[str, float]] = {}
    for row in rows:
        scale = 1 if row["measure"] in RANKS else 100
        own = row["candidate_language"] == row["query_language"]
        pool = POOLS.get(row["candidate_language"], POOLS["same"] if own else str(row["candidate_language"]))
        cells.setdefault(f"{row['measure']}, {pool}", {})[row["query_language"]] = (
            math.nan if row["value"] is None else scale * row["value"]
        )
    return cells


def _table(cells: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    languages = {language for values in cells.values() for language in values}
    names = sorted(languages - {MEAN}) + [MEAN] * (MEAN in languages)
    label = max(map(len, cells), default=0) + 2
    width = max([CELL, *(len(name) + 1 for name in names)])
    fitting = max((WIDTH - label) // width, 1)
    for start in range(0, len(names), fitting):
        block = names[start : start + fitting]
        yield "".ljust(label) + "".join(f"{name:>{width}}" for name in block)
        for name, values in cells.items():
            if any(language in values for language in block):
                yield name.ljust(label) + "".join(f"{_cell(values.get(language)):>{width}}" for language in block)


def _cell(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.1f}"
