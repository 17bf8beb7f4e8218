"""Pass and fail of ratios."""

import json
from pathlib import Path

import pytest

from msm.bench.ratio_verdicts import lines, read_committed, verdicts
from msm.errors import BadInput

ROOT = Path(__file__).parents[2]
ROWS = [
    {"name": "step", "ratio": 2.0, "units": "packed"},
    {"name": "step", "ratio": 1.0, "units": "alone"},
    {"name": "other", "ratio": 0.5},
    {"name": "memory", "ratio": None},
    {"name": "growth", "kind": "score", "size": 3, "seconds": 1.0},
    {"name": "growth_exponents", "kind": "score", "seconds": 1.9, "mib": 0.0},
]


def test_a_ratio_fails_where_it_is_clearly_less_than_the_committed_one(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl"
    old_rows = [{"name": "step", "ratio": 2.4, "units": "packed"}, {"name": "step", "ratio": 1.3, "units": "alone"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in old_rows))
    all_verdicts = list(verdicts(ROWS, read_committed(path)))
    assert [one.has_passed for one in all_verdicts] == [True, False, True, False]
    *_, last = output = list(lines(all_verdicts))
    assert last == "2 of 4 failed"
    assert output[1].split() == ["FAIL", "1.00", "committed", "1.30", "step,", "alone"]


def test_a_file_of_other_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_text('{"name": "step"}\n')
    with pytest.raises(BadInput, match=r"bench.jsonl:1: not a comparison"):
        read_committed(path)


def test_the_committed_ratios_can_be_read() -> None:
    assert read_committed(ROOT / "docs" / "bench-quick.jsonl")
