"""The page of comparisons on real rankings, without its texts, and on broken folders."""

import shutil
from pathlib import Path

from streamlit.testing.v1 import AppTest

from msm.reporting import wording
from tests.dashboards.conftest import Show
from tests.reporting import made


def rankings(app: AppTest) -> list[str]:
    return [element.proto.body for element in app.get("html") if "<table" in element.proto.body]


def test_models_stand_against_the_first(recipe: Path, show: Show) -> None:
    app = show("compare", recipe="demo", models=["mlm", "msm", "untrained"])
    assert [element.value for element in app.subheader] == ["msm against mlm", "untrained against mlm"]
    first, second = (element.value for element in app.dataframe)
    assert list(first["language"]) == [*made.LANGUAGES, "mean"]
    assert list(first.columns[2:4]) == ["msm", "mlm"]
    assert set(first[""]) == {"▲"} and set(second[""]) == {"▼"}
    assert (first["wins"] + first["ties"] + first["losses"]).iloc[-1] == made.QUESTIONS * len(made.LANGUAGES)


def test_rankings_of_a_changed_question_stand_side_by_side(tiny_recipe: Path, show: Show) -> None:
    app = show("compare", recipe="tiny", models=["bm25-characters", "bm25-words"])
    left, right = rankings(app)
    assert left != right
    assert 1 <= left.count("<tr ") <= 10
    assert "dir='auto'" in left
    question = app.selectbox(key="question").value
    assert float(str(question).split(": ")[1].split(" ")[0].replace(wording.MINUS, "-")) != 0
    app = show("compare", recipe="tiny", candidates="same", language="qab")
    assert all("qab" in body and "qaa" not in body and "qac" not in body for body in rankings(app))


def test_markup_in_texts_stands_as_it_is(tiny_recipe: Path, show: Show) -> None:
    for path in (tiny_recipe / "sources/world/files/questions/test").iterdir():
        path.write_text(path.read_text().replace('"question": "', '"question": "<img src=x onerror=y> '))
    bodies = [element.proto.body for element in show("compare", recipe="tiny").get("html")]
    assert any("&lt;img" in body for body in bodies)
    assert not any("<img" in body for body in bodies)


def test_without_texts_the_numbers_remain(tiny_recipe: Path, show: Show) -> None:
    shutil.rmtree(tiny_recipe / "sources")
    app = show("compare", recipe="tiny")
    assert len(app.dataframe) == 1
    assert "not on this machine" in app.info[0].value


def test_questions_outside_the_sources_are_not_opened(tiny_recipe: Path, show: Show) -> None:
    for path in tiny_recipe.glob("score/*/manifest.json"):
        path.write_text(path.read_text().replace('"questions/test"', '"../../../../../etc"'))
    assert "outside the sources" in show("compare", recipe="tiny").info[0].value


def test_one_model_is_too_few(recipe: Path, show: Show) -> None:
    assert "two models" in show("compare", recipe="demo", models=["mlm"]).info[0].value


def test_broken_values_are_named(recipe: Path, show: Show) -> None:
    (recipe / "score/lareqa-mlm-2/scores/per_query.parquet").write_bytes(b"PAR1")
    app = show("compare", recipe="demo", models=["mlm", "msm"])
    assert "not a table" in app.code[0].value
