"""Prints a report as plain text for a terminal, at most 110 columns wide."""

import textwrap
from collections.abc import Iterator, Sequence

from msm.errors import INVISIBLE
from msm.reporting import wording
from msm.reporting.contents import Difference, Row, Section, Table
from msm.reporting.models import Cell, Column
from msm.reporting.published import MEAN
from msm.reporting.training_sets import HEAD, Training

WIDTH = 110
CELL, MEAN_WIDTH, LABEL = 6, 24, 26
RULE = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"


def section_text(section: Section) -> str:
    """Return a section as text: the first table by language, the means on every kind of pool, and differences."""
    first = next(iter(section.tables.values()))
    lines = [first.title, first.subtitle, *_languages(first), *_means(section.tables), *_trainings(first)]
    for column, table in section.tables.items():
        lines += [*_ranks(table, column), *_differences(section.differences[column], column)]
    return INVISIBLE.sub("", "\n".join(lines) + "\n")


def _languages(table: Table) -> Iterator[str]:
    """Yield the rows by language, in several blocks where one line is too short."""
    label = _label_width(table.rows)
    columns_a_line = (WIDTH - label) // CELL - 1
    for start in range(0, len(table.languages), columns_a_line):
        names = table.languages[start : start + columns_a_line]
        if start + columns_a_line >= len(table.languages):
            names = [*names, MEAN]
        yield ""
        yield "".ljust(label) + "".join(f"{name:>{CELL}}" for name in names)
        for row in table.rows:
            yield _label(row.label).ljust(label) + "".join(f"{_value(row.cells.get(name)):>{CELL}}" for name in names)
            if row.kind == "chance":
                yield RULE * (label + CELL * len(names))


def _means(tables: dict[Column, Table]) -> Iterator[str]:
    """Yield the means with their intervals, one column for each kind of pool."""
    rows = next(iter(tables.values())).rows
    label = _label_width(rows)
    yield ""
    heads = (f"{wording.SHORT_POOLS[kind]:>15}".ljust(MEAN_WIDTH) for _, kind in tables)
    yield ("candidates in".ljust(label) + "".join(heads) + "seeds").rstrip()
    for place, row in enumerate(rows):
        cells = (f"{_mean(table, table.rows[place]):<{MEAN_WIDTH}}" for table in tables.values())
        yield (_label(row.label).ljust(label) + "".join(cells) + wording.seeds(row.seeds, row.seed_deviation)).rstrip()


def _trainings(table: Table) -> Iterator[str]:
    """Yield the training sets of the benchmark that the models have seen, with their sources."""
    labels_of_trainings: dict[Training, list[str]] = {}
    for row in table.rows:
        if row.training.sets:
            labels_of_trainings.setdefault(row.training, []).append(_label(row.label))
    if labels_of_trainings:
        yield ""
        yield HEAD
    for (sets, source), labels in labels_of_trainings.items():
        text = f"{sets}: {', '.join(labels)}{f' ({source})' * bool(source)}"
        yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _ranks(table: Table, column: Column) -> Iterator[str]:
    """Yield the ranks of the models by their means, where all pairs are compared together."""
    models = [row for row in table.rows if row.ranks]
    if models:
        yield ""
        yield f"ranks by the mean, {wording.pool(column[1])}"
        groups = wording.rank_groups([_label(row.label) for row in models], [row.ranks for row in models if row.ranks])
        for group in groups:
            yield from textwrap.wrap(group, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _differences(differences: Sequence[Difference], column: Column) -> Iterator[str]:
    pairs = [f"{_label(difference.model)} {wording.MINUS} {_label(difference.control)}" for difference in differences]
    width = max(map(len, pairs), default=0)
    if differences:
        yield ""
        yield f"differences of the means, {wording.pool(column[1])}"
    for pair, difference in zip(pairs, differences, strict=True):
        value, interval = wording.difference(difference.value, difference.interval)
        limits = f"{value:>7}  {interval:<16}"
        yield f"  {pair:<{width}}{limits} p {wording.p_value(difference.p):<7} {difference.verdict}"


def _label_width(rows: Sequence[Row]) -> int:
    return max(len(_label(row.label)) for row in rows) + 2


def _label(name: str) -> str:
    return name if len(name) <= LABEL else f"{name[: LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"


def _value(cell: Cell | None) -> str:
    return "" if cell is None or cell.value is None else wording.times_100(cell.value)


def _mean(table: Table, row: Row) -> str:
    value = row.cells[MEAN].value
    text = "" if value is None else wording.times_100(value, table.mean_digits)
    return f"{text:>8}  {wording.interval(row.cells[MEAN].interval)}"
