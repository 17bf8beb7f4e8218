"""Updates that train the heads alone."""

import dataclasses
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from msm.errors import BadInput, Preempted
from msm.execution import Execution
from msm.pipeline import recipes
from msm.pipeline.tasks import tasks as tasks_of
from msm.pretraining import train
from msm.pretraining.settings import Pretrain
from msm.training import Plan, read_log
from tests.pretraining.made import settings as form


@pytest.fixture(scope="module")
def settings() -> Pretrain:
    """Of the masked sentence model in the tiny recipe; 12 updates, the first 8 of the heads alone."""
    recipe = recipes.load(Path(__file__).parents[2] / "recipes" / "tiny.yaml")
    recipe_settings = [task.settings for task in tasks_of(recipe, "tiny") if isinstance(task.settings, Pretrain)]
    masked_sentences = next(settings for settings in recipe_settings if settings.objective == "msm")
    return dataclasses.replace(masked_sentences, steps=12, schedule_steps=0, head_steps=8, head_learning_rate=0.01)


def run(
    settings: Pretrain, units: Path, encoder: Path, out: Path, work: Path
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    out.mkdir()
    facts = train.run(settings, units=units, weights=encoder, out=out, execution=Execution(work=work, device="cpu"))
    return facts, load_file(out / "model.safetensors")


def split(weights: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Weights of the encoder, and of the language-model head."""
    heads = {name: weight for name, weight in weights.items() if "lm_head" in name}
    return {name: weight for name, weight in weights.items() if name not in heads}, heads


def test_the_encoder_stands_still_while_the_heads_learn(
    settings: Pretrain, units: Path, encoder: Path, tmp_path: Path
) -> None:
    still = dataclasses.replace(settings, learning_rate=0.0)
    facts, weights = run(still, units, encoder, tmp_path / "out", tmp_path / "work")
    (body, heads), (old_body, old_heads) = split(weights), split(load_file(encoder / "model.safetensors"))
    assert all(torch.equal(weight, old_body[name]) for name, weight in body.items())
    assert not any(torch.equal(weight, old_heads[name]) for name, weight in heads.items())
    rows = read_log(tmp_path / "work" / "log.jsonl")
    assert facts["head"]["mlm_loss_first"] == rows[0]["mlm_loss"]
    assert facts["head"]["mlm_loss_last"] == pytest.approx(sum(row["mlm_loss"] for row in rows[3:8]) / 5, abs=1e-4)
    assert facts["head"]["mlm_loss_last"] < facts["head"]["mlm_loss_first"]


def test_the_encoder_learns_afterwards(settings: Pretrain, units: Path, encoder: Path, tmp_path: Path) -> None:
    body = split(run(settings, units, encoder, tmp_path / "out", tmp_path / "work")[1])[0]
    old = split(load_file(encoder / "model.safetensors"))[0]
    names = [name for name, weight in body.items() if not torch.equal(weight, old[name])]
    assert any("word_embeddings" in name for name in names)
    assert any("layer.0.attention" in name for name in names)


def test_stopped_among_the_heads_and_resumed_gives_the_same_bits(
    settings: Pretrain, units: Path, encoder: Path, tmp_path: Path
) -> None:
    longer = dataclasses.replace(settings, steps=60, head_steps=50, checkpoint_steps=100)
    _, straight = run(longer, units, encoder, tmp_path / "straight", tmp_path / "work-straight")
    threading.Thread(target=_stop_after_two_steps, args=[tmp_path / "work" / "log.jsonl"]).start()
    with pytest.raises(Preempted):
        run(longer, units, encoder, tmp_path / "stopped", tmp_path / "work")
    facts, weights = run(longer, units, encoder, tmp_path / "out", tmp_path / "work")
    assert 2 <= facts["resumed_from"] < 50
    assert all(torch.equal(weight, straight[name]) for name, weight in weights.items())


def _stop_after_two_steps(log: Path) -> None:
    while not log.is_file() or len(log.read_text().splitlines()) < 2:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_schedule_begins_when_the_encoder_does() -> None:
    values = {"schedule": "linear", "betas": (0.9, 0.98), "epsilon": 1e-6, "weight_decay": 0.0, "clip": 1.0}
    shape: dict[str, Any] = values | {
        "learning_rate": 1e-4,
        "warmup_steps": 3,
        "schedule_steps": 0,
        "checkpoint_steps": 1,
    }
    plain, late = Plan(steps=10, **shape), Plan(steps=15, head_steps=5, head_learning_rate=0.5, **shape)
    assert [late.rate(step) for step in range(15)] == [0.5] * 5 + [plain.rate(step) for step in range(10)]


def test_nothing_but_the_encoder_cannot_have_a_head_start(settings: Pretrain) -> None:
    with pytest.raises(BadInput, match="head_steps must be below steps, got 12 and 12"):
        dataclasses.replace(settings, head_steps=12)
    with pytest.raises(BadInput, match="head_steps: with these settings distill trains nothing but the encoder"):
        form(steps=12, head_steps=8, objective="distill")
    with pytest.raises(BadInput, match="with these settings crop trains nothing but the encoder"):
        form(**{"objective": "crop", "head_steps": 8, "mlm.weight": 0.0, "projector": "none"})
