"""Stage `finetune`: a bi-encoder with one tower, in-batch negatives and an optional learned scale.

`pooler` with cosine and a learned scale from 100 is the XTREME form that LAReQA and Mewsli-X use; `cls` or `mean`
keep the vector that pre-training shaped.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from msm import distributed
from msm.encoder import load_bare
from msm.errors import BadInput
from msm.execution import Execution
from msm.finetuning.batches import ExampleBatches
from msm.finetuning.examples import read_examples
from msm.losses import in_batch_loss
from msm.packing import pack
from msm.records import Example
from msm.retrieval.encode import TextEncoder, TextModel, Usage, load_text_model, write_usage
from msm.settings import Finetune, listed
from msm.training import Plan, pick_device, seed_torch, train

DEV_POOL = 1000
"""Most dev passages that a dev question is ranked against."""
BEST = "best.pt"


class BiEncoder(nn.Module):
    """A text model and the scale of its similarity.

    Args:
        text: encodes questions and passages.
        settings: of fine-tuning.
    """

    def __init__(self, text: TextModel, settings: Finetune) -> None:
        super().__init__()
        self.text = text
        self.scale = nn.Parameter(torch.tensor(settings.scale), requires_grad=settings.learn_scale == "yes")


class FinetuneTask:
    """Losses of every step; see `msm.training.Task`.

    Args:
        model: what is trained.
        examples: the training set.
        dev: held-out examples.
        settings: of fine-tuning.
        device: where it runs.
        best: file that keeps the weights of the best dev score.
    """

    def __init__(
        self,
        model: BiEncoder,
        examples: list[Example],
        dev: list[Example],
        settings: Finetune,
        device: torch.device,
        best: Path,
    ) -> None:
        if distributed.world_size() > 1:
            raise BadInput("fine-tuning runs on one process")
        self.model, self.dev, self.settings, self.device = model.to(device), dev, settings, device
        self.batches = ExampleBatches(examples, settings.batch_queries, settings.seed)
        self.best = best

    @property
    def module(self) -> nn.Module:
        """The bi-encoder."""
        return self.model

    def micro_losses(self, step: int) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """The loss of the whole batch; see `msm.training.Task`."""
        seed_torch(self.settings.seed, step)
        batch = self.batches.batch(step)
        text = self.model.text
        ids = text.query_ids([example.query.text for example in batch])
        ids += text.passage_ids([example.positive for example in batch])
        packed = pack(ids).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            vectors = text(packed)
        queries, passages = vectors[: len(batch)], vectors[len(batch) :]
        with torch.no_grad():
            hits = ((queries @ passages.T).argmax(1) == torch.arange(len(batch), device=self.device)).float().mean()
        loss = in_batch_loss(queries, passages, scale=self.model.scale)
        yield loss, {"accuracy": hits.item(), "scale": self.model.scale.item(), "tokens": len(packed.tokens)}

    def describe(self, step: int) -> str:
        """Questions of a step."""
        return ", ".join(example.query.query_id for example in self.batches.batch(step))

    def after(self, step: int) -> dict[str, float]:
        """Dev score at intervals; the best weights are kept."""
        if (step + 1) % self.settings.dev_steps and step + 1 != self.settings.steps:
            return {}
        score = dev_mrr(self.model.text, self.dev, self.device, self.settings.precision)
        if self.settings.selection == "dev_mrr" and score > self._best_score():
            torch.save({"dev_mrr": score, "step": step + 1, "module": self.model.state_dict()}, self.best)
        return {"dev_mrr": score}

    def _best_score(self) -> float:
        return torch.load(self.best, weights_only=True)["dev_mrr"] if self.best.is_file() else -1.0


def dev_mrr(text: TextModel, dev: list[Example], device: torch.device, precision: str) -> float:
    """Mean reciprocal rank of the positives among all positives of the dev set, at most `DEV_POOL` of them.

    Equal scores count against the positive, so that a collapsed model does not look good.
    """
    dev = _different(dev)[:DEV_POOL]
    training = text.training
    encoder = TextEncoder(text, device, precision, batch_tokens=16384)
    queries = encoder.encode_queries([example.query.text for example in dev])
    passages = encoder.encode_passages([example.positive for example in dev])
    text.train(training)
    scores = queries @ passages.T
    own = scores.diagonal()[:, None]
    return float(np.mean(1 / (scores >= own).sum(1)))


def _different(examples: list[Example]) -> list[Example]:
    """The first example of each passage."""
    return list({example.positive.passage_id: example for example in reversed(examples)}.values())[::-1]


def run(settings: Finetune, *, sources: Path, weights: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Fine-tune and write a Hugging Face folder that says how it is used.

    Args:
        settings: of the stage.
        sources: folder with the training files.
        weights: folder of the start weights and their tokenizer.
        out: payload folder.
        execution: device and scratch folder.

    Returns:
        Facts for the manifest.

    Raises:
        BadInput: training files are missing or malformed, or too few for a batch.
    """
    device = pick_device(execution.device)
    examples = read_examples(sources, listed(settings.examples), settings.language)
    dev = read_examples(sources, listed(settings.dev_examples), settings.language)
    torch.manual_seed(settings.seed)
    model = BiEncoder(load_text_model(weights, _usage(settings, weights)), settings)
    best = execution.work / BEST
    task = FinetuneTask(model, examples, dev, settings, device, best)
    untrained = dev_mrr(model.text, dev, device, settings.precision)
    facts = train(task, _plan(settings), execution.work)
    if best.is_file():
        kept = torch.load(best, weights_only=True)
        model.load_state_dict(kept["module"])
        facts |= {"selected_step": kept["step"]}
    model.text.model.save_pretrained(out)
    model.text.tokenizer.save_pretrained(out)
    write_usage(out, model.text.usage)
    final = dev_mrr(model.text, dev, device, settings.precision)
    return facts | {"examples": len(examples), "dev_mrr_before": untrained, "dev_mrr": final, "scale": model.scale.item()}


def _usage(settings: Finetune, weights: Path) -> Usage:
    positions = load_bare(weights).config.max_position_embeddings
    longest = max(settings.query_tokens, settings.passage_tokens)
    if longest + 2 > positions:
        raise BadInput(f"query_tokens and passage_tokens must fit the encoder's {positions - 2} positions, got {longest}")
    return Usage(
        pooling=settings.pooling,
        similarity=settings.similarity,
        scale=settings.scale,
        query_tokens=settings.query_tokens,
        passage_tokens=settings.passage_tokens,
        passage_context=settings.passage_context,
    )


def _plan(settings: Finetune) -> Plan:
    return Plan(
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        schedule_steps=0,
        betas=(0.9, 0.999),
        epsilon=1e-8,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        checkpoint_steps=settings.checkpoint_steps,
    )
