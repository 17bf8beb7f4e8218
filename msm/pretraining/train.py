"""Stage `pretrain`: trains a sentence encoder by one of the objectives.

A step draws, for every softmax, documents of one language and blocks of text of mixed languages, and adds the mean loss
of masked sentences and that of masked tokens. The released code alternates batches of the two kinds instead; both ways
see each kind equally often, so the sums agree in expectation (arXiv 2302.01626, equation 3).
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from msm import distributed
from msm.corpora.pair_shards import read_pair_shards
from msm.corpora.streaming import open_units
from msm.encoders.heads import body, has_language_head
from msm.encoders.packed import checkpoint_layers
from msm.encoders.positions import positions
from msm.encoders.start_checkpoints import load_tokenizer
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import check_room
from msm.pipeline import artifacts
from msm.pretraining.ahead import ReadAhead
from msm.pretraining.baselines import Ccp, Crop, InverseCloze
from msm.pretraining.batches import Batches
from msm.pretraining.head_start import freeze, head_losses
from msm.pretraining.masked_sentences import MaskedSentences
from msm.pretraining.model import SentenceModel
from msm.pretraining.objective import MaskedTokens, Objective
from msm.pretraining.pair_batches import PairBatches
from msm.pretraining.settings import READS, Pretrain
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
CONTRASTIVE = tuple(name for name, sections in READS.items() if name != "mlm" and "mlm" in sections)
"""Objectives that learn masked tokens as well, where the model has a language-model head."""


class PretrainTask:
    """Pre-training as the training loop sees it, see `msm.training.Task`.

    Args:
        objective: computes the loss of a micro-batch.

    Raises:
        BadInput: the micro-batches of an update cannot be divided among the processes.
    """

    def __init__(self, objective: Objective[Any]) -> None:
        self.objective, self.batches, self.settings = objective, objective.batches, objective.settings
        processes = distributed.world_size()
        self.spread = self.batches.shares > 1
        if self.batches.micro_batches % processes and not self.spread:
            raise BadInput(
                f"{self.batches.micro_batches} softmaxes an update cannot be shared by {processes} processes"
            )
        self.ahead = ReadAhead(objective.read, self._local_micros())

    @property
    def module(self) -> nn.Module:
        """The model with all parts that have weights."""
        return self.objective.model

    def micro_losses(self, step: int) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """Yield one loss a micro-batch, see `msm.training.Task`."""
        device, bf16 = self.objective.device, self.settings.precision == "bf16"
        weight = 1 / self.batches.micro_batches / self.batches.shares
        if self.settings.head_steps:
            freeze(body(self.objective.model.masked), step < self.settings.head_steps)
        for micro in self._local_micros():
            inputs = self.ahead.get(step, micro)
            seed_torch(self.settings.seed, step, micro, self.batches.share)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                loss = self.objective.loss(inputs)
            numbers: dict[str, float] = {name: float(value) * weight for name, value in loss.numbers.items()}
            yield loss.value * weight, numbers | {"tokens": loss.tokens}
        self.objective.after(step)

    def _local_micros(self) -> range:
        """Numbers of the micro-batches of this process; all of them where the processes share every micro-batch."""
        if self.spread:
            return range(self.batches.micro_batches)
        each = self.batches.micro_batches // distributed.world_size()
        return range(distributed.rank() * each, (distributed.rank() + 1) * each)

    def describe(self, step: int) -> str:
        """Return the languages and documents of a step, for messages."""
        return "; ".join(self.batches.describe(step, micro) for micro in self._local_micros())

    def after(self, step: int) -> dict[str, float]:
        """Do nothing between steps."""
        del step
        return {}


def run(settings: Pretrain, *, units: Path, weights: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Pre-train and write an ordinary Hugging Face folder.

    Args:
        settings: settings of the stage.
        units: folder of token shards, of a manifest of shards to stream, or of parallel sentences.
        weights: folder of the start weights and their tokenizer.
        out: folder that the model is written to.
        execution: device, scratch folder, and the size of the cache of streamed shards.

    Returns:
        Facts for the manifest: steps, tokens, seconds, and losses of the head's first updates.

    Raises:
        BadInput: shards and start weights have different vocabularies, or a setting does not fit them.
    """
    device = pick_device(execution.device)
    distributed.start(device)
    tokenizer = load_tokenizer(weights)  # now, because it is written at the end
    batches = _batches(units, settings, execution)
    model = SentenceModel(weights, settings, batches.document_units)
    _check(batches, model)
    _check_head(batches, model, settings)
    check_room(out, sum(weight.nbytes for weight in model.masked.parameters()), "the weights")
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
        tokenizer.save_pretrained(out)
    return facts


def _batches(units: Path, settings: Pretrain, execution: Execution) -> Batches | PairBatches:
    if settings.parallel:
        return PairBatches(read_pair_shards(units), settings)
    is_shared = settings.gather != "none"
    share = (distributed.rank(), distributed.world_size()) if is_shared else (0, 1)
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
    embeddings, pieces = model.masked.config.vocab_size, batches.layout.vocabulary
    if embeddings < pieces:
        raise BadInput(f"the start weights have {embeddings} embeddings, the units need {pieces}")
    most = positions(body(model.masked))
    if most is not None and batches.longest > most:
        names = "block_tokens, unit_tokens and sentence_tokens"
        raise BadInput(f"{names} must fit the encoder's {most} positions, got {batches.longest}")


def _check_head(batches: Batches | PairBatches, model: SentenceModel, settings: Pretrain) -> None:
    """Check that a model that learns masked tokens has a language-model head and a mask token."""
    kind = type(model.masked).__name__
    reads_masks = settings.objective == "mexma" or has_language_head(model.masked)
    if settings.objective == "mlm" and not has_language_head(model.masked):
        raise BadInput(f"objective mlm needs a masked-language head, and {kind} has none")
    if reads_masks and settings.objective != "distill" and batches.layout.mask == batches.layout.pad:
        raise BadInput("the tokenizer has no mask_token, which masked tokens need")
    if settings.objective in CONTRASTIVE and not has_language_head(model.masked) and distributed.rank() == 0:
        sys.stderr.write(f"{kind} has no masked-language head: {settings.objective} is trained without masked tokens\n")
