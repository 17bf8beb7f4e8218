"""The first updates of a checkpoint that lacks a language-model head, in which only the new weights learn.

A head with random weights guesses worse than chance at first, and its gradient would spoil an encoder that was good.
"""

from collections.abc import Mapping, Sequence

from torch import nn

AVERAGED = 5
"""Number of updates over which a loss is averaged."""


def freeze(encoder: nn.Module, is_frozen: bool) -> None:
    """Freeze the weights of an encoder or let them learn again, embeddings that the head shares included."""
    for parameter in encoder.parameters():
        parameter.requires_grad_(not is_frozen)


def head_losses(log: Sequence[Mapping[str, float]], head_steps: int) -> dict[str, float]:
    """Return the losses at the beginning and at the end of the updates in which the encoder was frozen.

    Args:
        log: rows of the training log, from the first step on.
        head_steps: number of updates in which the encoder was frozen.

    Returns:
        `loss_first`, `loss_last`, `mlm_loss_first` and so on, in nats. The last losses are means over up to `AVERAGED`
        updates.
    """
    last = log[max(0, head_steps - AVERAGED) : head_steps]
    names = [name for name in ("loss", "mlm_loss", "msm_loss") if name in log[0]]
    first_values = {f"{name}_first": log[0][name] for name in names}
    return first_values | {f"{name}_last": round(sum(row[name] for row in last) / len(last), 4) for name in names}
