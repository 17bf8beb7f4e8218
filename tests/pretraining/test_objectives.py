"""Every objective against a slow reference, on the micro-batches that training reads."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from msm.corpora.shards import read_units
from msm.encoders.heads import body
from msm.errors import BadInput
from msm.pretraining.baselines import partners, pseudo_queries
from msm.pretraining.batches import Batches, UnitBatch
from msm.pretraining.memory import Memory
from msm.pretraining.model import SentenceModel
from msm.pretraining.objective import Objective
from msm.pretraining.train import OBJECTIVES, PretrainTask
from tests.pretraining.made import BLOCK_TOKENS, SEED, settings

SLOW = {"projector": "none", "mlm.weight": 0.0, "batch_documents": 6, "softmax_documents": 3}


def objective(units: Path, encoder: Path, **changes: object) -> Objective[Any]:
    form = settings(**({"batch_blocks": 2} | changes))
    shards = read_units(units)
    model = SentenceModel(encoder, form, shards.index.document_units)
    batches = Batches(shards, form)
    return OBJECTIVES[form.objective](model, batches, form, torch.device("cpu"))


def unit_vector(model: Any, tokens: np.ndarray) -> torch.Tensor:
    """One text alone through the Hugging Face model, first token, length 1."""
    state = body(model.masked)(input_ids=torch.from_numpy(tokens.astype(np.int64))[None]).last_hidden_state[0, 0]
    return torch.nn.functional.normalize(state, dim=0)


def nll(own: float, others: list[float]) -> float:
    return -own + math.log(math.exp(own) + sum(math.exp(other) for other in others))


@pytest.mark.parametrize(("name", "window"), [("crop", 0), ("ccp", 5)])
def test_pairs_equal_a_loop(units: Path, encoder: Path, name: str, window: int) -> None:
    memory = {"memory_keys": 10} if name == "ccp" else {}
    ours = objective(units, encoder, objective=name, **memory, **SLOW)
    ours.model.eval()
    with torch.no_grad():
        batch = ours.batches.unit_batch(0, 1)
        vectors = [unit_vector(ours.model, unit) for unit in batch.units]
        places = partners(batch.documents, window, np.random.default_rng((SEED, 6, 0, 1)))
        expected = 0.0
        for row, partner in enumerate(places):
            assert partner != row
            assert batch.documents[partner] == batch.documents[row]
            assert not window or abs(partner - row) <= window
            strangers = np.flatnonzero(batch.documents != batch.documents[row])
            scores = [float(vectors[row] @ vectors[other]) / 0.1 for other in strangers]
            expected += nll(float(vectors[row] @ vectors[partner]) / 0.1, scores) / len(places)
        assert float(ours.loss(ours.read(0, 1)).numbers["msm_loss"]) == pytest.approx(expected, rel=1e-4)


def test_ict_equals_a_loop(units: Path, encoder: Path) -> None:
    ours = objective(units, encoder, objective="ict", **SLOW)
    ours.model.eval()
    with torch.no_grad():
        batch = ours.batches.unit_batch(2, 0)
        random = np.random.default_rng((SEED, 6, 2, 0))
        queries, blocks = pseudo_queries(batch, BLOCK_TOKENS, random)
        rows = [[float(unit_vector(ours.model, q) @ unit_vector(ours.model, b)) / 0.1 for b in blocks] for q in queries]
        expected = sum(nll(row[n], row[:n] + row[n + 1 :]) for n, row in enumerate(rows)) / len(rows)
        assert float(ours.loss(ours.read(2, 0)).numbers["msm_loss"]) == pytest.approx(expected, rel=1e-4)


def test_a_pseudo_query_is_mostly_out_of_its_block() -> None:
    units = [np.array([0, *range(10 * number + 4, 10 * number + 13), 2]) for number in range(40)]
    batch = UnitBatch("xx", ["a"], units, np.zeros(40, dtype=np.int64))
    count = 0
    for seed in range(400):
        (query,), (block,) = pseudo_queries(batch, 256, np.random.default_rng(seed))
        assert block[0] == 0
        assert (block[1:] != 0).all()
        assert len(block) <= 256
        count += set(query[1:-1]) <= set(block)
    assert count / 400 == pytest.approx(0.1, abs=0.05)


def test_masking_a_share_hides_that_share(units: Path, encoder: Path) -> None:
    ours = objective(units, encoder, masking="share:0.4", **SLOW)
    batch = ours.batches.unit_batch(0, 0)
    real = torch.arange(8) < torch.from_numpy(np.bincount(batch.documents))[:, None]
    hidden = torch.from_numpy(ours.read(0, 0).hidden)
    for length, count in zip(real.sum(1).tolist(), hidden.sum(1).tolist(), strict=True):
        assert count == min(max(round(0.4 * length), 1), length - 1)
    assert not (hidden & ~real).any()
    assert math.isfinite(ours.loss(ours.read(0, 0)).value.item())


def test_one_hidden_sentence_equals_each_hidden_alone(units: Path, encoder: Path) -> None:
    ours = objective(units, encoder, **SLOW)
    document = ours.model.eval().documents["others"]
    sentences, real = torch.randn(2, 5, 32), torch.ones(2, 5, dtype=torch.bool)
    each = document(sentences, real)
    for place in range(5):
        hidden = torch.zeros(2, 5, dtype=torch.bool)
        hidden[:, place] = True
        guesses = document.share(sentences, real, hidden)[hidden]
        torch.testing.assert_close(guesses, each[:, place], atol=1e-5, rtol=1e-4)


def test_document_encoders_and_heads_by_group(units: Path, encoder: Path) -> None:
    groups = {"document_groups": "qaa=first", "group_heads": "shared"}
    ours = objective(units, encoder, **groups)
    model = ours.model
    assert model.document_encoder("qaa") is not model.document_encoder("qab")
    assert model.document_encoder("qab") is model.document_encoder("qac")
    assert set(model.heads) == {"others"}
    apart = objective(units, encoder, **(groups | {"group_heads": "separate"})).model
    vectors = torch.randn(8, 32)
    assert not torch.equal(apart.query(vectors, "qaa"), apart.query(vectors, "qab"))


@pytest.mark.parametrize("text", ["qaa", "qaa=", "=a", "qaa=a=b", "qaa=a.b", "qaa=a, qaa=b"])
def test_groups_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="document_groups"):
        settings(**{"msm.document_groups": text})


def test_names_of_groups_may_have_hyphens(units: Path, encoder: Path) -> None:
    ours = objective(units, encoder, document_groups="qaa=verb-object, qab=object-verb, qac=verb-object")
    assert ours.model.document_encoder("qaa") is ours.model.document_encoder("qac")
    assert ours.model.document_encoder("qaa") is not ours.model.document_encoder("qab")
    assert set(ours.model.documents) == {"others", "verb-object", "object-verb"}


def test_only_the_group_of_the_batch_learns(units: Path, encoder: Path) -> None:
    ours = objective(units, encoder, document_groups="qaa=first", group_heads="separate")
    numbers = {ours.batches.unit_batch(step, 0).language: step for step in range(20)}
    ours.loss(ours.read(numbers["qaa"], 0)).value.backward()
    assert all(weight.grad is not None for weight in ours.model.documents["first"].parameters())
    assert all(weight.grad is None for weight in ours.model.documents["others"].parameters())


@pytest.mark.parametrize("projector", ["none", "shared", "asymmetric"])
def test_projectors(units: Path, encoder: Path, projector: str) -> None:
    model = objective(units, encoder, projector=projector).model
    vectors = torch.randn(16, 32)
    query, key = model.query(vectors, "qaa"), model.key(vectors, "qaa")
    assert torch.equal(query, key) == (projector != "asymmetric")
    assert torch.equal(query, vectors) == (projector == "none")


def test_memory_keeps_the_newest_of_each_language() -> None:
    memory = Memory(["a", "b"], size=3, width=1)
    assert memory.of("a").shape == (0, 1)
    memory.push("a", torch.tensor([[1.0], [2.0]]))
    memory.push("a", torch.tensor([[3.0], [4.0]]))
    memory.push("b", torch.tensor([[9.0]]))
    assert memory.of("a").flatten().tolist() == [3, 4, 1]
    assert memory.of("b").flatten().tolist() == [9]
    again = Memory(["a", "b"], size=3, width=1)
    again.load_state_dict(memory.state_dict())
    assert again.of("a").flatten().tolist() == [3, 4, 1]


def test_ccp_remembers_a_step_when_it_is_over(units: Path, encoder: Path) -> None:
    ours = objective(units, encoder, objective="ccp", memory_keys=500)
    task = PretrainTask(ours)
    first = [ours.batches.unit_batch(0, micro) for micro in range(2)]
    list(task.micro_losses(0))
    for language in {batch.language for batch in first}:
        count = sum(len(batch.units) for batch in first if batch.language == language)
        assert len(ours.memory.of(language)) == count  # type: ignore[attr-defined]
    assert any("memory" in name for name in ours.model.state_dict())
