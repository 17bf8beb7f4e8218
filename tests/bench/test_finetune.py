"""The race of fine-tuning steps: both sides compute one loss, and a wrong one is noticed."""

import pytest
import torch

from msm.bench import finetune

SHAPE = finetune.Shape(1, 32, 2, 100, 6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_sides_compute_the_same_loss(precision: str) -> None:
    torch.manual_seed(1)
    model, texts = finetune._model(SHAPE), finetune._texts(SHAPE)
    assert finetune._check_equal(model, texts, precision) < 0.05
    assert 0.3 < texts.fill() < 0.8


def test_another_loss_stops_the_race(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    model, texts = finetune._model(SHAPE), finetune._texts(SHAPE)
    other = texts._replace(queries=texts.queries[::-1])
    monkeypatch.setattr(finetune, "_packed", lambda model, texts: finetune._padded(model, other))
    with pytest.raises(RuntimeError, match="do not compute the same loss"):
        finetune._check_equal(model, texts, "fp32")
