"""What every objective shares: masked language modelling beside the texts it is about, in one forward pass."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msm.encoder import body, pool, token_states
from msm.losses import Contrast, token_loss
from msm.packing import join, pack
from msm.pretraining.batches import Batches, HiddenTokens
from msm.pretraining.model import SentenceModel
from msm.settings import Pretrain


class Loss(NamedTuple):
    """Loss of one micro-batch and what to log of it."""

    value: Tensor
    numbers: dict[str, Tensor | float]
    """Averaged over the micro-batches of a step."""
    tokens: int
    """Through the sentence encoder."""


class Objective(ABC):
    """Gives the loss of a micro-batch; holds no state but the model's.

    Args:
        model: what is trained.
        batches: what is read.
        settings: of pre-training.
        device: where it runs.
    """

    def __init__(self, model: SentenceModel, batches: Batches, settings: Pretrain, device: torch.device) -> None:
        self.model, self.batches, self.settings, self.device = model, batches, settings, device

    @abstractmethod
    def loss(self, step: int, micro: int) -> Loss:
        """The loss of one micro-batch."""

    def after(self, step: int) -> None:
        """Called on every process when all micro-batches of a step have been computed; most need nothing."""
        del step

    def encode(self, texts: Sequence[NDArray[np.integer]], step: int, micro: int) -> tuple[Tensor, Tensor, int]:
        """Vectors of texts, and the MLM loss of the micro-batch: clean and masked text in one forward pass.

        Args:
            texts: token ids of S texts.
            step: of the update.
            micro: of the micro-batch.

        Returns:
            Vectors [S, H], MLM loss, tokens of both.
        """
        masked = texts if self.settings.mlm_text == "units" else self.batches.mlm_blocks(step, micro)
        hidden = self.batches.hide(masked, step, micro)
        clean = pack(texts)
        both = join(clean, hidden.packed).to(self.device)
        states = token_states(body(self.model.masked), both)
        words = len(clean.tokens)
        vectors = pool(states[:words], clean.to(self.device), self.settings.pooling)
        return vectors, self.token_loss(states[words:], hidden), len(both.tokens)

    def token_loss(self, states: Tensor, hidden: HiddenTokens) -> Tensor:
        """MLM loss; the head sees the hidden tokens only.

        Args:
            states: [T, H], of `hidden.packed`.
            hidden: which rows to score, and their true ids.
        """
        chosen = states[torch.from_numpy(hidden.rows).to(self.device)]
        targets = torch.from_numpy(hidden.targets).long().to(self.device)
        return token_loss(self.model.masked.lm_head, chosen, targets)

    def add(self, contrast: Contrast, mlm: Tensor, tokens: int) -> Loss:
        """The weighted sum of both losses, and what to log."""
        value = self.settings.msm_weight * contrast.loss + self.settings.mlm_weight * mlm
        numbers = contrast._asdict()
        return Loss(value, {"mlm_loss": mlm.detach(), "msm_loss": numbers.pop("loss").detach(), **numbers}, tokens)


class MaskedTokens(Objective):
    """The control: masked tokens alone, with the tokens of the sentence task spent on more of them."""

    def loss(self, step: int, micro: int) -> Loss:
        """Two MLM micro-batches: the usual one, and one of as many tokens as the runs it stands in for."""
        parts = [
            self.batches.hide(self.batches.mlm_blocks(step, micro), step, micro),
            self.batches.hide(self.batches.control_blocks(step, micro), step, micro, 1),
        ]
        both = join(parts[0].packed, parts[1].packed).to(self.device)
        states = token_states(body(self.model.masked), both)
        words = len(parts[0].packed.tokens)
        first, second = self.token_loss(states[:words], parts[0]), self.token_loss(states[words:], parts[1])
        value = self.settings.mlm_weight * first + self.settings.msm_weight * second
        return Loss(value, {"mlm_loss": first.detach(), "control_loss": second.detach()}, len(both.tokens))
