"""Objectives that learn from pairs of translations: MEXMA, and the distillation of a teacher.

Shapes: B pairs, S = 2B sentences (those of the pivot language first), T tokens of their masked copies, P hidden tokens,
H width.
"""

import math
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertConfig, PreTrainedConfig
from transformers.models.bert.modeling_bert import BertLayer

from msm.encoders.heads import inner_width
from msm.encoders.packed import NAME, run_layers
from msm.encoders.pooling import pool
from msm.encoders.token_packing import PackedTokens, pack
from msm.errors import BadInput
from msm.losses import koleo_loss, linear_token_loss
from msm.pretraining.batches import HiddenTokens, Texts
from msm.pretraining.objective import LoggedLoss, Objective
from msm.pretraining.pair_batches import PairBatch, PairBatches
from msm.pretraining.settings import Mexma as MexmaSettings
from msm.settings import present

LAYER_NORM_EPS = 1e-12
"""Epsilon of the layer norms of the transformer that guesses hidden tokens, as in the released code."""


class MexmaInputs(NamedTuple):
    """Pairs of translations, and their sentences once as they are and once with hidden tokens."""

    batch: PairBatch
    texts: Texts


class Mexma(Objective[PairBatches]):
    """MEXMA: guess the hidden tokens of a sentence with the help of the vector of its translation.

    One forward pass encodes both sentences of a pair, each as it is and masked. In a masked sentence the state of the
    first token is replaced by the vector of the translation, and a fresh transformer then guesses the hidden tokens.
    A second loss pulls the two vectors of a pair together, without normalising them, and a third one (KoLeo) spreads
    the vectors of a batch. Gradients reach the encoder through the vectors and through the tokens. Attention has no
    dropout.

    Source: arXiv 2409.12737, section 3, and the code released with it.
    """

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        config = self.model.masked.config
        self.model.unmask = unmasking_layers(config, present(self.settings.mexma), self.settings.seed).to(self.device)
        limit = 1 / math.sqrt(config.hidden_size)
        bias = torch.empty(config.vocab_size, device=self.device).uniform_(-limit, limit)
        self.model.unmask_bias = nn.Parameter(bias)

    def read(self, step: int, micro: int) -> MexmaInputs:
        """Read the pairs of a micro-batch, and copies of their sentences with hidden tokens."""
        batch = self.batches.pair_batch(step, micro)
        return MexmaInputs(batch, self.batches.texts(batch.sentences, step, micro))

    def loss(self, inputs: MexmaInputs) -> LoggedLoss:
        """Return the weighted sum of the three losses."""
        texts, settings = inputs.texts, present(self.settings.mexma)
        vectors, states = self.vectors_and_states(texts)
        pivot, other = vectors.float().chunk(2)
        unmasking = self.unmasking_loss(states, torch.cat([other, pivot]), texts.hidden)
        owners = torch.from_numpy(inputs.batch.owners).to(self.device).chunk(2)
        with torch.autocast(self.device.type, enabled=False):
            alignment = F.mse_loss(pivot, other)
            koleo = (koleo_loss(pivot, owners[0]) + koleo_loss(other, owners[1])) / 2
        value = settings.alignment_weight * alignment + settings.unmasking_weight * unmasking
        value = value + settings.koleo_weight * koleo
        numbers = {"alignment_loss": alignment, "mlm_loss": unmasking, "koleo_loss": koleo} | agreement(pivot, other)
        return LoggedLoss(value, {name: number.detach() for name, number in numbers.items()}, len(texts.both.tokens))

    def unmasking_loss(self, states: Tensor, vectors: Tensor, hidden: HiddenTokens) -> Tensor:
        """Return the cross entropy of the hidden tokens in nats: the mean of the means of the two sides.

        Args:
            states: token states of the masked sentences, [T, H].
            vectors: vector of the translation of each masked sentence, [S, H].
            hidden: the masked sentences and the ids of their hidden tokens.
        """
        packed_tokens = hidden.packed_tokens.to(self.device)
        if present(self.settings.mexma).token_gradient == "cut":
            states = states.detach()
        inputs = states.index_copy(0, packed_tokens.starts, vectors.to(states.dtype))
        rows = torch.from_numpy(hidden.rows).to(self.device)
        guesses = run_layers(cast(nn.ModuleList, self.model.unmask), inputs, packed_tokens)[rows]
        # Each token weighs 1 over the hidden tokens of its side, so that both sides count alike.
        second = (packed_tokens.owners[rows] >= len(vectors) // 2).long()
        counts = torch.bincount(second, minlength=2)
        weights = 1 / counts[second] / (counts > 0).sum()
        targets = torch.from_numpy(hidden.targets).to(self.device)
        pieces = cast(nn.Embedding, self.model.masked.get_input_embeddings()).weight
        bias = cast(nn.Parameter, self.model.unmask_bias)
        return linear_token_loss(guesses, pieces, bias, targets, weights)


def unmasking_layers(encoder: PreTrainedConfig, settings: MexmaSettings, seed: int) -> nn.ModuleList:
    """Make the transformer that guesses hidden tokens: BERT layers of the encoder's width, drawn as torch does.

    Args:
        encoder: configuration of the encoder.
        settings: section `mexma`, which gives the numbers of layers and heads, the inner width and the dropout.
        seed: seed of the weights.

    Raises:
        BadInput: the number of heads does not divide the width.
    """
    heads = settings.heads or encoder.num_attention_heads
    if encoder.hidden_size % heads:
        raise BadInput(f"mexma.heads must divide the width {encoder.hidden_size}, got {heads}")
    config = BertConfig(
        hidden_size=encoder.hidden_size,
        num_attention_heads=heads,
        intermediate_size=settings.inner_width or inner_width(encoder),
        layer_norm_eps=LAYER_NORM_EPS,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=0.0,
    )
    config._attn_implementation = NAME
    torch.manual_seed(seed)
    return nn.ModuleList(BertLayer(config) for _ in range(settings.layers))


class DistillationInputs(NamedTuple):
    """Pairs of translations, and their sentences packed."""

    batch: PairBatch
    packed_tokens: PackedTokens


class Distillation(Objective[PairBatches]):
    """Distillation: both sentences of a pair learn the vector that a teacher gives to the one in the pivot language.

    Source: Reimers and Gurevych 2020, arXiv 2004.09813, equation 1.
    """

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        teacher, width = self.batches.shards.teacher, self.model.masked.config.hidden_size
        if teacher is None:
            raise BadInput("objective distill needs parallel sentences with vectors of a teacher; run the stage teach")
        if teacher.shape[1] != width:
            raise BadInput(f"the teacher's vectors have {teacher.shape[1]} values, the student's {width}")

    def read(self, step: int, micro: int) -> DistillationInputs:
        """Read the pairs of a micro-batch, with the teacher's vectors."""
        batch = self.batches.pair_batch(step, micro)
        return DistillationInputs(batch, pack(batch.sentences))

    def loss(self, inputs: DistillationInputs) -> LoggedLoss:
        """Return the mean squared error of the one side plus that of the other."""
        packed_tokens = inputs.packed_tokens.to(self.device)
        vectors = pool(self.states(packed_tokens), packed_tokens, self.settings.pooling)
        pivot, other = vectors.float().chunk(2)
        targets = torch.from_numpy(inputs.batch.teacher_vectors).to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            losses = {"pivot_loss": F.mse_loss(pivot, targets), "other_loss": F.mse_loss(other, targets)}
        numbers = {name: loss.detach() for name, loss in losses.items()} | agreement(pivot.detach(), other.detach())
        return LoggedLoss(sum(losses.values(), pivot.new_zeros(())), numbers, len(packed_tokens.tokens))


@torch.no_grad()
def agreement(pivot: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Compute what is logged of the two sides of a batch of pairs.

    Args:
        pivot: vectors of the sentences of the pivot language, [B, H].
        other: vectors of their translations, [B, H].

    Returns:
        `accuracy`, the share of sentences whose nearest translation is their own; `positive` and `negative`, the mean
        cosine with their own translation and with those of others.
    """
    cosines = F.normalize(pivot, dim=1) @ F.normalize(other, dim=1).T
    positives, count = cosines.diagonal(), len(cosines)
    hits = (cosines.argmax(1) == torch.arange(count, device=cosines.device)).float()
    others = (cosines.sum() - positives.sum()) / max(count * (count - 1), 1)
    return {"accuracy": hits.mean(), "positive": positives.mean(), "negative": others}
