"""The base class of all objectives, and the control `mlm`.

Masked language modelling stands beside most objectives; its text and theirs share one forward pass.

Shapes: S texts, T tokens, P hidden tokens, H width.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from msm.encoders.heads import SplitHead, body, has_language_head, language_head, split_head
from msm.encoders.packed import token_states
from msm.encoders.pooling import pool
from msm.encoders.token_packing import PackedTokens, join
from msm.losses import ContrastiveLoss, linear_token_loss, token_loss
from msm.pretraining.batches import Batches, HiddenTokens, Texts
from msm.pretraining.model import SentenceModel
from msm.pretraining.pair_batches import PairBatches
from msm.pretraining.settings import Pretrain
from msm.settings import present


class LoggedLoss(NamedTuple):
    """The loss of one micro-batch and the values that are logged with it."""

    value: Tensor
    """Scalar in nats, with gradient."""
    numbers: Mapping[str, Tensor | float]
    """Values to log by name. The log holds their means over the micro-batches of a step."""
    tokens: int
    """Number of tokens that the sentence encoder read."""


B = TypeVar("B", Batches, PairBatches)


class Objective(ABC, Generic[B]):
    """What a model learns: reads micro-batches and computes their losses. Its only state is that of the model.

    Args:
        model: model to train.
        batches: micro-batches of every step.
        settings: settings of the stage `pretrain`.
        device: device of the model.
    """

    def __init__(self, model: SentenceModel, batches: B, settings: Pretrain, device: torch.device) -> None:
        self.model, self.batches, self.settings, self.device = model, batches, settings, device

    @abstractmethod
    def read(self, step: int, micro: int) -> Any:
        """Read what the loss of a micro-batch is computed from.

        The result must depend on `step` and `micro` only: the method is called ahead of time and in another thread.
        """

    @abstractmethod
    def loss(self, inputs: Any) -> LoggedLoss:
        """Compute the loss of one micro-batch from what `read` returned for it."""

    def after(self, step: int) -> None:
        """Do what must follow a step; every process calls it after its micro-batches. Most objectives do nothing."""
        del step

    def encode(self, texts: Texts) -> tuple[Tensor, Tensor | None, int]:
        """Encode texts, and compute the loss of masked tokens in the same forward pass.

        Returns:
            Vectors of the texts, [S, H]; the loss of masked tokens; the number of tokens that were read. Where the
            model has no language-model head, the loss is None and the masked text is not read.
        """
        if not has_language_head(self.model.masked):
            clean = texts.clean.to(self.device)
            return pool(self.states(clean), clean, self.settings.pooling), None, len(clean.tokens)
        vectors, states = self.vectors_and_states(texts)
        return vectors, self.token_loss(states, texts.hidden), len(texts.both.tokens)

    def vectors_and_states(self, texts: Texts) -> tuple[Tensor, Tensor]:
        """Return vectors of the texts as they are, [S, H], and token states of the masked ones, [T, H]."""
        states = self.states(texts.both)
        words = len(texts.clean.tokens)
        return pool(states[:words], texts.clean.to(self.device), self.settings.pooling), states[words:]

    def states(self, packed_tokens: PackedTokens) -> Tensor:
        """Return the states of packed tokens, [T, H]."""
        return token_states(body(self.model.masked), packed_tokens.to(self.device))

    def token_loss(self, states: Tensor, hidden: HiddenTokens) -> Tensor:
        """Compute the loss of masked tokens in nats; the head is applied to the hidden tokens only.

        Args:
            states: states of the tokens of `hidden.packed`, [T, H].
            hidden: positions of the hidden tokens, and their true ids.
        """
        rows = states[torch.from_numpy(hidden.rows).to(self.device)]
        targets = torch.from_numpy(hidden.targets).long().to(self.device)
        if head := self._split_head:
            return linear_token_loss(head.transform(rows), head.pieces, head.bias, targets)
        return token_loss(language_head(self.model.masked), rows, targets)

    @functools.cached_property
    def _split_head(self) -> SplitHead | None:
        return split_head(self.model.masked)

    def add(self, contrast: ContrastiveLoss, weight: float, mlm: Tensor | None, tokens: int) -> LoggedLoss:
        """Add the loss of masked tokens, where there is one, to a contrastive loss, each with its weight.

        Args:
            contrast: contrastive loss and its logged values.
            weight: weight of the contrastive loss.
            mlm: loss of masked tokens, or None.
            tokens: number of tokens that the sentence encoder read.
        """
        value = weight * contrast.loss
        numbers = contrast._asdict()
        numbers = {"msm_loss": numbers.pop("loss").detach(), **numbers}
        if mlm is None:
            return LoggedLoss(value, numbers, tokens)
        value = value + present(self.settings.mlm).weight * mlm
        return LoggedLoss(value, {"mlm_loss": mlm.detach(), **numbers}, tokens)


class MaskedTokens(Objective[Batches]):
    """The control `mlm`: masked tokens alone. It reads as many tokens as `msm`, all of them with masks."""

    def read(self, step: int, micro: int) -> tuple[HiddenTokens, HiddenTokens, PackedTokens]:
        """Read the usual masked text, and a second one of as many tokens as the documents that `msm` would read."""
        usual = self.batches.hide(self.batches.mlm_blocks(step, micro), step, micro)
        more = self.batches.hide(self.batches.control_blocks(step, micro), step, micro, 1)
        return usual, more, join(usual.packed_tokens, more.packed_tokens)

    def loss(self, inputs: tuple[HiddenTokens, HiddenTokens, PackedTokens]) -> LoggedLoss:
        """Return the weighted sum of the losses of both texts."""
        usual, more, both = inputs
        states = self.states(both)
        words = len(usual.packed_tokens.tokens)
        first, second = self.token_loss(states[:words], usual), self.token_loss(states[words:], more)
        value = present(self.settings.mlm).weight * (first + second)
        return LoggedLoss(value, {"mlm_loss": first.detach(), "control_loss": second.detach()}, len(both.tokens))
