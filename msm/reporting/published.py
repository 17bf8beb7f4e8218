"""Published numbers: the tables of the papers and of peers, as printed, and corrections of known errors.

The files beside this module hold what was printed, by source, table, row and language; `corrections.json`
says what is known to be wrong and why. A record carries both, so a corrected number can always be traced.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

MEAN = "mean"
FOLDER = Path(__file__).with_suffix("")
CORRECTIONS = "corrections.json"


class Published(NamedTuple):
    """One printed cell, corrected where it is known to be wrong."""

    source: str
    """Name of the source in `sources()`."""
    table: str
    benchmark: str
    split: str
    """Split of the questions, `train`, `dev` or `test`; empty where the source does not say."""
    pool: str
    """Kind of candidates: `multilingual`, `monolingual`, `cross-lingual` or `english`."""
    measure: str
    setting: str
    """`zero-shot` or `multilingual` fine-tuning, `untrained`, `english`, `bitext`."""
    protocol: str
    """Name of the protocol among those of the source."""
    model: str
    language: str
    """ISO 639-1 code, `mean`, or `mean without en`."""
    value: float | None
    """Value from 0 to 1; a number of ranks for `rank_distance`; None where nothing was printed."""
    printed: str | None
    """The text in print, in the source's own scale."""
    printed_language: str
    """Heading of the column in print."""
    note: str
    """Correction of the cell, or the reason why it is empty."""


class Source(NamedTuple):
    """Origin of published numbers."""

    title: str
    reference: str
    protocols: dict[str, str]


class Average(NamedTuple):
    """A printed average beside the mean of the printed cells that it summarises."""

    cell: Published
    mean: float
    differs: bool
    """Whether the two differ by more than rounding explains."""


@functools.cache
def sources() -> dict[str, Source]:
    """Return every source by name."""
    return {
        name: Source(content["title"], content["reference"], content["protocols"]) for name, content in _files().items()
    }


@functools.cache
def load() -> tuple[Published, ...]:
    """Return every cell of every source, corrected, in the order of print."""
    rules = json.loads((FOLDER / CORRECTIONS).read_text(encoding="utf-8"))
    scales = {name: float(content["scale"]) for name, content in _files().items()}
    return tuple(_corrected(cell, rules, scales[cell.source]) for cell in _printed())


def select(**facts: str) -> list[Published]:
    """Return the cells whose fields have these values, such as `benchmark="lareqa", measure="map@20"`."""
    return [cell for cell in load() if all(getattr(cell, field) == value for field, value in facts.items())]


def averages() -> list[Average]:
    """Return every printed average whose cells are printed too, recomputed from the cells of its row.

    An average without cells in its own table is compared with the cells of the same row in another one.
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


def _average(cell: Published, value: float, cells: Mapping[str, float]) -> Average:
    left_out = cell.language.removeprefix(MEAN).removeprefix(" without ")
    kept = [other for language, other in cells.items() if language != left_out]
    mean = sum(kept) / len(kept)
    return Average(cell, mean, differs=abs(value - mean) > _rounding(cell) + 1e-9)


def _row(cell: Published) -> tuple[str, ...]:
    return (cell.source, cell.benchmark, cell.split, cell.pool, cell.measure, cell.setting, cell.protocol, cell.model)


def _rounding(cell: Published) -> float:
    """Return half a unit of the last printed digit, on the scale of `value`."""
    digits = len((cell.printed or "").partition(".")[2])
    return 0.5 * 10.0**-digits / _files()[cell.source]["scale"]


@functools.cache
def _files() -> dict[str, dict[str, Any]]:
    paths = sorted(path for path in FOLDER.glob("*.json") if path.name != CORRECTIONS)
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return {content["source"]: content for content in contents}


def _printed() -> Iterable[Published]:
    for source, content in _files().items():
        for block in content["blocks"]:
            facts = {field: value for field, value in block.items() if field != "rows"}
            for model, cells in block["rows"].items():
                for language, text in cells.items():
                    yield Published(
                        **facts,
                        source=source,
                        model=model,
                        language=language,
                        value=None,
                        printed=text,
                        printed_language=language,
                        note="",
                    )


def _corrected(cell: Published, rules: Iterable[Mapping[str, Any]], scale: float) -> Published:
    """Return the cell after every rule that names it; a rule looks at what was printed."""
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


def _named(cell: Published, where: Mapping[str, Any]) -> bool:
    for field, wanted in where.items():
        value = getattr(cell, field)
        if value != wanted and not (isinstance(wanted, list) and value in wanted):
            return False
    return True
