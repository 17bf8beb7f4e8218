"""Compares the ratios of a run with committed ones: a ratio passes where it is not clearly less."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msm.errors import BadInput
from msm.files import read_json_lines

LEAST_SHARE = 0.8
"""Smallest share of the committed ratio that passes; two runs on one idle machine differ by less."""
MOST_EXPONENT = 1.25
"""Largest exponent of the growth of time with size that passes; 1 is growth in proportion."""
GROWTH = "growth_exponents"
TELLING = (
    *("units", "documents", "shape", "precision", "kind", "against", "passages", "queries", "relevant", "scored"),
    *("pieces", "source", "width", "depth"),
)
"""Names of the values of a row that tell comparisons of one name apart."""

Row = Mapping[str, Any]


class RatioVerdict(NamedTuple):
    """One comparison, and whether it is as fast as the committed one."""

    name: str
    value: float
    """Measured ratio; for growth, the exponent of the time."""
    committed_ratio: float | None
    """Committed ratio; None where there is none."""
    has_passed: bool


def read_committed(path: Path) -> dict[str, float]:
    """Return the committed ratios by the full names of their comparisons.

    Raises:
        BadInput: the file does not exist, or a line of it is no comparison with a ratio.
    """
    committed_ratios = {}
    for number, row in read_json_lines(path):
        if not isinstance(row.get("name"), str) or not isinstance(row.get("ratio"), int | float):
            raise BadInput(f"{path}:{number}: not a comparison with a ratio: {json.dumps(row)[:80]}")
        committed_ratios[full_name(row)] = float(row["ratio"])
    return committed_ratios


def full_name(row: Row) -> str:
    """Return the name of a comparison with the values that tell it from others of that name."""
    facts = [str(row[fact]) for fact in TELLING if row.get(fact) is not None]
    return ", ".join([row["name"], *facts])


def verdicts(rows: Iterable[Row], committed_ratios: Mapping[str, float]) -> Iterator[RatioVerdict]:
    """Yield a verdict on each row that can be judged: ratios, and exponents of growth."""
    for row in rows:
        if row["name"] == GROWTH and row.get("seconds") is not None:
            yield RatioVerdict(full_name(row), row["seconds"], None, row["seconds"] <= MOST_EXPONENT)
        elif row.get("ratio") is not None:
            before = committed_ratios.get(full_name(row))
            has_passed = row["ratio"] >= LEAST_SHARE * (before if before is not None else -math.inf)
            yield RatioVerdict(full_name(row), row["ratio"], before, has_passed)


def lines(verdicts: Sequence[RatioVerdict]) -> Iterator[str]:
    """Yield one line for each verdict, then the number of comparisons that failed."""
    for verdict in verdicts:
        beside = "new" if verdict.committed_ratio is None else f"committed {verdict.committed_ratio:.2f}"
        beside = f"at most {MOST_EXPONENT}" if verdict.name.startswith(GROWTH) else beside
        yield f"{'pass' if verdict.has_passed else 'FAIL'}  {verdict.value:6.2f}  {beside:16}  {verdict.name}"
    failures = sum(not verdict.has_passed for verdict in verdicts)
    yield f"{failures} of {len(verdicts)} failed" if failures else f"all {len(verdicts)} passed"
