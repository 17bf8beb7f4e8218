"""The losses against loops over floats, and the properties protocols demand."""

import math

import pytest
import torch

from msm import losses
from msm.losses import Matches, contrastive_loss, in_batch_loss, linear_token_loss, own_matches, token_loss


def slow_loss(queries: list, keys: list, documents: list[int], temperature: float, mu: float, negatives: str) -> float:
    """Equations 1 to 3, one number at a time."""

    def cosine(a: list[float], b: list[float]) -> float:
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))

    total = 0.0
    for i, query in enumerate(queries):
        scores = [cosine(query, key) / temperature for key in keys]
        siblings = [j for j in range(len(keys)) if documents[j] == documents[i] and j != i]
        others = [j for j in range(len(keys)) if documents[j] != documents[i]]
        alpha = sum(scores[j] for j in siblings) / len(siblings) - sum(scores[j] for j in others) / len(others)
        bottom = math.exp(scores[i]) + sum(math.exp(scores[j]) for j in others)
        if negatives == "all":
            bottom += sum(math.exp(scores[j] - mu * alpha) for j in siblings)
        total -= math.log(math.exp(scores[i]) / bottom)
    return total / len(queries)


@pytest.mark.parametrize("negatives", ["all", "cross-document"])
@pytest.mark.parametrize("mu", [0.0, 0.5, 1.0])
def test_equals_a_float_by_float_loop(mu: float, negatives: str) -> None:
    torch.manual_seed(1)
    queries, keys = torch.randn(9, 6), torch.randn(9, 6)
    documents = [0, 0, 0, 1, 1, 1, 1, 2, 2]
    ours = contrastive_loss(
        queries, keys, own_matches(torch.tensor(documents)), temperature=0.1, mu=mu, negatives=negatives
    ).loss.item()
    assert ours == pytest.approx(slow_loss(queries.tolist(), keys.tolist(), documents, 0.1, mu, negatives), rel=1e-5)


def test_no_gradient_flows_through_the_bias() -> None:
    torch.manual_seed(2)
    queries, keys = torch.randn(8, 5, dtype=torch.double), torch.randn(8, 5, dtype=torch.double)
    documents = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    queries.requires_grad_()
    contrastive_loss(queries, keys, own_matches(documents), temperature=0.1, mu=0.5).loss.backward()
    # The same loss with the bias as a constant.
    constant = queries.detach().clone().requires_grad_()
    unit = torch.nn.functional.normalize
    logits = unit(constant.float(), dim=1) @ unit(keys.float(), dim=1).T / 0.1
    same = documents[:, None] == documents
    siblings = same & ~torch.eye(8, dtype=torch.bool)
    with torch.no_grad():
        alpha = logits[siblings].view(8, 3).mean(1) - logits[~same].view(8, 4).mean(1)
    biased_logits = logits - 0.5 * alpha[:, None] * siblings
    torch.nn.functional.cross_entropy(biased_logits, torch.arange(8)).backward()
    torch.testing.assert_close(queries.grad, constant.grad, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("bias_over", ["query", "document", "batch"])
@pytest.mark.parametrize("bias_gradient", ["cut", "kept"])
def test_the_bias_is_measured_over_what_is_asked(bias_over: str, bias_gradient: str) -> None:
    """One logit at a time; the gradient by automatic differentiation of those loops."""
    torch.manual_seed(3)
    documents = [0, 0, 0, 1, 1, 2, 2, 2, 2]
    keys = torch.nn.functional.normalize(torch.randn(9, 5), dim=1)
    queries = torch.randn(9, 5, requires_grad=True)
    copy = queries.detach().clone().requires_grad_()
    unit = torch.nn.functional.normalize(copy, dim=1)
    logits = [[unit[i] @ keys[j] / 0.1 for j in range(9)] for i in range(9)]
    leads = []
    for i in range(9):
        same = [logits[i][j] for j in range(9) if documents[j] == documents[i] and j != i]
        others = [logits[i][j] for j in range(9) if documents[j] != documents[i]]
        leads.append(sum(same) / len(same) - sum(others) / len(others))
    groups = {"query": list(range(9)), "document": documents, "batch": [0] * 9}[bias_over]
    total = torch.tensor(0.0)
    for i in range(9):
        group_leads = [leads[j] for j in range(9) if groups[j] == groups[i]]
        lead = sum(group_leads) / len(group_leads)
        lead = lead.detach() if bias_gradient == "cut" else lead
        row = [logits[i][j] - (0.5 * lead if documents[j] == documents[i] and j != i else 0.0) for j in range(9)]
        total = total + torch.logsumexp(torch.stack(row), 0) - row[i]
    (total / 9).backward()
    matches = own_matches(torch.tensor(documents))
    ours = contrastive_loss(
        queries, keys, matches, temperature=0.1, mu=0.5, bias_over=bias_over, bias_gradient=bias_gradient
    )
    ours.loss.backward()
    assert ours.loss.item() == pytest.approx(total.item() / 9, rel=1e-5)
    torch.testing.assert_close(queries.grad, copy.grad, atol=1e-6, rtol=1e-4)


def test_one_sentence_or_one_document_is_refused() -> None:
    vectors = torch.randn(3, 4)
    for documents in ([0, 0, 1], [0, 0, 0]):
        with pytest.raises(ValueError, match="two documents"):
            contrastive_loss(vectors, vectors, own_matches(torch.tensor(documents)), temperature=0.1, mu=0.5)


def test_a_query_may_look_for_another_key_among_remembered_ones() -> None:
    torch.manual_seed(4)
    queries, keys = torch.randn(4, 5), torch.randn(7, 5)
    matches = Matches(torch.tensor([1, 0, 3, 2]), torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1, -1, -1, -1]))
    ours = contrastive_loss(queries, keys, matches, temperature=0.1, mu=0.0, negatives="cross-document").loss
    unit = torch.nn.functional.normalize
    expected = 0.0
    for row in range(4):
        scores = [float(unit(queries[row], dim=0) @ unit(key, dim=0)) / 0.1 for key in keys]
        strangers = [scores[key] for key in range(7) if matches.key_documents[key] != matches.query_documents[row]]
        positive = scores[int(matches.positives[row])]
        expected -= positive - math.log(sum(map(math.exp, [positive, *strangers])))
    assert ours.item() == pytest.approx(expected / 4, rel=1e-5)


def test_mu_1_makes_the_means_equal() -> None:
    torch.manual_seed(5)
    base, noise = torch.randn(3, 1, 8), torch.randn(3, 4, 8)
    vectors = (base + noise).flatten(0, 1)
    documents = torch.arange(3).repeat_interleave(4)
    contrast = contrastive_loss(vectors, vectors, own_matches(documents), temperature=0.1, mu=1.0)
    assert contrast.alpha > 0
    lead = (contrast.same_document - contrast.cross_document) / 0.1
    assert contrast.alpha.item() == pytest.approx(lead.item(), rel=1e-4)
    assert contrast.alpha_low <= contrast.alpha <= contrast.alpha_high


def test_in_batch_loss_equals_a_loop() -> None:
    torch.manual_seed(3)
    queries, passages = torch.randn(3, 4), torch.randn(6, 4)
    expected = 0.0
    for row in range(3):
        scores = [2.0 * float(queries[row] @ passage) for passage in passages]
        expected -= scores[row] - math.log(sum(map(math.exp, scores)))
    assert in_batch_loss(queries, passages, scale=2.0).item() == pytest.approx(expected / 3, rel=1e-5)


def test_token_loss_in_parts_equals_the_whole_and_so_do_its_gradients() -> None:
    torch.manual_seed(6)
    head = torch.nn.Linear(5, 11)
    states, targets = torch.randn(23, 5, requires_grad=True), torch.randint(0, 11, (23,))
    whole = torch.nn.functional.cross_entropy(head(states), targets)
    parts = token_loss(head, states, targets, rows=4)
    assert parts.item() == pytest.approx(whole.item(), rel=1e-6)
    whole_gradients = torch.autograd.grad(whole, [states, *head.parameters()])
    gradients = torch.autograd.grad(parts, [states, *head.parameters()])
    for one, other in zip(whole_gradients, gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("block", [1, 4 * 11, 10**6])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_the_gradient_beside_the_loss_is_torch_s(block: int, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "BLOCK", block)
    torch.manual_seed(6)
    states, targets, weights = torch.randn(23, 5, requires_grad=True), torch.randint(0, 11, (23,)), torch.rand(23)
    head = torch.nn.Linear(5, 11)
    head.weight.data *= size
    inputs = [states, *head.parameters()]
    whole = torch.nn.functional.cross_entropy(head(states), targets, reduction="none") @ weights
    ours = linear_token_loss(states, head.weight, head.bias, targets, weights)
    torch.testing.assert_close(ours, whole)
    torch_gradients, our_gradients = (torch.autograd.grad(3 * loss, inputs) for loss in (whole, ours))
    for one, other in zip(torch_gradients, our_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * size)


def test_the_gradient_beside_the_loss_in_bf16_and_of_frozen_pieces() -> None:
    torch.manual_seed(6)
    states, targets = torch.randn(40, 16, requires_grad=True), torch.randint(0, 11, (40,))
    pieces = torch.randn(11, 16)
    with torch.autocast("cpu", torch.bfloat16):
        ours = linear_token_loss(states, pieces, None, targets)
        whole = torch.nn.functional.cross_entropy(torch.nn.functional.linear(states, pieces).float(), targets)
    torch.testing.assert_close(ours, whole, rtol=1e-2, atol=1e-2)
    our_gradient, torch_gradient = (torch.autograd.grad(loss, states)[0] for loss in (ours, whole))
    assert torch.nn.functional.cosine_similarity(our_gradient.flatten(), torch_gradient.flatten(), 0) > 0.999
