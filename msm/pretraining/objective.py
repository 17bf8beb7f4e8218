"""What every objective shares: masked language modelling beside the texts it is about, in one forward pass."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from msm.encoders.heads import body, has_language_head, language_head
from msm.encoders.packed import token_states
from msm.encoders.packing import Packed, join
from msm.encoders.pooling import pool
from msm.losses import Contrast, token_loss
from msm.pretraining.batches import Batches, HiddenTokens, Texts
from msm.pretraining.model import SentenceModel
from msm.pretraining.pair_batches import PairBatches
from msm.pretraining.settings import Pretrain
from msm.settings import present


class Loss(NamedTuple):
    """Loss of one micro-batch and what to log of it."""

    value: Tensor
    numbers: Mapping[str, Tensor | float]
    """Averaged over the micro-batches of a step."""
    tokens: int
    """Through the sentence encoder."""


B = TypeVar("B", Batches, PairBatches)


class Objective(ABC, Generic[B]):
    """Gives the loss of a micro-batch; holds no state but the model's.

    Args:
        model: what is trained.
        batches: what is read.
        settings: of pre-training.
        device: where it runs.
    """

    def __init__(self, model: SentenceModel, batches: B, settings: Pretrain, device: torch.device) -> None:
        self.model, self.batches, self.settings, self.device = model, batches, settings, device

    @abstractmethod
    def read(self, step: int, micro: int) -> Any:
        """What the loss of a micro-batch is computed from.

        Depends on nothing but its place, for it is called ahead of time and in another thread.
        """

    @abstractmethod
    def loss(self, inputs: Any) -> Loss:
        """The loss of one micro-batch, of what `read` gave for it."""

    def after(self, step: int) -> None:
        """Called on every process when all micro-batches of a step have been computed; most need nothing."""
        del step

    def encode(self, texts: Texts) -> tuple[Tensor, Tensor | None, int]:
        """Vectors of S texts, and the MLM loss of the micro-batch: clean and masked text in one forward pass.

        Returns:
            Vectors [S, H], MLM loss, tokens of both; no MLM loss where the model has no head for it, and the masked
            text is not read then.
        """
        if not has_language_head(self.model.masked):
            clean = texts.clean.to(self.device)
            return pool(self.states(clean), clean, self.settings.pooling), None, len(clean.tokens)
        vectors, states = self.vectors_and_states(texts)
        return vectors, self.token_loss(states, texts.hidden), len(texts.both.tokens)

    def vectors_and_states(self, texts: Texts) -> tuple[Tensor, Tensor]:
        """Vectors of the S clean texts, [S, H], and states of the T tokens of the masked ones, [T, H]."""
        states = self.states(texts.both)
        words = len(texts.clean.tokens)
        return pool(states[:words], texts.clean.to(self.device), self.settings.pooling), states[words:]

    def states(self, packed: Packed) -> Tensor:
        """States of packed tokens, [T, H]."""
        return token_states(body(self.model.masked), packed.to(self.device))

    def token_loss(self, states: Tensor, hidden: HiddenTokens) -> Tensor:
        """MLM loss; the head sees the hidden tokens only.

        Args:
            states: [T, H], of `hidden.packed`.
            hidden: which rows to score, and their true ids.
        """
        chosen = states[torch.from_numpy(hidden.rows).to(self.device)]
        targets = torch.from_numpy(hidden.targets).long().to(self.device)
        return token_loss(language_head(self.model.masked), chosen, targets)

    def add(self, contrast: Contrast, weight: float, mlm: Tensor | None, tokens: int) -> Loss:
        """The contrastive loss times its weight, with the weighted MLM loss where there is one, and what to log."""
        value = weight * contrast.loss
        numbers = contrast._asdict()
        numbers = {"msm_loss": numbers.pop("loss").detach(), **numbers}
        if mlm is None:
            return Loss(value, numbers, tokens)
        value = value + present(self.settings.mlm).weight * mlm
        return Loss(value, {"mlm_loss": mlm.detach(), **numbers}, tokens)


class MaskedTokens(Objective[Batches]):
    """The control: masked tokens alone, with the tokens of the sentence task spent on more of them."""

    def read(self, step: int, micro: int) -> tuple[HiddenTokens, HiddenTokens, Packed]:
        """Two MLM micro-batches: the usual one, and one of as many tokens as the runs it stands in for."""
        usual = self.batches.hide(self.batches.mlm_blocks(step, micro), step, micro)
        more = self.batches.hide(self.batches.control_blocks(step, micro), step, micro, 1)
        return usual, more, join(usual.packed, more.packed)

    def loss(self, inputs: tuple[HiddenTokens, HiddenTokens, Packed]) -> Loss:
        """The weighted sum of both."""
        usual, more, both = inputs
        states = self.states(both)
        words = len(usual.packed.tokens)
        first, second = self.token_loss(states[:words], usual), self.token_loss(states[words:], more)
        value = present(self.settings.mlm).weight * (first + second)
        return Loss(value, {"mlm_loss": first.detach(), "control_loss": second.detach()}, len(both.tokens))
