"""Reads the published tables of the papers and of other projects, and corrects known errors in them.

The files beside this module hold the printed numbers by source, table, row and language; `corrections.json` names the
numbers that are wrong, with the reasons. A record holds both, so that a corrected number can always be traced.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

MEAN = "mean"
FOLDER = Path(__file__).with_suffix("")
CORRECTIONS = "corrections.json"


class PublishedCell(NamedTuple):
    """One printed cell of a table, corrected where it is known to be wrong."""

    source: str
    """Name of the source, a key of `sources()`."""
    table: str
    benchmark: str
    split: str
    """Split of the questions, `train`, `dev` or `test`; empty where the source does not say."""
    pool: str
    """Kind of the pool of candidates: `multilingual`, `monolingual`, `cross-lingual` or `english`."""
    measure: str
    setting: str
    """Kind of the fine-tuning data: `zero-shot`, `multilingual`, `untrained` (none), `english` or `bitext`."""
    protocol: str
    """Name of the protocol, as the source's file lists it."""
    model: str
    language: str
    """ISO 639-1 code of the language of the questions, `mean`, or `mean without en`."""
    value: float | None
    """Value from 0 to 1; a number of ranks for `rank_distance`; None where nothing was printed."""
    printed: str | None
    """Text of the cell in print, on the source's own scale."""
    printed_language: str
    """Heading of the cell's column in print."""
    note: str
    """Remark on the correction of the cell, or the reason why it is empty."""


class Publication(NamedTuple):
    """Origin of published numbers, such as a paper."""

    title: str
    reference: str
    protocols: dict[str, str]


class Average(NamedTuple):
    """A printed average, and the mean of the printed cells that it summarises."""

    cell: PublishedCell
    mean: float
    differs: bool
    """Whether the two differ by more than rounding can explain."""


@functools.cache
def sources() -> dict[str, Publication]:
    """Return all sources by name."""
    return {
        name: Publication(content["title"], content["reference"], content["protocols"])
        for name, content in _files().items()
    }


@functools.cache
def load() -> tuple[PublishedCell, ...]:
    """Return all cells of all sources, corrected, in the order of print."""
    rules = json.loads((FOLDER / CORRECTIONS).read_text(encoding="utf-8"))
    scales = {name: float(content["scale"]) for name, content in _files().items()}
    return tuple(_corrected(cell, rules, scales[cell.source]) for cell in _printed())


def select(**facts: str) -> list[PublishedCell]:
    """Return the cells whose fields have these values, such as `benchmark="lareqa", measure="map@20"`."""
    return [cell for cell in load() if all(getattr(cell, field) == value for field, value in facts.items())]


def averages() -> list[Average]:
    """Return all printed averages whose cells are printed too, with the means of the cells of their rows.

    An average whose own table has no cells is compared with the cells of the same row in another table.
    """
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for cell in load():
        if cell.value is not None and not cell.language.startswith(MEAN):
            rows.setdefault(_row(cell), {})[cell.language] = cell.value
    return [
        _average(cell, cell.value, rows[_row(cell)])
        for cell in load()
        if cell.value is not None and cell.language.startswith(MEAN) and _row(cell) in rows
    ]


def _average(cell: PublishedCell, value: float, cells: Mapping[str, float]) -> Average:
    language_without_cell = cell.language.removeprefix(MEAN).removeprefix(" without ")
    other_values = [other for language, other in cells.items() if language != language_without_cell]
    mean = sum(other_values) / len(other_values)
    return Average(cell, mean, differs=abs(value - mean) > _rounding(cell) + 1e-9)


def _row(cell: PublishedCell) -> tuple[str, ...]:
    return (cell.source, cell.benchmark, cell.split, cell.pool, cell.measure, cell.setting, cell.protocol, cell.model)


def _rounding(cell: PublishedCell) -> float:
    """Return half a unit of the last printed digit, on the scale of `PublishedCell.value`."""
    digits = len((cell.printed or "").partition(".")[2])
    return 0.5 * 10.0**-digits / _files()[cell.source]["scale"]


@functools.cache
def _files() -> dict[str, dict[str, Any]]:
    paths = sorted(path for path in FOLDER.glob("*.json") if path.name != CORRECTIONS)
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return {content["source"]: content for content in contents}


def _printed() -> Iterable[PublishedCell]:
    for source, content in _files().items():
        for block in content["blocks"]:
            facts = {field: value for field, value in block.items() if field != "rows"}
            for model, cells in block["rows"].items():
                for language, text in cells.items():
                    yield PublishedCell(
                        **facts,
                        source=source,
                        model=model,
                        language=language,
                        value=None,
                        printed=text,
                        printed_language=language,
                        note="",
                    )


def _corrected(cell: PublishedCell, rules: Iterable[Mapping[str, Any]], scale: float) -> PublishedCell:
    """Return a cell after all rules that name it; a rule names a cell by what was printed."""
    result = cell
    text = cell.printed
    for rule in rules:
        if not _named(cell, rule["where"]):
            continue
        changes = dict(rule.get("set", {}))
        text = changes.pop("value", text)
        if cell.language in rule.get("swap", ()):
            first, second = rule["swap"]
            changes["language"] = second if cell.language == first else first
        note = f"{result.note}; {rule['reason']}" if result.note else rule["reason"]
        result = result._replace(**changes, note=note)
    return result._replace(value=None if text is None else round(float(text) / scale, 9))


def _named(cell: PublishedCell, where: Mapping[str, Any]) -> bool:
    for field, target in where.items():
        value = getattr(cell, field)
        if value != target and not (isinstance(target, list) and value in target):
            return False
    return True
