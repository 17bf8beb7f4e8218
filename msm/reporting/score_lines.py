"""Prints the scores of one run as plain text: a row for each measure and pool, a column for each language."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msm.reporting.results import RANKS

MEAN, BYTES = "mean", "bytes"
WIDTH, CELL = 110, 7
POOLS = {None: "all languages", "same": "own language", "other": "other languages"}
"""Value of `candidate_language` to the words for what is searched."""


def score_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return lines of a table of at most `WIDTH` columns; a second block where one line is too short.

    Args:
        rows: rows of `scores.jsonl`; see `msm.evaluation.scores`.
    """
    return _table(_cells(rows))


def overview_lines(models: Mapping[str, Iterable[Mapping[str, Any]]], sizes: Mapping[str, float]) -> Iterator[str]:
    """Return the first measure in the first pool as a title, then a row for each model.

    Args:
        models: name to rows of `scores.jsonl`, all of one benchmark.
        sizes: bytes that an index keeps of a passage, the last column; of some models, or none.
    """
    first, cells = _first_cells(models)
    yield first
    yield from _table({name: values | _size(sizes.get(name)) for name, values in cells.items()})


def loss_lines(
    models: Mapping[str, Iterable[Mapping[str, Any]]], sizes: Mapping[str, float], whole: Mapping[str, str]
) -> Iterator[str]:
    """Return the gain or loss of smaller vectors in the first measure in the first pool.

    Args:
        models: name to rows of `scores.jsonl`, all of one benchmark.
        sizes: bytes that an index keeps of a passage.
        whole: name of each model of smaller vectors to that of the same model with its whole vectors.
    """
    _, cells = _first_cells(models)
    losses = {}
    for name, other in whole.items():
        values = {key: value - cells[other][key] for key, value in cells[name].items() if key in cells[other]}
        losses[name] = values | _size(sizes.get(name))
    yield from _table(losses, "+.1f")


def _first_cells(models: Mapping[str, Iterable[Mapping[str, Any]]]) -> tuple[str, dict[str, dict[str, float]]]:
    """Return the first measure in the first pool, and its values by model and language."""
    cells = {model: _cells(rows) for model, rows in models.items()}
    first = next(iter(next(iter(cells.values()))))
    return first, {model: values.get(first, {}) for model, values in cells.items()}


def _size(size: float | None) -> dict[str, float]:
    return {} if size is None else {BYTES: size}


def _cells(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return values by measure and pool, and by language; shares times 100, ranks as they are."""
    cells: dict[str, dict[str, float]] = {}
    for row in rows:
        scale = 1 if row["measure"] in RANKS else 100
        own = row["candidate_language"] == row["query_language"]
        pool = POOLS.get(row["candidate_language"], POOLS["same"] if own else str(row["candidate_language"]))
        cells.setdefault(f"{row['measure']}, {pool}", {})[row["query_language"]] = (
            math.nan if row["value"] is None else scale * row["value"]
        )
    return cells


def _table(cells: Mapping[str, Mapping[str, float]], form: str = ".1f") -> Iterator[str]:
    columns = {column for values in cells.values() for column in values}
    last = [name for name in (MEAN, BYTES) if name in columns]
    names = sorted(columns - {*last}) + last
    label = max(map(len, cells), default=0) + 2
    width = max([CELL, *(len(name) + 1 for name in names)])
    fitting = max((WIDTH - label) // width, 1)
    for start in range(0, len(names), fitting):
        block = names[start : start + fitting]
        yield "".ljust(label) + "".join(f"{name:>{width}}" for name in block)
        for name, values in cells.items():
            if any(column in values for column in block):
                texts = [_cell(column, values.get(column), form) for column in block]
                yield name.ljust(label) + "".join(f"{text:>{width}}" for text in texts)


def _cell(column: str, value: float | None, form: str) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value:.0f}" if column == BYTES else f"{value:{form}}"
