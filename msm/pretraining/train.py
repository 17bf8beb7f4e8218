"""Stage `pretrain`: masked sentences and masked tokens, a baseline with the same budget, or pairs of translations.

A step draws, for every softmax, runs of units of one language and MLM blocks of mixed languages, and adds the two
means. The released code alternates batches of either kind instead; both see each kind equally often, so the sums
agree in expectation (arXiv 2302.01626, equation 3).
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from msm import distributed
from msm.corpora.pair_shards import read_pair_shards
from msm.corpora.streaming import open_units
from msm.encoders.heads import body, has_language_head
from msm.encoders.limits import positions
from msm.encoders.packed import checkpoint_layers
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import artifacts
from msm.pretraining.ahead import ReadAhead
from msm.pretraining.batches import Batches
from msm.pretraining.head_start import check_heads, freeze, head_losses
from msm.pretraining.masked_sentences import MaskedSentences
from msm.pretraining.model import SentenceModel
from msm.pretraining.objective import MaskedTokens, Objective
from msm.pretraining.pair_batches import PairBatches
from msm.pretraining.pairs import Ccp, Crop, InverseCloze
from msm.pretraining.settings import Pretrain
from msm.pretraining.translations import Distillation, Mexma
from msm.training import Plan, pick_device, read_log, seed_torch, train

OBJECTIVES: dict[str, type[Objective[Any]]] = {
    "msm": MaskedSentences,
    "mlm": MaskedTokens,
    "crop": Crop,
    "ict": InverseCloze,
    "ccp": Ccp,
    "mexma": Mexma,
    "distill": Distillation,
}
CONTRASTIVE = ("msm", "crop", "ict", "ccp")
"""Objectives with masked tokens beside them, where the model has a head for these."""


class PretrainTask:
    """Losses of every step; see `msm.training.Task`.

    Args:
        objective: gives the loss of a micro-batch.
    """

    def __init__(self, objective: Objective[Any]) -> None:
        self.objective, self.batches, self.settings = objective, objective.batches, objective.settings
        processes = distributed.world_size()
        self.spread = self.batches.shares > 1
        if self.batches.micro_batches % processes and not self.spread:
            raise BadInput(
                f"{self.batches.micro_batches} softmaxes an update cannot be shared by {processes} processes"
            )
        self.ahead = ReadAhead(objective.read, self._own())

    @property
    def module(self) -> nn.Module:
        """The whole model."""
        return self.objective.model

    def micro_losses(self, step: int) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """One loss a softmax; see `msm.training.Task`."""
        device, bf16 = self.objective.device, self.settings.precision == "bf16"
        weight = 1 / self.batches.micro_batches / self.batches.shares
        if self.settings.head_steps:
            freeze(body(self.objective.model.masked), step < self.settings.head_steps)
        for micro in self._own():
            inputs = self.ahead.get(step, micro)
            seed_torch(self.settings.seed, step, micro, self.batches.share)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                loss = self.objective.loss(inputs)
            numbers: dict[str, float] = {name: float(value) * weight for name, value in loss.numbers.items()}
            yield loss.value * weight, numbers | {"tokens": loss.tokens}
        self.objective.after(step)

    def _own(self) -> range:
        """Micro-batches of this process: its share of them, or all where processes share each."""
        if self.spread:
            return range(self.batches.micro_batches)
        each = self.batches.micro_batches // distributed.world_size()
        return range(distributed.rank() * each, (distributed.rank() + 1) * each)

    def describe(self, step: int) -> str:
        """Languages and documents of a step."""
        return "; ".join(self.batches.describe(step, micro) for micro in self._own())

    def after(self, step: int) -> dict[str, float]:
        """Nothing is looked at between steps."""
        del step
        return {}


def run(settings: Pretrain, *, units: Path, weights: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Pre-train and write an ordinary Hugging Face folder.

    Args:
        settings: of the stage.
        units: folder of token shards of documents, of the manifest of shards to stream, or of parallel sentences.
        weights: folder of the start weights and their tokenizer.
        out: payload folder.
        execution: device, scratch folder, and how much of streamed shards is kept there.

    Returns:
        Facts for the manifest.

    Raises:
        BadInput: shards and weights do not belong together, or a setting does not fit them.
    """
    device = pick_device(execution.device)
    distributed.start(device)
    batches = _batches(units, settings, execution)
    model = SentenceModel(weights, settings, batches.document_units)
    _check(batches, model)
    _check_head(batches, model, settings)
    if settings.activations == "recomputed":
        checkpoint_layers(body(model.masked))
    objective = OBJECTIVES[settings.objective](model.to(device), batches, settings, device)
    facts = train(PretrainTask(objective), _plan(settings), execution)
    if distributed.rank() == 0:
        if not has_language_head(model.masked):
            facts["language_head"] = "none"
        if settings.head_steps:
            facts["head"] = head_losses(read_log(execution.work / artifacts.LOG), settings.head_steps)
        model.masked.save_pretrained(out)
        AutoTokenizer.from_pretrained(weights).save_pretrained(out)
    return facts


def _batches(units: Path, settings: Pretrain, execution: Execution) -> Batches | PairBatches:
    if settings.parallel:
        return PairBatches(read_pair_shards(units), settings)
    spread = settings.gather != "none"
    share = (distributed.rank(), distributed.world_size()) if spread else (0, 1)
    shards = open_units(units, execution.work / "shards", execution.cache_gib << 30)
    return Batches(shards, settings, *share)


def _plan(settings: Pretrain) -> Plan:
    return Plan(
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        schedule=settings.schedule,
        schedule_steps=settings.schedule_steps,
        betas=(settings.beta1, settings.beta2),
        epsilon=settings.epsilon,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        checkpoint_steps=settings.checkpoint_steps,
        head_steps=settings.head_steps,
        head_learning_rate=settings.head_learning_rate,
    )


def _check(batches: Batches | PairBatches, model: SentenceModel) -> None:
    check_heads(batches.settings)
    embeddings, needed = model.masked.config.vocab_size, batches.layout.vocabulary
    if embeddings < needed:
        raise BadInput(f"the start weights have {embeddings} embeddings, the units need {needed}")
    most = positions(body(model.masked))
    if most is not None and batches.longest > most:
        names = "block_tokens, unit_tokens and sentence_tokens"
        raise BadInput(f"{names} must fit the encoder's {most} positions, got {batches.longest}")


def _check_head(batches: Batches | PairBatches, model: SentenceModel, settings: Pretrain) -> None:
    """Masked tokens need a head that guesses them, and a token that hides them."""
    kind = type(model.masked).__name__
    reads_masks = settings.objective == "mexma" or has_language_head(model.masked)
    if settings.objective == "mlm" and not has_language_head(model.masked):
        raise BadInput(f"objective mlm needs a masked-language head, and {kind} has none")
    if reads_masks and settings.objective != "distill" and batches.layout.mask == batches.layout.pad:
        raise BadInput("the tokenizer has no mask_token, which masked tokens need")
    if settings.objective in CONTRASTIVE and not has_language_head(model.masked) and distributed.rank() == 0:
        sys.stderr.write(f"{kind} has no masked-language head: {settings.objective} is trained without masked tokens\n")
