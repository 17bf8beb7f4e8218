"""What is needed at the end of a training is looked at before its first step."""

import shutil
from pathlib import Path

import pytest

from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import recipes
from msm.pipeline.checks import check
from msm.pipeline.tasks import tasks
from msm.pretraining import train
from tests.pipeline.made import ROOT
from tests.pretraining.made import settings


def test_a_damaged_tokenizer_fails_before_the_first_step(units: Path, encoder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(encoder, weights)
    (weights / "tokenizer_config.json").write_text('{"tokenizer_class": ')
    out, execution = tmp_path / "out", Execution(work=tmp_path / "work")
    out.mkdir()
    with pytest.raises(BadInput, match=r"tokenizer_config\.json:1: not JSON"):
        train.run(settings(), units=units, weights=weights, out=out, execution=execution)
    assert not execution.work.exists()


def test_a_recipe_without_development_questions_is_refused() -> None:
    recipe = recipes.load(ROOT / "recipes" / "tiny.yaml")
    recipe["finetune"]["dev_examples"] = " "
    with pytest.raises(BadInput, match=r"finetune/constructed-untrained-1: dev_examples names no file"):
        check(tasks(recipe, "tiny.yaml"), "tiny.yaml")
