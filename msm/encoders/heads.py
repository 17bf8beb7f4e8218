"""Takes a model with a language-model head apart: its body, and its head as a function of token states.

Shapes: P positions, H width, V vocabulary.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.longformer.modeling_longformer import LongformerBaseModelOutput


def body(model: PreTrainedModel) -> PreTrainedModel:
    """Return the encoder inside a model with a head, or the model itself."""
    return cast(PreTrainedModel, model.base_model)


def has_language_head(model: PreTrainedModel) -> bool:
    """Return whether a model has a head on its body."""
    return body(model) is not model


def language_head(model: PreTrainedModel) -> Callable[[Tensor], Tensor]:
    """Return a function from token states to logits, [P, H] to [P, V], with the model's own weights.

    Every class writes its head in its own way, so the class's own forward pass does it, with the states in the place
    of what its body would give.
    """
    shell = copy.copy(model)
    stand_in = _PassThrough(body(model))
    shell._modules = model._modules | {model.base_model_prefix: stand_in}
    return lambda states: shell(inputs_embeds=states[None]).logits[0]


class SplitHead(NamedTuple):
    """A language-model head that ends in a product with the vectors of all pieces."""

    transform: Callable[[Tensor], Tensor]
    """From token states to those that are multiplied, [P, H] to [P, W]."""
    pieces: Tensor
    """Vectors of the pieces, [V, W]."""
    bias: Tensor | None
    """[V]."""


def split_head(model: PreTrainedModel) -> SplitHead | None:
    """The parts of a language-model head; None where it does more than that product at its end.

    The class's own forward pass is run with a last product that does nothing. Whether nothing else follows it is seen
    by trying one row.
    """
    last = model.get_output_embeddings()
    if not isinstance(last, nn.Linear):
        return None
    transform = language_head(_without(model, last))
    split = SplitHead(transform, last.weight, last.bias)
    row = torch.ones(1, model.config.hidden_size, device=last.weight.device, dtype=last.weight.dtype)
    with torch.no_grad(), _on_trial(model, last.bias):
        try:
            logits = F.linear(transform(row), split.pieces, split.bias)
        except (RuntimeError, AttributeError):
            return None
        same = torch.allclose(logits, language_head(model)(row), rtol=1e-4, atol=1e-4)
    return split if same else None


def _without(model: PreTrainedModel, last: nn.Module) -> PreTrainedModel:
    """The model with the same weights, and nothing in the place of a module."""
    path = next(name for name, module in model.named_modules(remove_duplicate=False) if module is last).split(".")
    shell = part = copy.copy(model)
    for name in path[:-1]:
        inner = copy.copy(part._modules[name])
        part._modules = part._modules | {name: inner}
        part = cast(Any, inner)
    part._modules = part._modules | {path[-1]: nn.Identity()}
    return shell


@contextlib.contextmanager
def _on_trial(model: nn.Module, bias: Tensor | None) -> Iterator[None]:
    """A model without dropout, and with a bias that cannot be overlooked, for a while."""
    training, usual = model.training, None if bias is None else bias.clone()
    model.eval()
    if bias is not None:
        bias.copy_(torch.linspace(-1, 1, len(bias)))
    try:
        yield
    finally:
        model.train(training)
        if bias is not None and usual is not None:
            bias.copy_(usual)


def inner_width(config: PreTrainedConfig) -> int:
    """Return the inner width of a feed-forward block; four times the states where no name says it."""
    return getattr(config, "intermediate_size", None) or 4 * config.hidden_size


class _PassThrough(nn.Module):
    """Takes the place of a body, and returns the states that it is given.

    Args:
        model: the body; heads may read its embeddings.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.embeddings = getattr(model, "embeddings", None)

    def forward(self, *positional: Any, inputs_embeds: Tensor, **others: Any) -> LongformerBaseModelOutput:
        """States as they are, [1, P, H]."""
        del positional, others
        # Of all heads Longformer's reads the most fields of it.
        return LongformerBaseModelOutput(last_hidden_state=inputs_embeds)  # type: ignore[arg-type]
