"""Prints the scores of one run as plain text: a row for each measure and pool, a column for each language."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msm.errors import visible
from msm.reporting.models import RANKS

MEAN, BYTES = "mean", "bytes"
WIDTH, CELL = 110, 7
POOLS = {None: "all languages", "same": "own language", "other": "other languages"}
"""Value of `candidate_language` to the words for the pool that is searched."""


def score_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table of at most `WIDTH` characters, in several blocks where one line is too short.

    Args:
        rows: rows of `scores.jsonl`; see `msm.evaluation.scores`.
    """
    return _table(_cells(rows))


def overview_lines(models: Mapping[str, Iterable[Mapping[str, Any]]], sizes: Mapping[str, float]) -> Iterator[str]:
    """Yield the first measure and pool as a title, then a row for each model.

    Args:
        models: name of each model to its rows of `scores.jsonl`, all of one benchmark.
        sizes: name of a model to the bytes that an index keeps of a passage, the last column; some may be missing.
    """
    first, cells = _first_cells(models)
    yield first
    yield from _table({name: values | _size(sizes.get(name)) for name, values in cells.items()})


def loss_lines(
    models: Mapping[str, Iterable[Mapping[str, Any]]], sizes: Mapping[str, float], whole: Mapping[str, str]
) -> Iterator[str]:
    """Yield a table of the gain or loss by smaller vectors, of the first measure and pool.

    Args:
        models: name of each model to its rows of `scores.jsonl`, all of one benchmark.
        sizes: name of a model to the bytes that an index keeps of a passage.
        whole: name of each model with smaller vectors to the name of the same model with whole vectors.
    """
    _, cells = _first_cells(models)
    losses = {}
    for name, other in whole.items():
        values = {key: value - cells[other][key] for key, value in cells[name].items() if key in cells[other]}
        losses[name] = values | _size(sizes.get(name))
    yield from _table(losses, "+.1f")


def _first_cells(models: Mapping[str, Iterable[Mapping[str, Any]]]) -> tuple[str, dict[str, dict[str, float]]]:
    """Return the name of the first measure and pool, and its values by model and language."""
    cells = {model: _cells(rows) for model, rows in models.items()}
    first = next(iter(next(iter(cells.values()))))
    return first, {model: values.get(first, {}) for model, values in cells.items()}


def _size(size: float | None) -> dict[str, float]:
    return {} if size is None else {BYTES: size}


def _cells(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return values by measure and pool, then by language; they are times 100 unless they are numbers of ranks."""
    cells: dict[str, dict[str, float]] = {}
    for row in rows:
        scale = 1 if row["measure"] in RANKS else 100
        is_own = row["candidate_language"] == row["query_language"]
        pool = POOLS.get(row["candidate_language"], POOLS["same"] if is_own else str(row["candidate_language"]))
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
    columns_a_line = max((WIDTH - label) // width, 1)
    for start in range(0, len(names), columns_a_line):
        block = names[start : start + columns_a_line]
        yield "".ljust(label) + "".join(f"{name:>{width}}" for name in block)
        for name, values in cells.items():
            if any(column in values for column in block):
                texts = [_cell(column, values.get(column), form) for column in block]
                yield visible(name).ljust(label) + "".join(f"{text:>{width}}" for text in texts)


def _cell(column: str, value: float | None, form: str) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value:.0f}" if column == BYTES else f"{value:{form}}"
