"""The first updates of a checkpoint without a language-model head: only what is new learns.

A head drawn at random guesses worse than chance at first, and its gradient would move an encoder that was good.
"""

from collections.abc import Mapping, Sequence

from torch import nn

from msm.errors import BadInput
from msm.pretraining.settings import Pretrain
from msm.settings import present

AVERAGED = 5
"""Updates over which a loss is averaged."""


def freeze(encoder: nn.Module, frozen: bool) -> None:
    """Make an encoder stand still, or learn again; its embeddings belong to it also where the head shares them."""
    for parameter in encoder.parameters():
        parameter.requires_grad_(not frozen)


def check_heads(settings: Pretrain) -> None:
    """Make sure that something learns while the encoder stands still.

    Raises:
        BadInput: the objective has nothing but the encoder, or no update is left for it.
    """
    if not settings.head_steps:
        return
    if settings.head_steps >= settings.steps:
        raise BadInput(f"head_steps must be below steps, got {settings.head_steps} and {settings.steps}")
    bare = settings.pairs and settings.pairs.projector == "none" and not present(settings.mlm).weight
    if bare or settings.distill:
        raise BadInput(f"head_steps: with these settings {settings.objective} trains nothing but the encoder")


def head_losses(log: Sequence[Mapping[str, float]], head_steps: int) -> dict[str, float]:
    """The losses of the first update, and of the last ones for which the encoder stood still.

    Args:
        log: rows of the training log, from the first step.
        head_steps: updates of the heads alone.

    Returns:
        `loss_first`, `loss_last`, `mlm_loss_first`, ...: nats; the last ones are means over at most `AVERAGED` updates.
    """
    last = log[max(0, head_steps - AVERAGED) : head_steps]
    names = [name for name in ("loss", "mlm_loss", "msm_loss") if name in log[0]]
    first_values = {f"{name}_first": log[0][name] for name in names}
    return first_values | {f"{name}_last": round(sum(row[name] for row in last) / len(last), 4) for name in names}
