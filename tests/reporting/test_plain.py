"""Plain files of the scores: what `dvc metrics` and `dvc plots` make of them."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msm import files
from msm.reporting.plain import write_plain
from tests.reporting.made import LANGUAGES, write_recipe


def test_plain_files_hold_the_scores(tmp_path: Path) -> None:
    root = write_recipe(tmp_path / "demo")
    write_plain((root / "score").iterdir(), tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())["lareqa"]
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = [line for _, line in files.read_json_lines(root / "score" / "lareqa-msm-1" / "scores" / "scores.jsonl")]
    one_pool = [line for line in lines if line["candidate_language"] is None]
    by_language = {row["query_language"]: row for row in rows if row["cell"].startswith("lareqa-msm-1 map@20 ")}
    assert by_language.keys() == set(LANGUAGES)
    for line in one_pool:
        if line["query_language"] == "mean":
            assert metrics["lareqa-msm-1"][line["measure"]] == line["value"]
        elif line["query_language"] == "all":
            assert metrics["lareqa-msm-1"][f"{line['measure']} all"] == line["value"]
        else:
            assert float(by_language[line["query_language"]]["value"]) == line["value"]
            assert metrics["lareqa-msm-1"][f"{line['measure']} {line['query_language']}"] == line["value"]
    same = next(line for line in lines if (line["query_language"], line["candidate_language"]) == ("mean", "same"))
    assert metrics["lareqa-msm-1"]["map@20 same"] == same["value"]


@pytest.mark.parametrize("recipe", ["demo"])
def test_dvc_shows_them(recipe: str, tmp_path: Path) -> None:
    """`dvc.yaml` names both files with the recipe's name filled in."""
    root = Path(__file__).parents[2]
    out = tmp_path / "artifacts" / recipe / "report" / "all" / "report"
    out.mkdir(parents=True)
    write_plain((write_recipe(tmp_path / recipe) / "score").iterdir(), out)
    (tmp_path / "dvc.yaml").write_text((root / "dvc.yaml").read_text())
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    shutil.copytree(root / ".dvc" / "plots", tmp_path / ".dvc" / "plots")
    for words, expected in ((["metrics", "show", "--json"], "map@20"), (["plots", "show", "--json"], "lareqa-msm-1")):
        process = subprocess.run(
            [sys.executable, "-m", "dvc", *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert expected in process.stdout, process.stderr
