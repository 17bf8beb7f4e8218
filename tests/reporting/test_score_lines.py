"""The table of one run in the terminal."""

from typing import Any

from msm.reporting.score_lines import overview_lines, score_lines


def row(measure: str, language: str, value: float | None) -> dict[str, Any]:
    return {"measure": measure, "query_language": language, "candidate_language": None, "value": value}


def test_shares_are_times_100_and_ranks_are_not() -> None:
    rows = [
        row("rank_distance", "de", 1.0),
        row("mrc@20", "de", -0.04),
        row("map", "de", None),
        row("map", "mean", 0.5),
    ]
    lines = {line.split(",")[0]: line.split()[-1] for line in score_lines(rows)}
    assert (lines["rank_distance"], lines["mrc@20"], lines["map"]) == ("1.0", "-4.0", "50.0")


def test_long_codes_of_languages_stand_apart() -> None:
    rows = [row("map", "de", 0.1), row("map", "zh-Hant", 1.0), row("map", "ar-Latn", 0.25)]
    head, values = list(score_lines(rows))
    assert head.split() == ["ar-Latn", "de", "zh-Hant"]
    assert values.split()[-3:] == ["25.0", "10.0", "100.0"]
    assert list(overview_lines({"m": rows}, {}))[1].split() == head.split()
