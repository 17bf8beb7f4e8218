"""Every score in `results/` is the mean of its committed values by question."""

from pathlib import Path

import pyarrow.compute as pc
import pytest

from msm.evaluation import exported

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize("root", sorted(RESULTS.iterdir()), ids=lambda root: root.name)
def test_scores_are_means_of_their_values(root: Path) -> None:
    """Each language against the pool of all languages, to float32."""
    if not (root / exported.PER_QUERY).is_file():
        pytest.skip("a report alone is kept of this recipe")
    folders = exported.score_folders(root)
    assert folders
    for folder in folders:
        values = exported.score_values(folder)
        values = values.filter(pc.is_null(values["candidate_language"]))
        means = values.group_by(["measure", "query_language"]).aggregate([("value", "mean")])
        by_cell = {(row["measure"], row["query_language"]): row["value_mean"] for row in means.to_pylist()}
        lines = [line for _, line in exported.score_lines(folder, "scores.jsonl")]
        scores = {
            (line["measure"], line["query_language"]): line["value"]
            for line in lines
            if line["candidate_language"] is None and line["query_language"] != "mean" and line["value"] is not None
        }
        common_keys = scores.keys() & by_cell.keys()
        assert common_keys, folder
        assert [scores[cell] for cell in common_keys] == pytest.approx(
            [by_cell[cell] for cell in common_keys], abs=1e-6
        ), folder
