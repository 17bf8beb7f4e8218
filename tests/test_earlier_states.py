"""Training states of version 0.1.0, made under its names from states of this version.

States that version 0.1.0 itself had written were resumed once, too: three updates there and three here gave the weights
of six there, bit for bit (a bi-encoder of one tower with a pooler: within 6e-8).
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from msm import checkpoints
from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.finetuning.bi_encoder import BiEncoder
from msm.pretraining.document_encoder import DocumentEncoder, heads
from msm.training import Plan, train
from tests.finetuning.made import settings

PLAN = Plan(
    steps=4,
    learning_rate=0.01,
    warmup_steps=1,
    schedule="linear",
    schedule_steps=0,
    betas=(0.9, 0.999),
    epsilon=1e-8,
    weight_decay=0.01,
    clip=0.0,
    checkpoint_steps=2,
)
TOWERS = {
    "text.model.0.model.": "text.towers.0.",
    "text.model.0.sub_modules.query.0.model.": "text.towers.0.",
    "text.model.0.sub_modules.document.0.model.": "text.towers.1.",
}


class Shrink:
    """Makes all weights smaller."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def micro_losses(self, step: int) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """Sum of squares."""
        squares = [(weight**2).sum() for weight in self.module.parameters() if weight.requires_grad]
        yield torch.stack(squares).sum() * (step + 1), {"tokens": 1.0}

    def describe(self, step: int) -> str:
        """Number of the step."""
        return str(step)

    def after(self, step: int) -> dict[str, float]:
        """Nothing."""
        return {}


def bi_encoder(encoder: Path, pooling: str, towers: str) -> nn.Module:
    torch.manual_seed(1)  # of the pooler, which the start weights lack
    form = EncoderForm(pooling, "cosine", 24, 24, towers=towers)  # type: ignore[arg-type]
    return BiEncoder(new_encoder(encoder, form), settings(pooling=pooling, towers=towers))


def documents() -> nn.Module:
    torch.manual_seed(1)
    return nn.ModuleDict({"documents": nn.ModuleDict({"others": DocumentEncoder(8, 2, 16, 1, 4, 0.0)})})


def old_name(name: str) -> str:
    for new, old in TOWERS.items():
        if name.startswith(new):
            return old + name[len(new) :]
    return name.replace(".positions.", ".places.")


def as_0_1_0(folder: Path, *, unused_weights: dict[str, Tensor]) -> None:
    """Put the newest state of a folder under the names of version 0.1.0, with heads that it does not use."""
    state: dict[str, Any] = checkpoints.load(folder) or {}
    names = {name: old_name(name) for name in state["module"]}
    module = {old: state["module"][name] for name, old in names.items() if not name.startswith("text.") or old != name}
    [group] = state["optimizer"]["param_groups"]
    group["params"] = list(range(len(group["params"]) + len(unused_weights)))
    del state["format"]
    checkpoints.save(folder, state["step"], state | {"module": module | unused_weights})


@pytest.mark.parametrize("kind", ["pooler-one", "cls-two", "documents"])
def test_a_state_of_version_0_1_0_goes_on(kind: str, encoder: Path, tmp_path: Path) -> None:
    def fresh() -> nn.Module:
        pooling, _, towers = kind.partition("-")
        return bi_encoder(encoder, pooling, towers) if towers else documents()

    expected = fresh()
    train(Shrink(expected), PLAN, Execution(tmp_path / "whole", device="cpu"))
    work = tmp_path / "scratch" / "half"
    shutil.copytree(tmp_path / "whole", work)
    for path in work.glob("step-000000004.*"):
        path.unlink()
    projection = heads("asymmetric", 8)
    as_0_1_0(
        work, unused_weights={} if kind != "documents" else dict(projection.named_parameters(prefix="heads.others"))
    )
    assert not any(name.startswith("text.model") for name in (checkpoints.load(work) or {})["module"])
    module = fresh()
    facts = train(Shrink(module), PLAN, Execution(work, device="cpu"))
    assert facts["resumed_from"] == 2
    for name, weight in expected.state_dict().items():
        assert torch.equal(module.state_dict()[name], weight), name


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    train(Shrink(documents()), PLAN, Execution(tmp_path, device="cpu"))
    as_0_1_0(tmp_path, unused_weights={})
    with pytest.raises(BadInput, match=r"a training state of another model, which differs in 0\.bias; remove it"):
        train(Shrink(nn.Sequential(nn.Linear(2, 2))), PLAN, Execution(tmp_path, device="cpu"))


def test_a_training_of_version_0_1_0_is_not_passed_over(tmp_path: Path) -> None:
    """Its folder bears another name, since settings had other names; only its owner knows that it is the same."""
    old, new = tmp_path / "0123456789abcdef", tmp_path / "fedcba9876543210"
    train(Shrink(documents()), PLAN, Execution(old, device="cpu"))
    train(Shrink(documents()), PLAN, Execution(new, device="cpu"))  # of this version: another training
    shutil.rmtree(new)
    as_0_1_0(old, unused_weights={})
    with pytest.raises(BadInput, match=f"{old}: a training that version 0.1.0 began; rename it to {new}"):
        train(Shrink(documents()), PLAN, Execution(new, device="cpu"))
    old.rename(new)
    assert train(Shrink(documents()), PLAN, Execution(new, device="cpu"))["resumed_from"] == 4
