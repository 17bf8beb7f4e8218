"""Every score in `results/` is the mean of its committed values by question."""

from pathlib import Path

import pytest

from msm.evaluation import exported

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize("root", sorted(RESULTS.iterdir()), ids=lambda root: root.name)
def test_scores_are_means_of_their_values(root: Path) -> None:
    """Each language of questions against the candidates of all languages, and of each, to float32."""
    if not (root / exported.PER_QUERY).is_file():
        pytest.skip("a report alone is kept of this recipe")
    folders = exported.score_folders(root)
    assert folders
    cell = ["measure", "query_language", "candidate_language"]
    for folder in folders:
        values = exported.score_values(folder).group_by(cell).aggregate([("value", "mean")])
        by_cell = {tuple(row[name] for name in cell): row["value_mean"] for row in values.to_pylist()}
        lines = [line for _, line in exported.score_lines(folder, "scores.jsonl") if line["value"] is not None]
        scores = {tuple(line[name] for name in cell): line["value"] for line in lines}
        common_keys = scores.keys() & by_cell.keys()
        assert common_keys, folder
        assert [scores[cell] for cell in common_keys] == pytest.approx(
            [by_cell[cell] for cell in common_keys], abs=1e-6
        ), folder
