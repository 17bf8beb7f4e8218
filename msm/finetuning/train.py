"""Stage `finetune`: trains a bi-encoder with in-batch and hard negatives.

Two forms are in use. That of DPR (Mr. TyDi, XOR-Retrieve, NQ) has two towers, the pooling `cls` or `mean`, and the
inner product. That of XTREME (LAReQA, Mewsli-X) has one tower, the pooling `pooler`, and the cosine times a learned
scale that starts at 100. Any mixture of the two is allowed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from msm import distributed
from msm.collections.examples import read_examples
from msm.collections.records import Example
from msm.encoders.building import EncoderForm
from msm.encoders.packed import checkpoint_layers
from msm.encoders.saving import new_encoder, save_encoder
from msm.encoders.usage import Choice
from msm.execution import Execution
from msm.files import check_room
from msm.finetuning.batches import ExampleBatches
from msm.finetuning.bi_encoder import BatchLoss, BiEncoder
from msm.finetuning.dev import DevSet, look, make_dev_set
from msm.finetuning.dev_benchmark import DevBenchmark, measure_dev, read_dev_benchmark
from msm.finetuning.lora import add_adapters, save_adapters, towers
from msm.finetuning.parallel import read_items
from msm.finetuning.samplers import LanguageBatches
from msm.finetuning.selection import BestWeights
from msm.finetuning.settings import Finetune
from msm.settings import listed
from msm.training import Plan, pick_device, train


class FinetuneTask:
    """Fine-tuning as the training loop sees it, see `msm.training.Task`.

    Args:
        model: bi-encoder to train.
        batches: examples of every step.
        dev: development set on which the model is evaluated during training.
        benchmark: development split of a benchmark on which it is evaluated too, or None.
        best: keeper of the best weights.
        settings: settings of the stage `finetune`.
        plan: number of steps, and learning rates.
        device: device of the model.
    """

    def __init__(
        self,
        model: BiEncoder,
        batches: ExampleBatches | LanguageBatches,
        *,
        dev: DevSet,
        benchmark: DevBenchmark | None,
        best: BestWeights,
        settings: Finetune,
        plan: Plan,
        device: torch.device,
    ) -> None:
        self.model, self.batches, self.dev, self.best = model.to(device), batches, dev, best
        self.settings, self.plan, self.device, self.benchmark = settings, plan, device, benchmark
        self.loss = BatchLoss(model, settings, device)

    @property
    def module(self) -> nn.Module:
        """The bi-encoder that is trained."""
        return self.model

    def micro_losses(self, step: int) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """Yield the loss of each micro-batch, see `msm.training.Task`."""
        yield from self.loss.parts(self.batches.batch(step), step)

    def describe(self, step: int) -> str:
        """Return the ids of the questions of a step, for messages."""
        return ", ".join(example.query.query_id for example in self.batches.batch(step))

    def after(self, step: int) -> dict[str, float]:
        """Evaluate on the development set at intervals, and keep the best weights."""
        every = self.settings.selection.dev_steps or self.batches.epoch_steps
        steps = step + 1
        if steps % every and steps != self.plan.steps:
            return {}
        numbers = self.look()
        return numbers | ({"stop": 1.0} if self.best.offer(steps, numbers, self.model) else {})

    def look(self) -> dict[str, float]:
        """Return the scores of the present weights on the development set."""
        text = self.model.text
        numbers = look(text, self.dev, self.settings, self.model.scale.item())
        if self.benchmark is not None:
            numbers["dev_measure"] = measure_dev(text, self.benchmark)
        return numbers


def run(settings: Finetune, *, sources: Path, weights: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Fine-tune, and write a sentence-transformers folder that says how the model is used.

    Args:
        settings: settings of the stage.
        sources: folder that holds the training files.
        weights: folder of the start weights and their tokenizer, pre-trained or fine-tuned before. The optimiser
            starts anew either way.
        out: folder that the model is written to.
        execution: device and scratch folder.

    Returns:
        Facts for the manifest: counts of examples, and scores on the development set before and after.

    Raises:
        BadInput: training files are missing or malformed, or hold too few examples for a batch.
    """
    device = pick_device(execution.device)
    distributed.start(device)
    batches = _batches(sources, settings)
    others = settings.selection.dev_other_negatives
    dev = make_dev_set(_examples(sources, settings.dev_examples, settings, others), settings)
    torch.manual_seed(settings.seed)
    model = BiEncoder(new_encoder(weights, _form(settings), device=device, precision=settings.precision), settings)
    check_room(out, sum(weight.nbytes for weight in model.parameters()), "the weights")
    adapted_models = add_adapters(model.text, settings)
    if settings.activations == "recomputed":
        for tower in towers(model.text):
            checkpoint_layers(tower)
    plan = _plan(settings, batches.epoch_steps)
    execution.work.mkdir(parents=True, exist_ok=True)
    selection = settings.selection
    first_step = round(selection.from_share * plan.steps)
    best = BestWeights(execution.work, selection.keep, first_step, selection.patience)
    benchmark = read_dev_benchmark(sources, settings)
    task = FinetuneTask(
        model, batches, dev=dev, benchmark=benchmark, best=best, settings=settings, plan=plan, device=device
    )
    main = distributed.rank() == 0
    before = task.look() if main else {}
    facts = train(task, plan, execution)
    if not main:
        return facts
    facts |= best.restore(model)
    model.text.choices["scale"] = Choice(model.scale.item(), "training")
    save_adapters(adapted_models, out)
    save_encoder(model.text, out)
    looks = {f"{name}_before": value for name, value in before.items()} | task.look()
    sizes = {"examples": len(batches.examples), "epoch_steps": batches.epoch_steps, "dev_examples": len(dev.examples)}
    return facts | sizes | looks | {"scale": model.scale.item(), "languages": sorted(batches.languages)}


def _batches(sources: Path, settings: Finetune) -> ExampleBatches | LanguageBatches:
    if settings.batches.sampler != "shuffled":
        return LanguageBatches(read_items(sources, settings), settings)
    return ExampleBatches(_examples(sources, settings.examples, settings), settings)


def _examples(sources: Path, files: str, settings: Finetune, other_negatives: int = 0) -> list[Example]:
    return read_examples(sources, listed(files), settings.language, settings.passage_unit, other_negatives)


def _form(settings: Finetune) -> EncoderForm:
    encoding = settings.encoding
    return EncoderForm(
        pooling=encoding.pooling,
        similarity=encoding.similarity,
        scale=settings.loss.scale,
        query_tokens=encoding.query_tokens,
        passage_tokens=encoding.passage_tokens,
        passage_context=encoding.passage_context,
        query_prompt=encoding.query_prefix,
        passage_prompt=encoding.passage_prefix,
        question_mark=encoding.question_mark,
        towers=encoding.towers,
    )


def _plan(settings: Finetune, epoch_steps: int) -> Plan:
    return Plan(
        steps=settings.steps or settings.epochs * epoch_steps,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        schedule="linear",
        schedule_steps=0,
        betas=(0.9, 0.999),
        epsilon=1e-8,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        checkpoint_steps=settings.checkpoint_steps,
    )
