"""Objectives on pairs of translations: MEXMA, and distillation of a teacher.

Letters: B pairs, S = 2B sentences (the pivot's first), T tokens of their masked copies, P hidden tokens, H width.
"""

from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertConfig, PreTrainedConfig
from transformers.models.bert.modeling_bert import BertLayer

from msm.encoders.heads import inner_width
from msm.encoders.packed import NAME, run_layers
from msm.encoders.packing import Packed, pack
from msm.encoders.pooling import pool
from msm.errors import BadInput
from msm.losses import koleo_loss, token_loss
from msm.pretraining.batches import HiddenTokens, Texts
from msm.pretraining.documents import initialise
from msm.pretraining.objective import Loss, Objective
from msm.pretraining.pair_batches import PairBatch, PairBatches
from msm.pretraining.settings import Mexma as MexmaSettings
from msm.settings import present

LAYER_NORM_EPS = 1e-5
"""Of encoders whose configuration names none."""


class Inputs(NamedTuple):
    """Pairs, and their sentences twice: as they are, and with hidden tokens."""

    batch: PairBatch
    texts: Texts


class Mexma(Objective[PairBatches]):
    """MEXMA: the hidden tokens of a sentence are found with the vector of its translation.

    Four passes in one: both sentences as they are and masked. In the masked one the state of the first token gives
    way to the vector of the other sentence; a fresh transformer then finds the hidden tokens. Beside that the two
    vectors are drawn together as they are, not normalised, and the vectors of a batch apart (KoLeo). The encoder
    learns through the vectors and through the tokens.

    Source: arXiv 2409.12737, section 3, and the code released with it. Attention has no dropout.
    """

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.model.unmask = unmasking_layers(
            self.model.masked.config, present(self.settings.mexma), self.settings.seed
        ).to(self.device)

    def read(self, step: int, micro: int) -> Inputs:
        """Pairs, and masked copies of both sides."""
        batch = self.batches.pair_batch(step, micro)
        return Inputs(batch, self.batches.texts(batch.sentences, step, micro))

    def loss(self, inputs: Inputs) -> Loss:
        """The weighted sum of the three losses."""
        texts, settings = inputs.texts, present(self.settings.mexma)
        vectors, states = self.vectors_and_states(texts)
        pivot, other = vectors.float().chunk(2)
        unmasking = self.unmasking_loss(states, torch.cat([other, pivot]), texts.hidden)
        owners = torch.from_numpy(inputs.batch.owners).to(self.device).chunk(2)
        with torch.autocast(self.device.type, enabled=False):
            alignment = F.mse_loss(pivot, other)
            spread = (koleo_loss(pivot, owners[0]) + koleo_loss(other, owners[1])) / 2
        value = settings.alignment_weight * alignment + settings.unmasking_weight * unmasking
        value = value + settings.koleo_weight * spread
        numbers = {"alignment_loss": alignment, "mlm_loss": unmasking, "koleo_loss": spread} | watched(pivot, other)
        return Loss(value, {name: number.detach() for name, number in numbers.items()}, len(texts.both.tokens))

    def unmasking_loss(self, states: Tensor, vectors: Tensor, hidden: HiddenTokens) -> Tensor:
        """Mean over both sides of the mean cross entropy of their hidden tokens.

        Args:
            states: of the masked sentences, [T, H].
            vectors: of the translation of each of them, [S, H].
            hidden: the masked sentences.
        """
        packed = hidden.packed.to(self.device)
        crossed = states.index_copy(0, packed.starts, vectors.to(states.dtype))
        rows = torch.from_numpy(hidden.rows).to(self.device)
        found = run_layers(cast(nn.ModuleList, self.model.unmask), crossed, packed)[rows]
        second = (packed.owners[rows] >= len(vectors) // 2).long()
        counts = torch.bincount(second, minlength=2)
        weights = 1 / counts[second] / (counts > 0).sum()
        targets = torch.from_numpy(hidden.targets).to(self.device)
        pieces = cast(nn.Embedding, self.model.masked.get_input_embeddings()).weight
        return token_loss(lambda states: F.linear(states, pieces), found, targets, weights)


def unmasking_layers(encoder: PreTrainedConfig, settings: MexmaSettings, seed: int) -> nn.ModuleList:
    """Fresh layers of BERT as wide as an encoder's, N(0, 0.02), without attention dropout.

    Args:
        encoder: configuration of the encoder.
        settings: number of layers, heads and dropout.
        seed: of the weights.

    Raises:
        BadInput: the width is no multiple of the heads.
    """
    heads = settings.heads or encoder.num_attention_heads
    if encoder.hidden_size % heads:
        raise BadInput(f"mexma.heads must divide the width {encoder.hidden_size}, got {heads}")
    config = BertConfig(
        hidden_size=encoder.hidden_size,
        num_attention_heads=heads,
        intermediate_size=inner_width(encoder),
        layer_norm_eps=getattr(encoder, "layer_norm_eps", LAYER_NORM_EPS),
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=0.0,
    )
    config._attn_implementation = NAME
    torch.manual_seed(seed)
    return nn.ModuleList(BertLayer(config) for _ in range(settings.layers)).apply(initialise)


class Taught(NamedTuple):
    """Pairs, and their sentences."""

    batch: PairBatch
    packed: Packed


class Distillation(Objective[PairBatches]):
    """A teacher of one language makes a student of many: both sides of a pair are to get its vector of the first.

    Source: Reimers and Gurevych 2020, arXiv 2004.09813, equation 1.
    """

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        teacher, width = self.batches.shards.teacher, self.model.masked.config.hidden_size
        if teacher is None:
            raise BadInput("objective distill needs parallel sentences with vectors of a teacher; run the stage teach")
        if teacher.shape[1] != width:
            raise BadInput(f"the teacher's vectors have {teacher.shape[1]} values, the student's {width}")

    def read(self, step: int, micro: int) -> Taught:
        """Pairs and the teacher's vectors."""
        batch = self.batches.pair_batch(step, micro)
        return Taught(batch, pack(batch.sentences))

    def loss(self, inputs: Taught) -> Loss:
        """Mean squared error of either side, added up."""
        packed = inputs.packed.to(self.device)
        vectors = pool(self.states(packed), packed, self.settings.pooling)
        pivot, other = vectors.float().chunk(2)
        taught = torch.from_numpy(inputs.batch.taught).to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            losses = {"pivot_loss": F.mse_loss(pivot, taught), "other_loss": F.mse_loss(other, taught)}
        numbers = {name: loss.detach() for name, loss in losses.items()} | watched(pivot.detach(), other.detach())
        return Loss(sum(losses.values(), pivot.new_zeros(())), numbers, len(packed.tokens))


@torch.no_grad()
def watched(pivot: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Share of the pivot's sentences whose own translation is nearest, and mean cosines with it and with others."""
    cosines = F.normalize(pivot, dim=1) @ F.normalize(other, dim=1).T
    own, count = cosines.diagonal(), len(cosines)
    hits = (cosines.argmax(1) == torch.arange(count, device=cosines.device)).float()
    others = (cosines.sum() - own.sum()) / max(count * (count - 1), 1)
    return {"accuracy": hits.mean(), "positive": own.mean(), "negative": others}
