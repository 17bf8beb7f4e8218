"""The page of language bias on real rankings, and rank distances where they are scored."""

import json
from pathlib import Path

import pytest

from tests.dashboards.conftest import Show


def test_shares_of_a_question_language_sum_to_100(tiny_recipe: Path, show: Show) -> None:
    app = show("bias", recipe="tiny", runs=["constructed-bm25-words"], depth="5")
    frame, yardsticks, fair = (element.value for element in app.dataframe)
    assert list(fair["model"]) == ["bm25-characters", "bm25-words"]
    assert list(fair.columns)[1:3] == ["PEER@20", "rank correlation@20"]
    assert list(frame.columns) == list(yardsticks.columns) == ["questions in", "qaa", "qab", "qac"]
    assert list(frame["questions in"]) == ["qaa", "qab", "qac"]
    assert list(yardsticks["questions in"]) == ["a random ranking", "perfect, qaa", "perfect, qab", "perfect, qac"]
    for shares in (frame, yardsticks):
        assert shares[["qaa", "qab", "qac"]].sum(axis=1).tolist() == pytest.approx([100] * len(shares))
    by_language = frame.set_index("questions in")
    assert all(by_language.loc[language, language] > 100 / 3 for language in ("qaa", "qab", "qac"))


def test_scores_without_languages_are_said(tiny_recipe: Path, show: Show) -> None:
    (tiny_recipe / "score" / "constructed-bm25-words" / "scores" / "languages.jsonl").unlink()
    app = show("bias", recipe="tiny")
    assert "score the run again" in app.info[0].value
    assert len(app.dataframe) == 3


def test_rank_distances_are_shown_beside_and_never_as_shares(tiny_recipe: Path, show: Show) -> None:
    for path in tiny_recipe.glob("score/*/scores/scores.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        far = [line | {"measure": "rank_distance", "value": 37.5} for line in lines if not line["candidate_language"]]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines + far))
    app = show("bias", recipe="tiny")
    assert list(app.dataframe[-1].value["one pool of all languages"]) == ["37.5", "37.5"]
    assert show(recipe="tiny").selectbox(key="measure").options == ["mAP@20"]
