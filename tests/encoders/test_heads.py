"""The language-model head as a function of states, against the class's own logits."""

import pytest
import torch
from transformers import AutoModelForMaskedLM

from msm.encoders.heads import body, inner_width, language_head, split_head
from msm.encoders.packed import token_states
from msm.encoders.token_packing import pack
from tests.encoders.tiny_models import sequences, tiny_config

MASKED = "bert roberta xlm-roberta camembert distilbert electra mpnet deberta-v2 modernbert eurobert longformer".split()
"""Types with a masked-language head."""


@pytest.mark.parametrize("kind", MASKED)
def test_logits_and_gradients_equal_the_class_s_own(kind: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(tiny_config(kind)).eval()
    text = sequences((12,))
    head = language_head(model)
    logits = head(token_states(body(model), pack(text)))
    logits.square().mean().backward()
    ours = {name: weight.grad for name, weight in model.named_parameters()}
    model.zero_grad()
    theirs = model(input_ids=torch.from_numpy(text[0])[None]).logits[0]
    theirs.square().mean().backward()
    torch.testing.assert_close(logits, theirs, atol=1e-5, rtol=1e-5)
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(ours[name], weight.grad, atol=1e-5, rtol=1e-4)


def test_the_head_holds_the_model_s_weights() -> None:
    model = AutoModelForMaskedLM.from_config(tiny_config("bert"))
    head, states = language_head(model), torch.randn(3, 32)
    before = head(states)
    with torch.no_grad():
        model.get_output_embeddings().weight += 1
    assert not torch.equal(head(states), before)
    assert inner_width(model.config) == 48


@pytest.mark.parametrize("kind", MASKED)
def test_a_head_splits_into_a_transform_and_a_product_or_not_at_all(kind: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(tiny_config(kind))
    for weight in model.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    head = split_head(model)
    assert head or kind not in ("bert", "xlm-roberta", "modernbert")
    if head:
        states = torch.randn(3, 32)
        logits = torch.nn.functional.linear(head.transform(states), head.pieces, head.bias)
        torch.testing.assert_close(logits, language_head(model)(states))


def test_a_head_that_does_more_than_a_product_is_left_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoModelForMaskedLM.from_config(tiny_config("xlm-roberta")).train()
    forward = type(model.lm_head).forward
    monkeypatch.setattr(type(model.lm_head), "forward", lambda self, *states: 2 * forward(self, *states))
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    assert split_head(model) is None
    assert model.training
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
