"""Names of measures as people write them."""

import pytest

from msm.collections.measure_names import parse_measure
from msm.collections.registry import find_benchmark
from msm.errors import BadInput


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p@5", "precision@5"), ("P@10", "precision@10"), ("nDCG@10", "ndcg@10"), ("R@100", "recall@100"),
        ("Recall@100", "recall@100"), ("RR@10", "mrr@10"), ("AP", "map"), ("MAP@20", "map@20"),
    ],
)  # fmt: skip
def test_any_case_and_abbreviations(text: str, expected: str) -> None:
    assert str(parse_measure(text)) == expected


@pytest.mark.parametrize("text", ["p", "q@10", "ndcg@0", "R@x", "rank_distance@5"])
def test_what_is_no_measure_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_measure(text)


def test_measures_can_be_chosen_where_passages_are_judged() -> None:
    benchmark = find_benchmark("mr_tydi").measured_by(["nDCG@10", "P@5"])
    assert [str(measure) for measure in benchmark.parsed_measures()] == ["ndcg@10", "precision@5"]
    with pytest.raises(BadInput, match="its passages are not judged"):
        find_benchmark("nq").measured_by(["R@10"])
