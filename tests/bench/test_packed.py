"""The comparison of packed and padded architectures covers all that run packed."""

from msm.bench import packed
from tests.encoders.tiny_models import PACKED


def test_every_architecture_that_runs_packed_is_compared() -> None:
    assert packed.KINDS == PACKED
    rows = list(packed.run(quick=True, kinds=["distilbert"]))
    assert [row["kind"] for row in rows] == ["sentences"]
    assert rows[0]["tokens"] >= packed.TOKENS // 4 and rows[0]["ratio"] > 0
