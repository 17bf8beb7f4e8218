"""MEXMA and distillation against slow references: one padded Hugging Face pass a sentence, loops for the losses."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from msm.corpora.pair_shards import PairShards, read_pair_shards
from msm.corpora.shards import read_units
from msm.encoders.building import EncoderForm
from msm.encoders.heads import body
from msm.encoders.saving import new_encoder, save_encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.losses import koleo_loss
from msm.pipeline import runner
from msm.pretraining.model import SentenceModel
from msm.pretraining.objective import Objective
from msm.pretraining.pair_batches import PairBatches
from msm.pretraining.settings import Teach
from msm.pretraining.train import OBJECTIVES
from msm.settings import present
from tests.pretraining.made import SECTIONS, settings
from tests.pretraining.processes import finish, same, start, wait_for_step, weights

MEXMA = {
    "objective": "mexma",
    "batch_pairs": 12,
    "micro_pairs": 6,
    "mask_share": 0.4,
    "koleo_weight": 0.01,
    "heads": 8,
    "dropout": 0.0,
    "schedule": "cosine",
}


@pytest.fixture(scope="module")
def teacher(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start weights with mean pooling and vectors of length 1, as a sentence-transformers folder."""
    folder = tmp_path_factory.mktemp("teacher") / "model"
    folder.mkdir()
    for file in encoder.iterdir():
        (folder / file.name).symlink_to(file)
    save_encoder(new_encoder(folder, EncoderForm("mean", "cosine", 64, 64)), folder)
    (folder / "encoder.json").unlink()
    return folder


@pytest.fixture(scope="module")
def taught(sources: Path, encoder: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("taught")
    settings = Teach(
        collections="documents/constructed.jsonl.gz",
        pivot="qaa",
        languages="all",
        sentence_tokens=32,
        teacher_pooling="own",
        precision="fp32",
        batch_tokens=4096,
    )
    reads = {"sources": sources, "tokenizer": encoder, "model": teacher}
    runner.run_stage("teach", settings, reads, out / "taught", Execution(out / "work"))
    return out / "taught" / "shards"


def objective(taught: Path, encoder: Path, **changes: object) -> Objective[Any]:
    form = settings(**changes)
    model = SentenceModel(encoder, form, 0)
    batches = PairBatches(read_pair_shards(taught), form)
    return OBJECTIVES[form.objective](model, batches, form, torch.device("cpu"))


def states(model: Any, tokens: np.ndarray) -> torch.Tensor:
    return model(input_ids=torch.from_numpy(tokens.astype(np.int64))[None]).last_hidden_state[0]


def slow_mexma(ours: Objective[Any], step: int, micro: int) -> dict[str, torch.Tensor]:
    """The three losses, sentence by sentence and pair by pair."""
    inputs, model = ours.read(step, micro), body(ours.model.masked)
    sentences, count = inputs.batch.sentences, len(inputs.batch.sentences) // 2
    hidden = inputs.texts.hidden
    vectors = [states(model, sentence)[0] for sentence in sentences]
    entropies: list[list[torch.Tensor]] = [[], []]
    for number in range(2 * count):
        where = torch.nonzero(hidden.packed_tokens.owners == number)[:, 0]
        tokens = hidden.packed_tokens.tokens[where]
        rows = states(model, tokens.numpy()).clone()
        if present(ours.settings.mexma).token_gradient == "cut":
            rows = rows.data
        rows[0] = vectors[(number + count) % (2 * count)]
        for layer in ours.model.unmask:  # type: ignore[union-attr]
            attention = layer.attention.self
            query, key, value = (
                part(rows).view(len(rows), 8, -1).transpose(0, 1)
                for part in (attention.query, attention.key, attention.value)
            )
            scores = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
            mixture = layer.attention.output((scores @ value).transpose(0, 1).reshape(len(rows), -1), rows)
            rows = layer.output(layer.intermediate(mixture), mixture)
        logits = rows @ model.embeddings.word_embeddings.weight.T + ours.model.unmask_bias
        logits = logits.log_softmax(-1)
        for row, target in zip(hidden.rows, hidden.targets, strict=True):
            if row in where:
                entropies[number >= count].append(-logits[where.tolist().index(int(row)), int(target)])
    first, second = torch.stack(vectors[:count]), torch.stack(vectors[count:])
    return {
        "alignment_loss": ((first - second) ** 2).sum() / first.numel(),
        "mlm_loss": (torch.stack(entropies[0]).mean() + torch.stack(entropies[1]).mean()) / 2,
        "koleo_loss": (slow_koleo(first) + slow_koleo(second)) / 2,
    }


def slow_koleo(vectors: torch.Tensor) -> torch.Tensor:
    vectors = vectors / vectors.norm(dim=1, keepdim=True)
    nearest = [
        min((vector - other).norm() for place, other in enumerate(vectors) if place != number)
        for number, vector in enumerate(vectors)
    ]
    return -torch.log(torch.stack(nearest) + 1e-8).mean()


@pytest.mark.parametrize("token_gradient", ["kept", "cut"])
def test_mexma_equals_sentence_by_sentence(token_gradient: str, taught: Path, encoder: Path) -> None:
    ours = objective(taught, encoder, **MEXMA, token_gradient=token_gradient)
    ours.model.eval()
    loss = ours.loss(ours.read(3, 1))
    expected = slow_mexma(ours, 3, 1)
    for name, value in expected.items():
        assert float(loss.numbers[name]) == pytest.approx(value.item(), rel=1e-4), name
    total = expected["alignment_loss"] + expected["mlm_loss"] + 0.01 * expected["koleo_loss"]
    assert loss.value.item() == pytest.approx(total.item(), rel=1e-4)
    parameters = [weight for weight in (*body(ours.model.masked).parameters(), *ours.model.unmask.parameters())]  # type: ignore[operator]
    gradients = torch.autograd.grad(loss.value, parameters, allow_unused=True)
    for one, other in zip(gradients, torch.autograd.grad(total, parameters, allow_unused=True), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-3)


def test_tokens_and_vectors_teach_the_encoder(taught: Path, encoder: Path) -> None:
    ours = objective(taught, encoder, **MEXMA)
    inputs = ours.read(0, 0)
    vectors, tokens = ours.vectors_and_states(inputs.texts)
    loss = ours.unmasking_loss(tokens, vectors.roll(len(vectors) // 2, 0), inputs.texts.hidden)  # type: ignore[attr-defined]
    to_vectors, to_tokens = torch.autograd.grad(loss, [vectors, tokens])
    assert to_vectors.abs().sum() > 0
    assert to_tokens.abs().sum() > 0
    first = inputs.texts.hidden.packed_tokens.starts
    assert (to_tokens[first] == 0).all(), "the masked sentence's own first state gives way to the translation's vector"


def test_mexma_hides_a_share_of_both_sides_and_drops_no_attention(taught: Path, encoder: Path) -> None:
    ours = objective(taught, encoder, **MEXMA)
    hidden = ordinary = 0
    for step in range(60):
        inputs = ours.read(step, 0)
        hidden += len(inputs.texts.hidden.rows)
        ordinary += sum(len(sentence) - 2 for sentence in inputs.batch.sentences)
    assert hidden / ordinary == pytest.approx(0.4, abs=0.02)
    layers = [*body(ours.model.masked).encoder.layer, *ours.model.unmask]  # type: ignore[misc]
    assert len(layers) == 2 + SECTIONS["mexma"]["layers"]
    assert all(layer.attention.self.dropout.p == 0 for layer in layers)


def test_the_head_begins_as_layers_of_torch_do(taught: Path, encoder: Path) -> None:
    """As in the released code: weights of `nn.Linear`, uniform within 1/sqrt(inputs), and an epsilon of 1e-12."""
    ours = objective(taught, encoder, **MEXMA, inner_width=96)
    for module in ours.model.unmask.modules():  # type: ignore[union-attr]
        if isinstance(module, torch.nn.LayerNorm):
            assert module.eps == 1e-12
        if isinstance(module, torch.nn.Linear):
            limit = module.in_features**-0.5
            assert 0.9 * limit < module.weight.abs().max() <= limit
            assert module.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.1)
            assert module.bias.abs().max() <= limit
    assert [tuple(layer.intermediate.dense.weight.shape) for layer in ours.model.unmask] == [(96, 32)] * 2  # type: ignore[misc]
    bias = ours.model.unmask_bias
    assert isinstance(bias, torch.nn.Parameter) and len(bias) == len(AutoTokenizer.from_pretrained(encoder))
    assert 0.9 / math.sqrt(32) < bias.abs().max() <= 1 / math.sqrt(32)


def test_koleo_equals_a_loop_and_its_gradient_is_right() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(9, 5, dtype=torch.float64, requires_grad=True)
    owners = torch.arange(9)
    assert koleo_loss(vectors, owners).item() == pytest.approx(slow_koleo(vectors).item(), rel=1e-5)
    gradient = torch.autograd.grad(koleo_loss(vectors, owners), vectors)[0]
    expected = torch.autograd.grad(slow_koleo(vectors), vectors)[0]
    torch.testing.assert_close(gradient, expected, atol=1e-5, rtol=1e-4)


def test_a_sentence_that_comes_twice_is_not_its_own_neighbour() -> None:
    vectors = torch.randn(5, 4)
    twice = torch.cat([vectors, vectors[:1]]).requires_grad_()
    owners = torch.tensor([0, 1, 2, 3, 4, 0])
    loss = koleo_loss(twice, owners)
    assert loss.item() < koleo_loss(twice, torch.arange(6)).item(), "its copy at distance 0 would cost 18 nats"
    gradient = torch.autograd.grad(koleo_loss(twice, torch.arange(6)), twice)[0]
    assert torch.isfinite(gradient).all()
    assert koleo_loss(vectors, torch.zeros(5)).item() == 0


def test_the_teacher_is_that_of_sentence_transformers(taught: Path, teacher: Path, encoder: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    shards = read_pair_shards(taught)
    assert shards.teacher is not None
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    sentences = shards.sentences["qaa"]
    texts = [tokenizer.decode(sentences[number], skip_special_tokens=True) for number in range(40)]
    expected = sentence_transformers.SentenceTransformer(str(teacher), device="cpu").encode(texts)
    np.testing.assert_allclose(shards.teacher[:40], expected, atol=1e-5)


def test_distillation_equals_sentence_by_sentence(taught: Path, encoder: Path) -> None:
    ours = objective(taught, encoder, objective="distill", batch_pairs=10, micro_pairs=5, pooling="mean")
    ours.model.eval()
    shards = ours.batches.shards
    with torch.no_grad():
        batch = ours.batches.pair_batch(1, 1)
        losses: list[list[float]] = [[], []]
        for name, *pair in zip(batch.names, batch.sentences[:5], batch.sentences[5:], strict=True):
            language, number = name.split(":")
            target = torch.from_numpy(shards.teacher[shards.pairs[language][int(number), 0]].copy())
            for side, sentence in enumerate(pair):
                vector = states(body(ours.model.masked), sentence).mean(0)
                losses[side].append(((vector - target) ** 2).mean().item())
        loss = ours.loss(ours.read(1, 1))
    assert float(loss.numbers["pivot_loss"]) == pytest.approx(np.mean(losses[0]), rel=1e-4)
    assert float(loss.numbers["other_loss"]) == pytest.approx(np.mean(losses[1]), rel=1e-4)
    assert loss.value.item() == pytest.approx(np.mean(losses[0]) + np.mean(losses[1]), rel=1e-4)


def test_languages_are_drawn_and_pairs_belong_together(taught: Path) -> None:
    form = settings(**MEXMA)
    shards = read_pair_shards(taught)
    batches, again = PairBatches(shards, form), PairBatches(shards, form)
    names = []
    for step in (5, 0, 3):
        batch = batches.pair_batch(step, 1)
        assert batch.names == again.pair_batch(step, 1).names
        for number, name in enumerate(batch.names):
            language, item = name.split(":")
            one, other = shards.pairs[language][int(item)]
            assert batch.sentences[number].tolist() == shards.sentences["qaa"][one].tolist()
            assert batch.sentences[number + 6].tolist() == shards.sentences[language][other].tolist()
        names += batch.names
    assert {name.split(":")[0] for name in names} == {"qab", "qac"}
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (MEXMA | {"heads": 5}, "mexma.heads must divide the width 32, got 5"),
        (MEXMA | {"batch_pairs": 9}, "mexma.micro_pairs must divide batch_pairs=9, got 6"),
        (MEXMA | {"batch_pairs": 9999, "micro_pairs": 9999}, "must be at most all"),
    ],
)
def test_settings_that_do_not_fit(taught: Path, encoder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        objective(taught, encoder, **changes)


def test_distillation_needs_a_teacher_of_its_width(taught: Path, encoder: Path) -> None:
    form = settings(objective="distill")
    shards = read_pair_shards(taught)
    model = SentenceModel(encoder, form, 0)
    for vectors, message in ((None, "run the stage teach"), (np.zeros((9, 8), np.float32), "have 8 values")):
        other = PairShards(shards.index, shards.sentences, shards.pairs, vectors)
        with pytest.raises(BadInput, match=message):
            OBJECTIVES["distill"](model, PairBatches(other, form), form, torch.device("cpu"))


def test_the_wrong_folder_is_named(units: Path, taught: Path) -> None:
    with pytest.raises(BadInput, match="no parallel sentences"):
        read_pair_shards(units)
    with pytest.raises(BadInput, match="no token shards"):
        read_units(taught)


@pytest.mark.slow
def test_mexma_resumes_and_is_the_same_on_two_processes(taught: Path, encoder: Path, tmp_path: Path) -> None:
    straight, out, two = tmp_path / "straight", tmp_path / "out", tmp_path / "two"
    finish(start(taught, encoder, straight, **MEXMA))
    process = start(taught, encoder, out, **MEXMA)
    wait_for_step(tmp_path / "work-out", 8)
    process.kill()
    process.communicate()
    finish(start(taught, encoder, out, **MEXMA))
    assert same(straight, out)
    finish(start(taught, encoder, two, processes=2, **MEXMA))
    assert all(torch.allclose(weights(straight)[name], weight, atol=1e-5) for name, weight in weights(two).items())
