"""The loss of a batch: against plain sums over floats, in micro-batches, over two processes, DPR's gathering."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from msm.collections.records import Example
from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder
from msm.errors import BadInput
from msm.finetuning.bi_encoder import BatchLoss, BiEncoder
from msm.finetuning.candidates import find_candidates
from msm.finetuning.settings import Finetune
from msm.losses import in_batch_loss
from tests.finetuning.made import examples, settings

CPU = torch.device("cpu")


def bi_encoder(encoder: Path, form: Finetune) -> BiEncoder:
    torch.manual_seed(3)
    how = form.encoding
    shape = EncoderForm(
        how.pooling, how.similarity, 24, 24, how.passage_context, towers=how.towers, scale=form.loss.scale
    )
    # Dropout falls on other units when the micro-batches change.
    return BiEncoder(new_encoder(encoder, shape), form).eval()


def backward(
    encoder: Path, form: Finetune, batch: list[Example]
) -> tuple[float, dict[str, torch.Tensor], dict[str, float]]:
    model = bi_encoder(encoder, form)
    total, log = 0.0, dict[str, float]()
    for loss, numbers in BatchLoss(model, form, CPU).parts(batch, step=0):
        loss.backward()
        total += loss.item()
        log = {name: log.get(name, 0) + value for name, value in numbers.items()}
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return total, gradients, log


def assert_same(
    one: tuple[float, dict[str, torch.Tensor], Any], other: tuple[float, dict[str, torch.Tensor], Any]
) -> None:
    assert one[0] == pytest.approx(other[0], abs=1e-5)
    assert one[1].keys() == other[1].keys()
    for name, gradient in one[1].items():
        torch.testing.assert_close(gradient, other[1][name], atol=2e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("towers", ["one", "two"])
def test_loss_is_that_of_plain_floats(encoder: Path, towers: str) -> None:
    form = settings(towers=towers, passage_context="title", similarity="dot", scale=1.0, hard_negatives=2)
    batch = examples(8, negatives=2)
    model = bi_encoder(encoder, form)
    with torch.no_grad():
        vectors = model.vectors(batch, CPU, "fp32")[0].tolist()
    queries, passages = vectors[:8], vectors[8:]
    assert len(passages) == 8 * 3
    losses = []
    for row, query in enumerate(queries):
        scores = [sum(a * b for a, b in zip(query, passage, strict=True)) for passage in passages]
        losses.append(math.log(sum(math.exp(score - scores[row]) for score in scores)))
    result = backward(encoder, form, batch)
    assert result[0] == pytest.approx(sum(losses) / 8, abs=1e-4)
    assert result[2]["softmax_candidates"] == 24


@pytest.mark.parametrize("gather", ["none", "grad"])
@pytest.mark.parametrize("towers", ["one", "two"])
def test_micro_batches_change_neither_loss_nor_gradient(encoder: Path, gather: str, towers: str) -> None:
    form = {"towers": towers, "gather": gather, "shard_queries": 4}
    batch = [example._replace(negatives=example.negatives[: row % 3]) for row, example in enumerate(examples(8, 2))]
    whole = backward(encoder, settings(**form, micro_queries=4 if gather == "none" else 8), batch)
    assert_same(whole, backward(encoder, settings(**form, micro_queries=2), batch))
    assert "scale" in whole[1]


def test_gathering_is_that_of_devices_that_put_their_own_back(encoder: Path) -> None:
    """DPR: each device computes the loss of all questions, with the vectors of other devices as constants."""
    form = settings(gather="grad", shard_queries=4, learn_scale="no")
    batch = examples(8)
    model = bi_encoder(encoder, form)
    loss = torch.tensor(0.0)
    for device in range(2):
        vectors, _ = model.vectors(batch, CPU, "fp32")
        is_own = (torch.arange(8) // 4 == device).repeat(3)
        device_vectors = torch.where(is_own[:, None], vectors, vectors.detach())
        logits = form.loss.scale * device_vectors[:8] @ device_vectors[8:].T
        loss = torch.nn.functional.cross_entropy(logits, torch.arange(8))
        loss.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    assert_same((loss.item(), gradients, {}), backward(encoder, form, batch))


def test_shards_without_gathering_are_batches_of_their_own(encoder: Path) -> None:
    batch = examples(8)
    result = backward(encoder, settings(gather="none", shard_queries=4), batch)
    halves = [backward(encoder, settings(batch_queries=4, shard_queries=4), half) for half in (batch[:4], batch[4:])]
    assert result[0] == pytest.approx((halves[0][0] + halves[1][0]) / 2, abs=1e-5)
    assert result[2]["softmax_candidates"] == 8


def test_a_right_passage_is_never_a_negative() -> None:
    batch = examples(4)
    twice = batch[0]._replace(positive=batch[1].positive)
    with_others = batch[2]._replace(others=("n3-0",))
    candidates = find_candidates([twice, batch[1], with_others, batch[3]], settings(batch_queries=4, shard_queries=4))
    expected = torch.ones(4, 8, dtype=torch.bool)
    expected[0, 1] = expected[1, 0] = expected[2, 7] = False
    assert candidates.tolist() == expected.tolist()


def test_without_in_batch_negatives_only_hard_ones_are_left() -> None:
    candidates = find_candidates(examples(3), settings(batch_queries=3, shard_queries=3, candidates="hard"))
    assert candidates.tolist() == [[row == place or place >= 3 for place in range(6)] for row in range(3)]


def test_scores_are_fp32_whatever_the_vectors() -> None:
    generator = torch.manual_seed(5)
    queries, passages = torch.randn(4, 64, generator=generator), torch.randn(8, 64, generator=generator)
    half = in_batch_loss(queries.bfloat16(), passages.bfloat16(), scale=1.0)
    assert half.dtype == torch.float32
    whole = in_batch_loss(queries.bfloat16().float(), passages.bfloat16().float(), scale=1.0)
    assert torch.equal(half, whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": "hard", "hard_negatives": 0}, "candidates=hard leaves only hard negatives"),
        ({"shard_queries": 3}, "shard_queries must divide 8, got 3"),
        ({"micro_queries": 5}, "micro_queries must divide 8, got 5"),
        ({"gather": "none", "shard_queries": 4, "micro_queries": 8}, "micro_queries must divide 4, got 8"),
    ],
)
def test_sizes_that_do_not_divide_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        settings(**changes)


TWO = """
import sys, torch, torch.distributed as dist
from pathlib import Path
from msm import distributed
from tests.finetuning.made import examples, settings
from tests.finetuning.test_bi_encoder import bi_encoder, CPU
from msm.finetuning.bi_encoder import BatchLoss
rank, port, folder, out = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
dist.init_process_group("gloo", init_method=f"file://{port}", rank=rank, world_size=2)
found = {}
for gather in ("none", "grad"):
    form = settings(gather=gather, shard_queries=4, micro_queries=2)
    model = bi_encoder(folder, form).train()
    total = 0.0
    for loss, _ in BatchLoss(model, form, CPU).parts(examples(8), step=0):
        loss.backward()
        total += loss.item()
    distributed.sum_gradients(model.parameters())
    total = distributed.sum_values({"loss": total})["loss"]
    found[gather] = (total, {name: weight.grad for name, weight in model.named_parameters()})
if rank == 0:
    torch.save(found, out)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_give_what_one_gives(encoder: Path, tmp_path: Path) -> None:
    """With dropout: it falls on the same units."""
    out = tmp_path / "found.pt"
    words = [sys.executable, "-c", TWO]
    root = Path(__file__).parents[2]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    processes = [
        subprocess.Popen([*words, str(rank), str(tmp_path / "meet"), str(encoder), str(out)], env=environment, cwd=root)
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    result = torch.load(out)
    for gather, (total, gradients) in result.items():
        form = settings(gather=gather, shard_queries=4, micro_queries=2)
        model = bi_encoder(encoder, form).train()
        alone = 0.0
        for loss, _ in BatchLoss(model, form, CPU).parts(examples(8), step=0):
            loss.backward()
            alone += loss.item()
        # What nothing uses has no gradient on two processes either.
        new_gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        old_gradients = {name: gradient for name, gradient in gradients.items() if gradient is not None}
        assert_same((alone, new_gradients, {}), (total, old_gradients, {}))
