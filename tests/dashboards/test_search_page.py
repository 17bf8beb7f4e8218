"""The page of searches with a real model: it answers as the run that was scored."""

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder, save_encoder
from msm.execution import Execution
from msm.pipeline import recipes, runner
from msm.pipeline.tasks import tasks as tasks_of
from msm.reporting import rankings, results
from tests.dashboards.conftest import APP, Show
from tests.reporting import made

ROW = "constructed-untrained-1"


@pytest.fixture
def recipe_folder(tiny: Path, tiny_recipe: Path) -> Path:
    """The recipe with a model, its run and its scores."""
    shutil.rmtree(tiny_recipe)
    shutil.copytree(tiny / "sources", tiny_recipe / "sources")
    model = tiny_recipe / "finetune" / ROW / "model"
    model.mkdir(parents=True)
    start = tiny / "encoder" / "ordered-1" / "model"
    save_encoder(new_encoder(start, EncoderForm("mean", "cosine", 24, 24)), model)
    made.write_manifest(model.parent, "finetune", "model", {})
    for task in tasks_of(recipes.load(APP.parents[1] / "recipes" / "tiny.yaml"), "tiny"):
        if task.row == ROW and task.stage in ("retrieve", "score"):
            reads = {name: tiny_recipe / Path(path).relative_to("artifacts/tiny") for name, path in task.reads.items()}
            out = tiny_recipe / task.stage / task.row
            runner.run_stage(task.stage, task.settings, reads, out, Execution(work=tiny_recipe.parent / "work"))
    return tiny_recipe


def answers(app: AppTest) -> list[str]:
    return [element.proto.body for element in app.get("html") if "<table" in element.proto.body]


def test_answers_are_those_of_the_run(recipe_folder: Path, show: Show) -> None:
    (scores,) = (scores for one in results.read(recipe_folder / "score").benchmarks for scores in one.models[0].seeds)
    texts = rankings.texts(recipe_folder, scores)
    expected = rankings.answers(
        rankings.run_passages(recipe_folder, scores, texts, "multilingual", "qaa", 10), texts, 7
    )
    app = show("search", recipe="tiny")
    assert not answers(app)
    app.text_input(key="asked").set_value(texts.collection.queries[7].text).run()
    assert not app.exception
    (body,) = answers(app)
    assert [f"{one.score:.3f}" in body and one.passage.text in body for one in expected] == [True] * 10
    assert body.count("&#10003;") == sum(one.is_relevant for one in expected)


def test_model_that_is_not_here_is_said(recipe_folder: Path, show: Show) -> None:
    shutil.rmtree(recipe_folder / "finetune" / ROW / "model")
    app = show("search", recipe="tiny")
    assert "No model can be asked here" in app.info[0].value
    assert "missing on this machine" in app.info[0].value
    assert not app.text_input


def test_a_collection_of_millions_is_refused_before_it_is_read(recipe_folder: Path, show: Show) -> None:
    (path,) = recipe_folder.glob("score/*/manifest.json")
    manifest = json.loads(path.read_text())
    assert manifest["facts"]["passages"] > 0
    path.write_text(json.dumps(manifest | {"facts": {"passages": 58_043_326}}))
    shutil.rmtree(recipe_folder / "sources")
    assert "58\\,043\\,326 passages are too many" in show("search", recipe="tiny").info[0].value


def test_lexical_models_alone_cannot_be_asked(tiny_recipe: Path, show: Show) -> None:
    assert "No trained model" in show("search", recipe="tiny").info[0].value
