"""The bi-encoder, and the loss of a batch that is divided into micro-batches and among processes.

The loss and its gradient do not depend on this division. A softmax that does not fit in memory is computed from vectors
without gradient; then each micro-batch is encoded a second time, to pass the gradient of its vectors on to the weights
(GradCache, arXiv 2101.06983). Dropout makes the same choices both times, and on any number of processes.

Shapes: B questions, P passages (see `msm.finetuning.candidates`), V = B + P vectors of a softmax, H width.
"""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from msm import distributed
from msm.collections.records import Example
from msm.encoders.encoder import Encoder
from msm.encoders.module_chain import Tokens
from msm.errors import BadInput
from msm.finetuning.candidates import batch_passages, find_candidates
from msm.finetuning.settings import Finetune
from msm.losses import matryoshka_loss
from msm.settings import listed
from msm.training import seed_torch

Part = tuple[Tensor, dict[str, float]]


class BiEncoder(nn.Module):
    """An encoder and the scale of its similarity.

    Args:
        text: encoder of questions and passages.
        settings: settings of the stage `finetune`.
    """

    def __init__(self, text: Encoder, settings: Finetune) -> None:
        super().__init__()
        self.text = text
        self.scale = nn.Parameter(torch.tensor(settings.loss.scale), requires_grad=settings.loss.learn_scale == "yes")

    def vectors(self, examples: Sequence[Example], device: torch.device, precision: str) -> tuple[Tensor, int]:
        """Encode questions, then their passages; returns their vectors, [V, H], and the number of tokens."""
        queries = cast(Tokens, self.text.prepare_queries([example.query.text for example in examples]))
        passages = cast(Tokens, self.text.prepare_passages(batch_passages(examples)))
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            if self.text.shared:
                vectors = self.text(queries.joined(passages), "query")
            else:
                vectors = torch.cat([self.text(queries, "query"), self.text(passages, "passage")])
        return vectors, sum(map(len, queries.ids)) + sum(map(len, passages.ids))


class BatchLoss:
    """Computes the losses of the micro-batches that belong to this process.

    Args:
        model: bi-encoder, on its device.
        settings: settings of the stage `finetune`.
        device: device of the model.

    Raises:
        BadInput: there are no negatives, a size does not divide another, the micro-batches cannot be divided among the
            processes, or the vectors have fewer dimensions than `loss.dimensions` says.
    """

    def __init__(self, model: BiEncoder, settings: Finetune, device: torch.device) -> None:
        self.model, self.settings, self.device = model, settings, device
        self.alone = settings.loss.gather == "none"
        """Whether each softmax stays on one process."""
        batches = settings.batches
        self.softmax = batches.shard_queries if self.alone else batches.batch_queries
        self.micro = settings.micro
        self.widths = _widths(settings.loss.dimensions, model.text.width)
        if settings.loss.candidates == "hard" and not batches.hard_negatives:
            raise BadInput("candidates=hard leaves only hard negatives, and hard_negatives is 0")
        _divides("shard_queries", batches.shard_queries, batches.batch_queries)
        _divides("micro_queries", self.micro, self.softmax)
        if settings.shares % distributed.world_size():
            size = "shard_queries" if self.alone else "micro_queries"
            each = batches.batch_queries // settings.shares
            raise BadInput(
                f"a batch of {batches.batch_queries} in {size} of {each} cannot be shared by "
                f"{distributed.world_size()} processes"
            )

    def parts(self, examples: Sequence[Example], step: int) -> Iterator[Part]:
        """Yield loss and logged numbers of each micro-batch, see `msm.training.Task.micro_losses`."""
        if not self.alone:
            micros = _of_this_process(range(0, len(examples), self.micro))
            yield from self._softmax_parts(examples, micros, step, 0, 1.0)
            return
        for first in _of_this_process(range(0, len(examples), self.softmax)):
            shard = examples[first : first + self.softmax]
            micros = range(0, self.softmax, self.micro)
            yield from self._softmax_parts(shard, micros, step, first, self.softmax / len(examples))

    def _softmax_parts(
        self, examples: Sequence[Example], micros: range, step: int, offset: int, share: float
    ) -> Iterator[Part]:
        """Yield loss and logged numbers of each micro-batch of one softmax that belongs to this process.

        The loss needs the vectors of the whole softmax, but the vectors of one micro-batch at a time may keep what
        their gradient needs. So all micro-batches are encoded without gradient; the gradient G of the loss to these
        vectors is computed; and each micro-batch is encoded again as L, with gradient. The sum over L * G then has the
        gradient of the loss to the weights of this micro-batch, by the chain rule: dloss/dw = sum of G * dL/dw. Only
        its gradient is wanted, so its value is taken off again and that of the loss is put in its stead. With a single
        micro-batch the first vectors have their gradient and are used for both.

        Args:
            examples: all examples of the softmax.
            micros: first rows of the micro-batches of this process.
            step: number of the step, which seeds dropout together with the row.
            offset: row of the first example of the softmax in the batch.
            share: weight of this softmax in the loss of the batch.
        """
        is_single = len(micros) == 1
        slices = [slice(first, first + self.micro) for first in micros]
        with torch.set_grad_enabled(is_single):
            encodings = [self._encode(examples[part], step, offset + part.start) for part in slices]
        positions = [torch.from_numpy(_positions(examples, part)).to(self.device) for part in slices]
        vectors = self._all_vectors(examples, positions, [part for part, _ in encodings])
        loss, numbers, gradient, scale_gradient = self._loss(examples, vectors)
        weight = share / (len(examples) // self.micro)
        for number, part in enumerate(slices):
            live, tokens = encodings[0] if is_single else self._encode(examples[part], step, offset + part.start)
            carrier = (live * gradient[positions[number]]).sum()
            # The scale belongs to the whole softmax, so its gradient is added once: by the first micro-batch.
            if scale_gradient is not None and part.start == 0:
                carrier = carrier + self.model.scale * scale_gradient
            # The first term has the gradient of the carrier and the value 0, the second has the value of the loss.
            yield (
                share * (carrier - carrier.detach()) + weight * loss,
                {name: weight * value for name, value in numbers.items()} | {"tokens": tokens},
            )

    def _encode(self, examples: Sequence[Example], step: int, row: int) -> tuple[Tensor, int]:
        seed_torch(self.settings.seed, step, row)
        return self.model.vectors(examples, self.device, self.settings.precision)

    def _all_vectors(self, examples: Sequence[Example], positions: list[Tensor], parts: list[Tensor]) -> Tensor:
        """Vectors of the whole softmax from all processes, [V, H], as a leaf that a gradient can be taken to."""
        size = 2 * len(examples) + sum(len(example.negatives) for example in examples)
        vectors = torch.zeros(size, parts[0].shape[1], device=self.device)
        for rows, part in zip(positions, parts, strict=True):
            vectors[rows] = part.detach()
        if not self.alone:
            distributed.sum_tensor(vectors)
        return vectors.requires_grad_()

    def _loss(
        self, examples: Sequence[Example], vectors: Tensor
    ) -> tuple[Tensor, dict[str, float], Tensor, Tensor | None]:
        """Compute the loss, numbers to log, and the gradients of the loss to the vectors and to the scale."""
        count = len(examples)
        candidates = torch.from_numpy(find_candidates(examples, self.settings)).to(self.device)
        scale = self.model.scale
        loss = matryoshka_loss(
            vectors[:count],
            vectors[count:],
            self.widths,
            normalise=self.settings.encoding.similarity == "cosine",
            scale=scale,
            candidates=candidates,
        )
        leaves = [vectors, scale] if scale.requires_grad else [vectors]
        gradients = torch.autograd.grad(loss, leaves)
        with torch.no_grad():
            scores = (vectors[:count] @ vectors[count:].T).masked_fill(~candidates, float("-inf"))
            hits = (scores.argmax(1) == torch.arange(count, device=self.device)).float().mean()
        numbers = {
            "accuracy": hits.item(),
            "scale": scale.item(),
            "softmax_candidates": candidates.sum(1).float().mean().item(),
            "same_language": float(np.mean([one.query.language == one.positive.language for one in examples])),
        }
        return loss.detach(), numbers, gradients[0], gradients[1] if scale.requires_grad else None


def _widths(dimensions: str, width: int) -> list[int]:
    """Numbers of leading dimensions over which the loss is averaged; the last is the width of the whole vector."""
    widths = sorted({int(number) for number in listed(dimensions)})
    if widths and not 0 < widths[0] <= widths[-1] < width:
        raise BadInput(f"dimensions must be from 1 to below the width {width}, got {dimensions}")
    return [*widths, width]


def _positions(examples: Sequence[Example], part: slice) -> NDArray[np.int64]:
    """Positions of the vectors of a micro-batch among those of its softmax."""
    count = len(examples)
    owners = np.repeat(np.arange(count), [len(example.negatives) for example in examples])
    rows = np.arange(count)[part]
    negatives = np.flatnonzero((owners >= part.start) & (owners < part.stop))
    return np.concatenate([rows, count + rows, 2 * count + negatives])


def _of_this_process(firsts: range) -> range:
    """First rows of the parts of a batch that belong to this process."""
    each = len(firsts) // distributed.world_size()
    return firsts[distributed.rank() * each : (distributed.rank() + 1) * each]


def _divides(name: str, size: int, whole: int) -> None:
    if whole % size:
        raise BadInput(f"{name} must divide {whole}, got {size}")
