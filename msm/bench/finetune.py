"""`msm bench finetune` times a step of fine-tuning against the plain Hugging Face formulation.

The usual way has two forward passes, one of questions and one of passages, each padded to the longest text of its
batch. This project packs all texts into one pass. Lengths are drawn like those of TyDi's gold passages (32 and 256
tokens at most), so that a little more than half of a padded batch is real tokens; this share stands beside the ratio as
`fill`.

Both sides hold the same weights and read the same tokens; the losses must agree before the clock runs.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModel

from msm.bench.encoders import encoder_config, fast_precisions
from msm.bench.race import race
from msm.encoders.packed import token_states
from msm.encoders.pooling import pool
from msm.encoders.token_packing import pack
from msm.losses import in_batch_loss
from msm.training import pick_device

QUERY_TOKENS, PASSAGE_TOKENS = 32, 256
SPECIAL = 4
TOLERANCE = {"fp32": 1e-4, "bf16": 2e-2}
"""Largest difference of the two losses, as a share of the loss, by number format."""


class Shape(NamedTuple):
    """Size of a model and of a batch."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    queries: int


BASE = Shape(12, 768, 12, 250_002, 32)
QUICK = Shape(2, 128, 2, 8_000, 16)


class TokenTexts(NamedTuple):
    """Token ids of the questions and passages of a batch."""

    queries: list[NDArray[np.int64]]
    passages: list[NDArray[np.int64]]

    def fill(self) -> float:
        """Return the share of real tokens where questions and passages are padded to their longest text."""
        real = sum(map(len, self.queries)) + sum(map(len, self.passages))
        return real / sum(len(side) * max(map(len, side)) for side in self)


Vectors = Callable[[Any, TokenTexts], tuple[Tensor, Tensor]]


def run(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield the comparison in fp32, and in bf16 where the device has units for it.

    Args:
        quick: whether a small model and fewer questions replace XLM-R base and 32 questions.
    """
    shape, pairs = (QUICK, 5) if quick else (BASE, 7)
    torch.manual_seed(0)
    device = pick_device("auto")
    model = _model(shape).to(device)
    texts = _texts(shape)
    # Both sides train one model: a step's time does not depend on the weights, and two models take twice the memory.
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    for precision in fast_precisions(device):
        difference = _check_equal(model, texts, precision)
        ours, theirs = (_step(model, optimizer, texts, way, precision) for way in (_packed, _padded))
        yield race(
            f"finetune_step_vs_longest_{precision}",
            ours,
            theirs,
            pairs,
            fill=round(texts.fill(), 3),
            queries=shape.queries,
            shape="quick" if quick else "XLM-R base",
            loss_difference=difference,
        )


def _model(shape: Shape) -> nn.Module:
    config = encoder_config(
        layers=shape.layers, width=shape.width, heads=shape.heads, vocabulary=shape.vocabulary, tokens=PASSAGE_TOKENS
    )
    return AutoModel.from_config(config, attn_implementation="sdpa", add_pooling_layer=False)


def _texts(shape: Shape) -> TokenTexts:
    random = np.random.default_rng(0)
    lengths = (
        np.clip(random.normal(13, 4, shape.queries), 5, QUERY_TOKENS),
        np.clip(random.lognormal(4.8, 0.55, shape.queries), 20, PASSAGE_TOKENS),
    )
    return TokenTexts(
        *([random.integers(SPECIAL, shape.vocabulary, int(length)) for length in side] for side in lengths)
    )


def _packed(model: Any, texts: TokenTexts) -> tuple[Tensor, Tensor]:
    """Return the vectors of questions and of passages by one packed forward pass."""
    batch = pack(texts.queries + texts.passages).to(model.device)
    vectors = pool(token_states(model, batch), batch, "cls")
    return vectors[: len(texts.queries)], vectors[len(texts.queries) :]


def _padded(model: Any, texts: TokenTexts) -> tuple[Tensor, Tensor]:
    """Return the vectors of questions and of passages by the library's own forward passes, one for each side."""
    return _padded_side(model, texts.queries), _padded_side(model, texts.passages)


def _padded_side(model: Any, side: list[NDArray[np.int64]]) -> Tensor:
    tokens = torch.full((len(side), max(map(len, side))), 1)
    for row, ids in zip(tokens, side, strict=True):
        row[: len(ids)] = torch.from_numpy(ids)
    tokens = tokens.to(model.device)
    return model(input_ids=tokens, attention_mask=(tokens != 1).long()).last_hidden_state[:, 0]


def _loss(model: Any, texts: TokenTexts, vectors: Vectors, precision: str) -> Tensor:
    with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
        queries, passages = vectors(model, texts)
    return in_batch_loss(F.normalize(queries.float(), dim=1), F.normalize(passages.float(), dim=1), scale=20.0)


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, texts: TokenTexts, vectors: Vectors, precision: str
) -> Callable[[], None]:
    """Return a function that runs one step: forward, backward and update."""

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        _loss(model, texts, vectors, precision).backward()
        optimizer.step()

    return step


def _check_equal(model: nn.Module, texts: TokenTexts, precision: str) -> float:
    with torch.no_grad():
        ours, theirs = (_loss(model, texts, way, precision).item() for way in (_packed, _padded))
    if abs(ours - theirs) > TOLERANCE[precision] * abs(theirs):
        raise RuntimeError(f"the two ways do not compute the same loss: {ours} and {theirs}")
    return abs(ours - theirs)
