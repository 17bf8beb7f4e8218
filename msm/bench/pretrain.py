"""`msm bench pretrain` times a step of pre-training against the plain Hugging Face formulation.

The usual way pads units to 64 tokens, passes clean and masked units through the encoder one after the other, applies
the language-model head to every position or to the masked ones, and pads the units of all documents to one batch for
the document encoder.

Both sides hold the same weights and read the same tokens; the losses must agree before the clock runs.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedConfig

from msm.bench.encoders import encoder_config, fast_precisions, layer_flop, modernbert_config
from msm.bench.race import race
from msm.bench.step_profile import peak_mib, shares
from msm.corpora.packing import pack as pack_sentences
from msm.encoders.heads import SplitHead, body, language_head, split_head
from msm.encoders.packed import token_states
from msm.encoders.pooling import pool
from msm.encoders.token_packing import join, pack
from msm.losses import contrastive_loss, linear_token_loss, own_matches, token_loss
from msm.pretraining.document_encoder import DocumentEncoder, Layer, heads
from msm.pretraining.masking import hide_tokens
from msm.training import pick_device

TOLERANCE = {"fp32": 1e-3, "bf16": 1e-2}
"""Largest difference of the two losses, as a share of the loss, by number format."""
UNIT_TOKENS = 64
SPECIAL = (0, 1, 2, 3)
"""Ids of XLM-R's special tokens; the last id of its vocabulary is `<mask>`."""
SENTENCE_TOKENS = 29
"""Mean number of tokens of a sentence, `</s>` included; the standard deviation of its logarithm is `SPREAD`."""
SPREAD = 0.55
SCORED = 1024
"""Number of hidden tokens in the comparison of their loss alone."""


class Shape(NamedTuple):
    """Size of a model and of a batch."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    documents: int
    units: int
    architecture: str = "XLM-R"
    """XLM-R or ModernBERT."""

    def config(self) -> PreTrainedConfig:
        """Return the configuration of the encoder."""
        if self.architecture == "ModernBERT":
            sizes = {"hidden_size": self.width, "num_hidden_layers": self.layers, "num_attention_heads": self.heads}
            return modernbert_config(self.vocabulary, **sizes, intermediate_size=3 * self.width // 2)
        sizes = {"layers": self.layers, "width": self.width, "heads": self.heads}
        return encoder_config(**sizes, vocabulary=self.vocabulary, tokens=UNIT_TOKENS)


BASE = Shape(12, 768, 12, 250_002, 2, 16)
LARGE = Shape(24, 1024, 16, 250_002, 16, 32)
MODERNBERT_BASE = Shape(22, 768, 12, 250_002, 2, 16, "ModernBERT")
TINY = Shape(3, 192, 3, 16_000, 4, 8)
FULL = {"XLM-R base": BASE, "ModernBERT base": MODERNBERT_BASE}
QUICK = {"small XLM-R": TINY, "small ModernBERT": TINY._replace(architecture="ModernBERT")}
"""Shapes by the name of the model."""


@dataclasses.dataclass
class Contender:
    """Models whose weights a step trains."""

    masked_model: Any
    documents: DocumentEncoder
    heads: nn.ModuleDict
    split: SplitHead

    def parameters(self) -> list[nn.Parameter]:
        """Return all weights that a step trains."""
        modules = (self.masked_model, self.documents, self.heads)
        return [weight for module in modules for weight in module.parameters()]


class Batch(NamedTuple):
    """Units of one language, a copy of them with hidden tokens, and the ids of the hidden tokens."""

    units: list[NDArray[np.int64]]
    masked_units: list[NDArray[np.int64]]
    labels: list[NDArray[np.int64]]
    """Id of the hidden token at each position, -100 where none is hidden."""
    documents: Tensor
    fill: float
    precision: str

    @property
    def device(self) -> torch.device:
        """Device on which the step runs."""
        return self.documents.device

    def scored(self) -> int:
        """Return the number of hidden tokens."""
        return int(sum((labels >= 0).sum() for labels in self.labels))


def run(quick: bool, *, profile: bool = False) -> Iterator[dict[str, Any]]:
    """Yield one row for each comparison, as `docs/speed.md` shows them.

    Args:
        quick: whether small models and fewer pairs replace those of base size and seven pairs.
        profile: whether the shares of the operations in the time of a step replace the comparisons.
    """
    device = pick_device("auto")
    shapes, pairs = (QUICK, 5) if quick else (FULL, 7)
    for name, shape in shapes.items():
        # A GPU is not busy with the batch of a CPU.
        shape = shape if device.type == "cpu" or quick else shape._replace(documents=64)
        if profile:
            yield _profile(name, shape, device)
        else:
            yield from _step_races(name, shape, pairs, device)
    if profile:
        return
    shape = next(iter(shapes.values()))
    yield _token_loss_race(shape, pairs, device)
    for precision in fast_precisions(device):
        yield _document_race(shape._replace(documents=4, units=32), pairs, precision, device)


def _profile(name: str, shape: Shape, device: torch.device) -> dict[str, Any]:
    """Return the shares of the operations in the time of a step on packed sentences."""
    contender, optimizer = _new_trained(shape, device)
    batch = new_batch(shape, step_precision(device))
    step_shares = shares(step_of(contender, optimizer, batch, packed_losses))
    facts = _step_facts(name, contender, batch)
    return {"name": "pretrain_step_profile", **facts, "shares": step_shares, "device": device.type}


def _step_races(name: str, shape: Shape, pairs: int, device: torch.device) -> Iterator[dict[str, Any]]:
    """Compare time and memory of a step on packed sentences with those of the two usual ways."""
    contender, optimizer = _new_trained(shape, device)
    batch = new_batch(shape, step_precision(device))
    facts = _step_facts(name, contender, batch)
    ours = step_of(contender, optimizer, batch, packed_losses)
    for way, losses in (("all_positions", padded_losses), ("masked_only", masked_only_losses)):
        check_equal(contender, batch, losses)
        theirs = step_of(contender, optimizer, batch, losses)
        yield race(f"pretrain_step_vs_{way}", ours, theirs, pairs, **facts)
        yield _memory_row(f"pretrain_step_memory_vs_{way}", ours, theirs, facts | {"device": device.type})


def _new_trained(shape: Shape, device: torch.device) -> tuple[Contender, torch.optim.Optimizer]:
    """Return models and their optimiser.

    Both sides train one model: a step's time does not depend on the weights, and two models take twice the memory.
    """
    torch.manual_seed(0)
    contender = new_contender(shape, device)
    return contender, torch.optim.AdamW(contender.parameters(), lr=1e-6, fused=True)


def step_precision(device: torch.device) -> str:
    """Return the number format of the steps on a device."""
    return "bf16" if device.type == "cuda" else "fp32"


def _step_facts(name: str, contender: Contender, batch: Batch) -> dict[str, Any]:
    return {
        "fill": round(batch.fill, 3),
        "documents": int(batch.documents[-1]) + 1,
        "shape": name,
        "precision": batch.precision,
        "flop": flop_of(contender, batch),
    }


def _memory_row(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Return how many times as much memory the usual step takes, beyond weights and the state of the optimiser."""
    peaks = [peak_mib(theirs), peak_mib(ours)]
    ratio = round(peaks[0] / max(peaks[1], 1), 3) if peaks[0] is not None and peaks[1] is not None else None
    return {"name": name, "ratio": ratio, "peak_mib": peaks, **facts}


def _token_loss_race(shape: Shape, pairs: int, device: torch.device) -> dict[str, Any]:
    """Compare loss and gradients of hidden tokens, computed in one pass, with torch's cross entropy of all logits."""
    torch.manual_seed(0)
    head = nn.Linear(shape.width, shape.vocabulary, device=device)
    states = torch.randn(SCORED, shape.width, device=device, requires_grad=True)
    targets = torch.randint(0, shape.vocabulary, (SCORED,), device=device)
    inputs = [states, *head.parameters()]

    def ours() -> tuple[Tensor, ...]:
        return torch.autograd.grad(linear_token_loss(states, head.weight, head.bias, targets), inputs)

    def theirs() -> tuple[Tensor, ...]:
        return torch.autograd.grad(F.cross_entropy(head(states), targets), inputs)

    for one, other in zip(ours(), theirs(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    facts = {"scored": SCORED, "pieces": shape.vocabulary, "width": shape.width, "precision": "fp32"}
    row = race("token_loss_vs_cross_entropy", ours, theirs, pairs, **facts)
    return row | {"peak_mib": [peak_mib(theirs), peak_mib(ours)]}


def new_contender(shape: Shape, device: torch.device) -> Contender:
    """Return models with random weights."""
    masked_model = AutoModelForMaskedLM.from_config(shape.config(), attn_implementation="sdpa")
    documents = DocumentEncoder(shape.width, shape.heads, 4 * shape.width, 2, shape.units, 0.0)
    projections = heads("asymmetric", shape.width)
    split = split_head(masked_model.to(device))
    assert split is not None
    return Contender(masked_model, documents.to(device), projections.to(device), split)


def _sentences(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return lengths of sentences in tokens, whose logarithms are normal, as those of real texts nearly are."""
    mean = np.log(SENTENCE_TOKENS) - SPREAD**2 / 2
    return np.maximum(random.lognormal(mean, SPREAD, count).astype(np.int64), 3)


def _unit_lengths(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return lengths of the units that the stage `units` packs of such sentences, in tokens, `<s>` included."""
    offsets = np.concatenate([[0], np.cumsum(_sentences(4 * count, random))])
    firsts = pack_sentences(offsets, UNIT_TOKENS - 1, 0, 4 * count)
    return np.minimum(np.diff(offsets[firsts])[:count] + 1, UNIT_TOKENS)


def new_batch(shape: Shape, precision: str) -> Batch:
    """Return a batch of random tokens, in units of packed sentences."""
    random = np.random.default_rng(0)
    count = shape.documents * shape.units
    lengths = _unit_lengths(count, random)
    units = [random.integers(len(SPECIAL), shape.vocabulary - 1, length) for length in lengths]
    texts, labels = [], []
    for unit in units:
        masked_tokens, rows = hide_tokens(
            unit,
            share=0.15,
            special=(*SPECIAL, shape.vocabulary - 1),
            mask=shape.vocabulary - 1,
            vocabulary=shape.vocabulary,
            random=random,
        )
        label = np.full(len(unit), -100)
        label[rows] = unit[rows]
        texts.append(masked_tokens)
        labels.append(label)
    documents = torch.arange(shape.documents, device=pick_device("auto")).repeat_interleave(shape.units)
    return Batch(units, texts, labels, documents, float(lengths.sum() / count / UNIT_TOKENS), precision)


def flop_of(contender: Contender, batch: Batch) -> float:
    """Return the floating-point operations of one step: of the layers on real tokens, of the head on hidden ones.

    Forward and backward passes count; the document encoder and the optimiser do not.
    """
    vocabulary, width = contender.split.pieces.shape
    head = 2 * width * (vocabulary + width) * batch.scored()
    return 3.0 * (2 * layer_flop(body(contender.masked_model), [len(unit) for unit in batch.units]) + head)


Losses = Callable[[Contender, Batch], Tensor]


def step_of(
    contender: Contender, optimizer: torch.optim.Optimizer, batch: Batch, losses: Losses
) -> Callable[[], float]:
    """Return a function that runs one step: forward, backward and update."""

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = _loss(contender, batch, losses)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _loss(contender: Contender, batch: Batch, losses: Losses) -> Tensor:
    with torch.autocast(batch.device.type, torch.bfloat16, enabled=batch.precision == "bf16"):
        return losses(contender, batch)


def check_equal(start: Contender, batch: Batch, losses: Losses) -> None:
    """Check that a way computes the same loss as the packed one.

    Raises:
        RuntimeError: the two losses differ.
    """
    with torch.no_grad():
        ours, theirs = (_loss(start, batch, way).item() for way in (packed_losses, losses))
    if abs(ours - theirs) > TOLERANCE[batch.precision] * abs(theirs):
        raise RuntimeError(f"the two ways do not compute the same loss: {ours} and {theirs}")


def packed_losses(contender: Contender, batch: Batch) -> Tensor:
    """Return the loss of this project's way: one packed forward pass, the head on masked positions only."""
    clean, masked_pack = pack(batch.units), pack(batch.masked_units)
    states = token_states(body(contender.masked_model), join(clean, masked_pack).to(batch.device))
    labels = torch.from_numpy(np.concatenate(batch.labels)).to(batch.device)
    is_target = labels >= 0
    head = contender.split
    hidden_states = head.transform(states[len(clean.tokens) :][is_target])
    mlm = linear_token_loss(hidden_states, head.pieces, head.bias, labels[is_target])
    vectors = pool(states[: len(clean.tokens)], clean.to(batch.device), "cls")
    return mlm + _contrast(contender, vectors, batch.documents, contender.documents)


def _padded(batch: Batch, sequences: list[NDArray[np.int64]], value: int) -> Tensor:
    rows = torch.full((len(sequences), UNIT_TOKENS), value)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = torch.from_numpy(sequence)
    return rows.to(batch.device)


def padded_losses(contender: Contender, batch: Batch) -> Tensor:
    """Return the loss of the library's way: padded units, the head on all positions."""
    tokens, labels = _padded(batch, batch.masked_units, 1), _padded(batch, batch.labels, -100)
    output = contender.masked_model(input_ids=tokens, attention_mask=(tokens != 1).long(), labels=labels)
    return output.loss + _padded_contrast(contender, batch)


def masked_only_losses(contender: Contender, batch: Batch) -> Tensor:
    """Return the loss of padded units with the head on masked positions only."""
    tokens, labels = _padded(batch, batch.masked_units, 1), _padded(batch, batch.labels, -100)
    states = body(contender.masked_model)(input_ids=tokens, attention_mask=(tokens != 1).long()).last_hidden_state
    mlm = token_loss(language_head(contender.masked_model), states[labels >= 0], labels[labels >= 0])
    return mlm + _padded_contrast(contender, batch)


def _padded_contrast(contender: Contender, batch: Batch) -> Tensor:
    tokens = _padded(batch, batch.units, 1)
    output = body(contender.masked_model)(input_ids=tokens, attention_mask=(tokens != 1).long())
    vectors = output.last_hidden_state[:, 0]
    documents = PaddedDocumentEncoder(contender.documents)
    return _contrast(contender, vectors, batch.documents, documents)


def _contrast(contender: Contender, vectors: Tensor, documents: Tensor, encoder: nn.Module) -> Tensor:
    sentences = vectors.view(int(documents[-1]) + 1, -1, vectors.shape[1])
    real = torch.ones(sentences.shape[:2], dtype=torch.bool, device=vectors.device)
    guesses = encoder(sentences, real).flatten(0, 1)
    with torch.autocast(vectors.device.type, enabled=False):
        queries, keys = contender.heads["query"](guesses), contender.heads["key"](vectors)
    return contrastive_loss(queries, keys, own_matches(documents), temperature=0.1, mu=0.5).loss


class PaddedDocumentEncoder(nn.Module):
    """The document encoder as MSM's released code runs it: one whole sequence for each hidden sentence.

    Args:
        encoder: document encoder whose weights are used.
    """

    def __init__(self, encoder: DocumentEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, sentences: Tensor, real: Tensor) -> Tensor:
        """Predict the vector of every sentence from the others of its document, [D, N, H] to [D, N, H]."""
        documents, positions, width = sentences.shape
        is_hidden = torch.eye(positions, dtype=torch.bool, device=sentences.device)
        rows = torch.where(is_hidden[None, ..., None], self.encoder.mask, sentences[:, None]).flatten(0, 1)
        states = self.encoder.norm(rows + self.encoder.positions.weight[:positions])
        keep = real[:, None].expand(-1, positions, -1).flatten(0, 1)
        for layer in self.encoder.layers:
            assert isinstance(layer, Layer)
            states = layer(states, states, keep)
        return states.view(documents, positions, positions, width).diagonal(dim1=1, dim2=2).mT


def _document_race(shape: Shape, pairs: int, precision: str, device: torch.device) -> dict[str, Any]:
    encoder = DocumentEncoder(shape.width, shape.heads, 4 * shape.width, 2, shape.units, 0.0).to(device)
    padded_encoder = PaddedDocumentEncoder(encoder)
    sentences = torch.randn(shape.documents, shape.units, shape.width, device=device)
    real = torch.ones(sentences.shape[:2], dtype=torch.bool, device=device)
    with torch.no_grad():
        difference = (encoder(sentences, real) - padded_encoder(sentences, real)).abs().max().item()
    if difference > 1e-5:
        raise RuntimeError(f"the two document encoders differ by {difference}")

    def step(model: nn.Module) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            guesses = model(sentences, real)
        F.mse_loss(guesses.float(), sentences).backward()

    return race(
        "document_encoder_vs_padded",
        lambda: step(encoder),
        lambda: step(padded_encoder),
        pairs,
        units=shape.units,
        documents=shape.documents,
        precision=precision,
        difference=difference,
    )
