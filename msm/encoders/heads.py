"""Takes a model with a language-model head apart: its body, and its head as a function of token states.

Shapes: P positions, H width, V vocabulary.
"""

import copy
from collections.abc import Callable
from typing import Any, cast

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
    given = _Given(body(model))
    shell._modules = model._modules | {model.base_model_prefix: given}
    return lambda states: shell(inputs_embeds=states[None]).logits[0]


def inner_width(config: PreTrainedConfig) -> int:
    """Return the inner width of a feed-forward block; four times the states where no name says it."""
    return getattr(config, "intermediate_size", None) or 4 * config.hidden_size


class _Given(nn.Module):
    """Takes the place of a body, and returns the states that it is given.

    Args:
        model: the body; heads may read its embeddings.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.embeddings = getattr(model, "embeddings", None)

    def forward(self, *unread: Any, inputs_embeds: Tensor, **others: Any) -> LongformerBaseModelOutput:
        """States as they are, [1, P, H]."""
        del unread, others
        # Of all heads Longformer's reads the most fields of it.
        return LongformerBaseModelOutput(last_hidden_state=inputs_embeds)  # type: ignore[arg-type]
