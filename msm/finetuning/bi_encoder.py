"""The bi-encoder and the loss of a batch, however it is cut into micro-batches and shared by processes.

Where a softmax does not fit in memory it is computed from vectors without gradient, and each micro-batch is then
encoded again to pass on the gradient of its vectors (GradCache, arXiv 2101.06983): the same loss and gradient as the
whole batch at once. Dropout hides the same units both times, and on any number of processes.

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
from msm.encoders.chain import Tokens
from msm.encoders.encoder import Encoder
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
        text: encodes questions and passages.
        settings: of fine-tuning.
    """

    def __init__(self, text: Encoder, settings: Finetune) -> None:
        super().__init__()
        self.text = text
        self.scale = nn.Parameter(torch.tensor(settings.loss.scale), requires_grad=settings.loss.learn_scale == "yes")

    def vectors(self, examples: Sequence[Example], device: torch.device, precision: str) -> tuple[Tensor, int]:
        """Vectors of the questions and then of their passages, [V, H], and the number of tokens encoded."""
        queries = cast(Tokens, self.text.prepare_queries([example.query.text for example in examples]))
        passages = cast(Tokens, self.text.prepare_passages(batch_passages(examples)))
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            if self.text.shared:
                vectors = self.text(queries.joined(passages), "query")
            else:
                vectors = torch.cat([self.text(queries, "query"), self.text(passages, "passage")])
        return vectors, sum(map(len, queries.ids)) + sum(map(len, passages.ids))


class BatchLoss:
    """Losses of this process's share of a batch.

    Args:
        model: on its device.
        settings: of fine-tuning.
        device: where it runs.

    Raises:
        BadInput: no negatives at all, sizes that do not divide each other, micro-batches that the processes
            cannot share, or dimensions that the vectors do not have.
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
        """Loss and numbers of each micro-batch; see `msm.training.Task.micro_losses`."""
        if not self.alone:
            micros = _own(range(0, len(examples), self.micro))
            yield from self._softmax_parts(examples, micros, step, 0, 1.0)
            return
        for first in _own(range(0, len(examples), self.softmax)):
            shard = examples[first : first + self.softmax]
            micros = range(0, self.softmax, self.micro)
            yield from self._softmax_parts(shard, micros, step, first, self.softmax / len(examples))

    def _softmax_parts(
        self, examples: Sequence[Example], micros: range, step: int, offset: int, share: float
    ) -> Iterator[Part]:
        """Parts of one softmax.

        Args:
            examples: all of the softmax.
            micros: first rows of this process's micro-batches.
            step: seeds dropout, with the row.
            offset: row of the first example in the batch.
            share: weight of this softmax in the loss.
        """
        once = len(micros) == 1
        slices = [slice(first, first + self.micro) for first in micros]
        with torch.set_grad_enabled(once):
            encoded = [self._encode(examples[part], step, offset + part.start) for part in slices]
        places = [torch.from_numpy(_places(examples, part)).to(self.device) for part in slices]
        vectors = self._all_vectors(examples, places, [part for part, _ in encoded])
        loss, numbers, gradient, scale_gradient = self._loss(examples, vectors)
        weight = share / (len(examples) // self.micro)
        for number, part in enumerate(slices):
            live, tokens = encoded[0] if once else self._encode(examples[part], step, offset + part.start)
            carrier = (live * gradient[places[number]]).sum()
            if scale_gradient is not None and part.start == 0:
                carrier = carrier + self.model.scale * scale_gradient
            # The value of the loss with the gradient of the carrier.
            yield (
                share * (carrier - carrier.detach()) + weight * loss,
                {name: weight * value for name, value in numbers.items()} | {"tokens": tokens},
            )

    def _encode(self, examples: Sequence[Example], step: int, row: int) -> tuple[Tensor, int]:
        seed_torch(self.settings.seed, step, row)
        return self.model.vectors(examples, self.device, self.settings.precision)

    def _all_vectors(self, examples: Sequence[Example], places: list[Tensor], encoded: list[Tensor]) -> Tensor:
        """Vectors of the whole softmax, of all processes, [V, H]; a leaf."""
        size = 2 * len(examples) + sum(len(example.negatives) for example in examples)
        vectors = torch.zeros(size, encoded[0].shape[1], device=self.device)
        for rows, part in zip(places, encoded, strict=True):
            vectors[rows] = part.detach()
        if not self.alone:
            distributed.sum_tensor(vectors)
        return vectors.requires_grad_()

    def _loss(
        self, examples: Sequence[Example], vectors: Tensor
    ) -> tuple[Tensor, dict[str, float], Tensor, Tensor | None]:
        """Loss, numbers to log, and the loss's gradient to vectors and scale."""
        count = len(examples)
        masks = find_candidates(examples, self.settings)
        allowed = torch.from_numpy(masks.allowed).to(self.device)
        near = None if masks.near is None else torch.from_numpy(masks.near).to(self.device)
        scale = self.model.scale
        loss = matryoshka_loss(
            vectors[:count],
            vectors[count:],
            self.widths,
            normalise=self.settings.encoding.similarity == "cosine",
            scale=scale,
            allowed=allowed,
            near=near,
        )
        leaves = [vectors, scale] if scale.requires_grad else [vectors]
        gradients = torch.autograd.grad(loss, leaves)
        with torch.no_grad():
            scores = (vectors[:count] @ vectors[count:].T).masked_fill(~allowed, float("-inf"))
            hits = (scores.argmax(1) == torch.arange(count, device=self.device)).float().mean()
        numbers = {
            "accuracy": hits.item(),
            "scale": scale.item(),
            "softmax_candidates": float(masks.allowed.sum(1).mean()),
            "same_language": float(np.mean([one.query.language == one.positive.language for one in examples])),
        }
        return loss.detach(), numbers, gradients[0], gradients[1] if scale.requires_grad else None


def _widths(dimensions: str, width: int) -> list[int]:
    """Leading dimensions that the loss looks at, the whole vector last."""
    widths = sorted({int(number) for number in listed(dimensions)})
    if widths and not 0 < widths[0] <= widths[-1] < width:
        raise BadInput(f"dimensions must be from 1 to below the width {width}, got {dimensions}")
    return [*widths, width]


def _places(examples: Sequence[Example], part: slice) -> NDArray[np.int64]:
    """Where the vectors of a micro-batch stand among those of its softmax."""
    count = len(examples)
    owners = np.repeat(np.arange(count), [len(example.negatives) for example in examples])
    rows = np.arange(count)[part]
    negatives = np.flatnonzero((owners >= part.start) & (owners < part.stop))
    return np.concatenate([rows, count + rows, 2 * count + negatives])


def _own(firsts: range) -> range:
    """This process's share of the parts of a batch."""
    each = len(firsts) // distributed.world_size()
    return firsts[distributed.rank() * each : (distributed.rank() + 1) * each]


def _divides(name: str, size: int, whole: int) -> None:
    if whole % size:
        raise BadInput(f"{name} must divide {whole}, got {size}")
