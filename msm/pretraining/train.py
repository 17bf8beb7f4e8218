"""Stage `pretrain`: masked sentences and masked tokens, or the control with masked tokens alone.

A step draws, for every softmax, runs of units of one language and MLM blocks of mixed languages, and adds the two
means. The released code alternates batches of either kind instead; both see each kind equally often, so the sums
agree in expectation (arXiv 2302.01626, equation 3).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoTokenizer

from msm import distributed
from msm.corpora.shards import Units, read_units
from msm.encoder import body, load_masked, pool, token_states
from msm.errors import BadInput
from msm.execution import Execution
from msm.losses import masked_sentence_loss, token_loss
from msm.packing import join, pack
from msm.pretraining.batches import Batches, UnitBatch
from msm.pretraining.model import DocumentEncoder, heads
from msm.settings import Pretrain
from msm.training import Plan, pick_device, seed_torch, train


class MaskedSentenceModel(nn.Module):
    """Sentence encoder with its language-model head, document encoder and projection heads.

    Args:
        folder: the start weights.
        settings: of pre-training.
        document_units: most sentences of a document.
    """

    def __init__(self, folder: Path, settings: Pretrain, document_units: int) -> None:
        super().__init__()
        self.masked = load_masked(folder)
        config = self.masked.config
        torch.manual_seed(settings.seed)
        self.documents = DocumentEncoder(
            config.hidden_size,
            config.num_attention_heads,
            config.intermediate_size,
            settings.document_layers,
            document_units,
            settings.document_dropout,
        )
        self.heads = heads(settings.projector, config.hidden_size)


class PretrainTask:
    """Losses of every step; see `msm.training.Task`.

    Args:
        model: what is trained.
        batches: what it reads.
        settings: of pre-training.
        device: where it runs.
    """

    def __init__(self, model: MaskedSentenceModel, batches: Batches, settings: Pretrain, device: torch.device) -> None:
        self.model, self.batches, self.settings, self.device = model.to(device), batches, settings, device
        if batches.micro_batches % distributed.world_size():
            raise BadInput(
                f"{batches.micro_batches} softmaxes an update cannot be shared by {distributed.world_size()} processes"
            )

    @property
    def module(self) -> nn.Module:
        """The whole model."""
        return self.model

    def micro_losses(self, step: int) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """One loss a softmax; see `msm.training.Task`."""
        each = self.batches.micro_batches // distributed.world_size()
        for micro in range(distributed.rank() * each, (distributed.rank() + 1) * each):
            seed_torch(self.settings.seed, step, micro)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
                loss, numbers, tokens = self._micro_loss(step, micro)
            share = 1 / self.batches.micro_batches
            yield loss * share, {name: float(value) * share for name, value in numbers.items()} | {"tokens": tokens}

    def describe(self, step: int) -> str:
        """Languages and documents of a step."""
        parts = [self.batches.unit_batch(step, micro) for micro in range(self.batches.micro_batches)]
        return "; ".join(f"{part.language}: {', '.join(part.document_ids)}" for part in parts)

    def after(self, step: int) -> dict[str, float]:
        """Nothing is looked at between steps."""
        del step
        return {}

    def _micro_loss(self, step: int, micro: int) -> tuple[Tensor, dict[str, Tensor | float], int]:
        settings = self.settings
        if settings.objective == "mlm":
            return self._control_loss(step, micro)
        batch = self.batches.unit_batch(step, micro)
        sequences = batch.units if settings.mlm_text == "units" else self.batches.mlm_blocks(step, micro)
        hidden = self.batches.hide(sequences, step, micro)
        clean = pack(batch.units)
        # Clean units and masked text pass through the encoder together: one set of matrix products.
        both = join(clean, hidden.packed).to(self.device)
        states = token_states(body(self.model.masked), both)
        words = len(clean.tokens)
        mlm = self._token_loss(states[words:], hidden.rows, hidden.targets)
        vectors = pool(states[:words], clean.to(self.device), settings.pooling)
        contrast = self._contrast(vectors, batch)
        loss = settings.msm_weight * contrast["msm_loss"] + settings.mlm_weight * mlm
        return loss, {"mlm_loss": mlm.detach(), **contrast, "msm_loss": contrast["msm_loss"].detach()}, len(both.tokens)

    def _control_loss(self, step: int, micro: int) -> tuple[Tensor, dict[str, Tensor | float], int]:
        """Two MLM micro-batches: the usual one, and one of as many tokens as the runs it stands in for."""
        first = self.batches.hide(self.batches.mlm_blocks(step, micro), step, micro)
        second = self.batches.hide(self.batches.control_blocks(step, micro), step, micro, 1)
        both = join(first.packed, second.packed).to(self.device)
        states = token_states(body(self.model.masked), both)
        words = len(first.packed.tokens)
        losses = [
            self._token_loss(part, hidden.rows, hidden.targets)
            for part, hidden in ((states[:words], first), (states[words:], second))
        ]
        loss = self.settings.mlm_weight * losses[0] + self.settings.msm_weight * losses[1]
        return loss, {"mlm_loss": losses[0].detach(), "control_loss": losses[1].detach()}, len(both.tokens)

    def _token_loss(self, states: Tensor, rows: NDArray[np.int64], targets: NDArray[np.int64]) -> Tensor:
        chosen = states[torch.from_numpy(rows).to(self.device)]
        return token_loss(self.model.masked.lm_head(chosen), torch.from_numpy(targets).long().to(self.device))

    def _contrast(self, vectors: Tensor, batch: UnitBatch) -> dict[str, Any]:
        documents = torch.from_numpy(batch.documents).to(self.device)
        sentences, real = _by_document(vectors, batch.documents)
        guesses = self.model.documents(sentences, real)[real]
        with torch.autocast(self.device.type, enabled=False):
            queries, keys = self.model.heads["query"](guesses.float()), self.model.heads["key"](vectors.float())
            contrast = masked_sentence_loss(
                queries,
                keys,
                documents,
                temperature=self.settings.temperature,
                mu=self.settings.mu,
                negatives=self.settings.negatives,
            )
        return {"msm_loss" if name == "loss" else name: value for name, value in contrast._asdict().items()}


def _by_document(vectors: Tensor, documents: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Sentence vectors [M, H] to padded documents [D, N, H] and where they are real, [D, N]."""
    lengths = np.bincount(documents)
    real = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None]).to(vectors.device)
    padded = vectors.new_zeros(*real.shape, vectors.shape[1])
    padded[real] = vectors
    return padded, real


def run(settings: Pretrain, *, units: Path, weights: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Pre-train and write an ordinary Hugging Face folder.

    Args:
        settings: of the stage.
        units: folder of token shards.
        weights: folder of the start weights and their tokenizer.
        out: payload folder.
        execution: device and scratch folder.

    Returns:
        Facts for the manifest.

    Raises:
        BadInput: shards and weights do not belong together, or a setting does not fit them.
    """
    device = pick_device(execution.device)
    distributed.start(device)
    shards = read_units(units)
    model = MaskedSentenceModel(weights, settings, shards.index.document_units)
    _check(settings, shards, model)
    task = PretrainTask(model, Batches(shards, settings), settings, device)
    facts = train(task, _plan(settings), execution.work)
    if distributed.rank() == 0:
        model.masked.save_pretrained(out)
        AutoTokenizer.from_pretrained(weights).save_pretrained(out)
    return facts


def _plan(settings: Pretrain) -> Plan:
    return Plan(
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        schedule_steps=settings.schedule_steps,
        betas=(settings.beta1, settings.beta2),
        epsilon=settings.epsilon,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        checkpoint_steps=settings.checkpoint_steps,
    )


def _check(settings: Pretrain, shards: Units, model: MaskedSentenceModel) -> None:
    config = model.masked.config
    if config.vocab_size < shards.index.vocabulary:
        raise BadInput(
            f"the start weights have {config.vocab_size} embeddings, the units need {shards.index.vocabulary}"
        )
    longest = max(settings.block_tokens, shards.index.unit_tokens)
    if config.max_position_embeddings < longest + config.pad_token_id + 1:
        raise BadInput(
            f"block_tokens and unit_tokens must fit {config.max_position_embeddings} positions, got {longest}"
        )
