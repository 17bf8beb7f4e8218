"""Published numbers: every printed cell is there, and what is wrong in print is found again from the cells."""

import math
from collections import Counter

import pytest

from msm.reporting import published
from msm.reporting.published import PublishedCell

CELLS = {
    "msm": {"1": 48, "2": 192, "3": 80, "4": 104, "5": 20, "6": 16, "7": 12, "8": 16, "9": 144, "10": 96, "11": 36}
    | {"12": 36, "14": 168, "15": 96, "16": 15},
    "hybrid_batch": {"1": 36, "2": 12, "3": 216, "4": 144, "5": 216, "6": 144, "7": 72, "8": 48, "12": 96, "13": 96},
    "mexma": {"bitext": 12, "classification": 6, "pairclass": 3, "ablation": 9, "size": 8},
    "pyserini": {"2cr mr_tydi": 330, "2cr miracl": 372},
    "mr_tydi_readme": {"README": 96},
    "contriever_readme": {"README": 72},
}
XOR_DEV_QUESTIONS = {"te": 238, "bn": 304, "fi": 314, "ja": 241, "ko": 285, "ru": 237, "ar": 309}


def cell(**facts: str) -> PublishedCell:
    (one,) = published.select(**facts)
    return one


def test_no_cell_is_lost() -> None:
    counts = Counter((cell.source, cell.table) for cell in published.load())
    assert counts == {(source, table): count for source, tables in CELLS.items() for table, count in tables.items()}


def test_no_cell_stands_twice() -> None:
    places = Counter(cell._replace(value=None, printed=None, note="") for cell in published.load())
    assert max(places.values()) == 1


def test_values_are_shares_except_ranks() -> None:
    for one in published.load():
        if one.value is not None and one.measure != "rank_distance":
            assert 0 <= one.value <= 1, one


def test_every_empty_cell_says_why() -> None:
    assert not [one for one in published.load() if one.value is None and not one.note]


def test_columns_ar_and_te_are_exchanged_for_the_rows_the_authors_ran() -> None:
    facts = {"source": "msm", "table": "3", "model": "MSM", "measure": "recall@5kt"}
    telugu = cell(**facts, language="te")
    assert (telugu.value, telugu.printed, telugu.printed_language) == (0.584, "58.4", "ar")
    assert "238" in telugu.note
    row_of_gmt = cell(source="msm", table="15", model="GMT + DPR", measure="recall@2kt", language="te")
    assert (row_of_gmt.printed_language, row_of_gmt.split) == ("te", "test")


@pytest.mark.parametrize("table", ["3", "10", "15"])
def test_corrected_xor_cells_are_counts_of_dev_questions(table: str) -> None:
    """Independent evidence for the exchange: only then is every cell k/n with one decimal."""
    misprints = 0
    for one in published.select(source="msm", table=table, split="dev"):
        if one.language in XOR_DEV_QUESTIONS and one.value is not None:
            questions = XOR_DEV_QUESTIONS[one.language]
            nearest = round(round(one.value * questions) / questions, 3)
            if not math.isclose(nearest, one.value, abs_tol=1e-9):
                misprints += 1
                assert "misprint" in one.note, one
    assert misprints == (2 if table == "10" else 0)


def test_splits_are_those_that_were_scored() -> None:
    assert {one.split for one in published.select(source="msm", benchmark="mewsli_x", model="MSM")} == {"dev"}
    assert {one.split for one in published.select(source="msm", benchmark="mr_tydi")} == {"test"}
    starred_rows = published.select(source="msm", benchmark="xor_retrieve", model="mBERT*", setting="multilingual")
    assert {one.split for one in starred_rows} == {"test"}


def test_averages_that_differ_are_the_known_ones_and_carry_a_reason() -> None:
    wrong = [average for average in published.averages() if average.differs]
    assert all(average.cell.note for average in wrong)
    assert Counter(average.cell.source for average in wrong) == {
        "msm": 10,
        "hybrid_batch": 5,
        "mr_tydi_readme": 2,
        "contriever_readme": 1,
    }
    means = {
        (average.cell.table, average.cell.model, average.cell.measure): round(average.mean, 4)
        for average in wrong
        if average.cell.source == "msm"
    }
    assert means["2", "CROP", "mrr@100"] == 0.3896
    assert means["15", "GMT + PATH", "recall@2kt"] == 0.5571


def test_averages_are_recomputed_from_the_cells() -> None:
    """By hand, for one row: MSM on LAReQA, table 12; table 1 prints 33.5 for it."""
    cells = [28.0, 36.1, 31.9, 40.6, 38.3, 29.4, 36.0, 30.2, 34.3, 33.2, 29.7]
    averages = {a.cell.table: a for a in published.averages() if (a.cell.benchmark, a.cell.model) == ("lareqa", "MSM")}
    assert math.isclose(averages["12"].mean, sum(cells) / 1100)
    correction = cell(source="msm", table="1", benchmark="lareqa", model="MSM", setting="zero-shot")
    assert (correction.value, correction.printed) == (0.334, "33.5")


def test_every_protocol_is_explained() -> None:
    for one in published.load():
        assert one.protocol in published.sources()[one.source].protocols
