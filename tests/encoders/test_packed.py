"""Packed states of every architecture against its own padded batch."""

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel, PreTrainedModel

from msm.encoders.packed import NAME, checkpoint_layers, first_position, runs_packed, token_states
from msm.encoders.token_packing import join, pack, padded_batches
from tests.encoders.tiny_models import LENGTHS, PACKED, PADDED, padded_states, sequences, tiny_model


@pytest.mark.parametrize("kind", PACKED + PADDED)
def test_states_and_gradients_equal_the_padded_batch(kind: str) -> None:
    model, texts = tiny_model(kind), sequences()
    assert runs_packed(model) == (kind in PACKED)
    ours = token_states(model, pack(texts))
    assert (model.config._attn_implementation == NAME) == (kind in PACKED)
    weights = torch.randn(ours.shape, generator=torch.manual_seed(1))
    gradients = gradients_of(model, (ours * weights).mean())
    theirs = padded_states(model, texts)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for name, gradient in gradients_of(model, (theirs * weights).mean()).items():
        assert (gradients[name] - gradient).abs().max() < 1e-4 * max(1, gradient.abs().max()), name


def gradients_of(model: PreTrainedModel, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("kind", ["bert", "modernbert", "qwen3"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(kind: str, dtype: torch.dtype) -> None:
    model, texts = tiny_model(kind).to(dtype), sequences()
    ours, theirs = token_states(model, pack(texts)), padded_states(model, texts)
    assert ours.dtype == dtype
    assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_a_model_made_for_both_directions_looks_both_ways() -> None:
    model, texts = tiny_model("gemma3_text", use_bidirectional_attention=True), sequences()
    assert runs_packed(model)
    torch.testing.assert_close(token_states(model, pack(texts)), padded_states(model, texts), atol=1e-5, rtol=1e-5)
    causal = token_states(tiny_model("gemma3_text"), pack(texts))
    assert (causal - padded_states(model, texts)).abs().max() > 0.1


def test_dropout_hides_attention_of_its_own_sequence_only() -> None:
    model = tiny_model("bert", attention_probs_dropout_prob=0.5).train()
    texts = sequences((9, 9))
    torch.manual_seed(3)
    both = token_states(model, pack(texts))
    torch.manual_seed(3)
    again = token_states(model, pack(texts))
    torch.testing.assert_close(both, again, rtol=0, atol=0)
    other_texts = [texts[0], texts[1] + 1]
    torch.manual_seed(3)
    other = token_states(model, pack(other_texts))
    torch.testing.assert_close(both[:9], other[:9], rtol=0, atol=0)
    assert (both[9:] - other[9:]).abs().max() > 1e-3
    assert (both - token_states(model.eval(), pack(texts))).abs().max() > 1e-3


def test_a_class_that_reads_neighbours_in_its_embeddings_is_not_packed() -> None:
    assert not runs_packed(tiny_model("mobilebert", num_hidden_layers=1))


def test_the_trial_leaves_the_modes_of_a_model_alone() -> None:
    model = tiny_model("bert").train()
    model.embeddings.eval()
    modes = [module.training for module in model.modules()]
    assert runs_packed(model)
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("kind", ["bert", "deberta-v2"])
def test_token_types_reach_the_model(kind: str) -> None:
    model = tiny_model(kind, type_vocab_size=2)
    texts = sequences((6, 9))
    types = [np.array([0, 0, 0, 1, 1, 1]), np.array([0] * 4 + [1] * 5)]
    ours = token_states(model, pack(texts, types))
    alone = [
        model(input_ids=torch.from_numpy(text)[None], token_type_ids=torch.from_numpy(kinds)[None]).last_hidden_state[0]
        for text, kinds in zip(texts, types, strict=True)
    ]
    torch.testing.assert_close(ours, torch.cat(alone), atol=1e-5, rtol=1e-5)
    assert (ours - token_states(model, pack(texts))).abs().max() > 1e-3


def test_texts_longer_together_than_a_model_reads() -> None:
    model = BertModel(BertConfig(vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).eval()
    model.embeddings.token_type_ids = model.embeddings.token_type_ids[:, :40]
    texts = sequences((30, 30, 30))
    torch.testing.assert_close(token_states(model, pack(texts)), padded_states(model, texts), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "modernbert", "qwen3", "deberta-v2"])
def test_checkpointed_layers_have_equal_gradients(kind: str) -> None:
    model, texts = tiny_model(kind).train(), sequences()
    plain = gradients_of(model, token_states(model, pack(texts)).square().mean())
    checkpoint_layers(model)
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    layer = next(module for name, module in model.named_modules() if name.endswith(("layer.0", "layers.0")))
    inner = next(module for module in layer.modules() if isinstance(module, torch.nn.Linear))
    inner.register_forward_pre_hook(count)
    again = gradients_of(model, token_states(model, pack(texts)).square().mean())
    assert calls == 2 * (1 if runs_packed(model) else len(padded_batches(pack(texts)).groups))
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, atol=1e-7, rtol=1e-5)


def test_positions_of_models_like_roberta_start_behind_the_padding() -> None:
    starts = {kind: first_position(tiny_model(kind)) for kind in ("bert", "xlm-roberta", "modernbert", "mpnet")}
    assert starts == {"bert": 0, "xlm-roberta": 2, "modernbert": 0, "mpnet": 2}


def test_padded_batches_are_sorted_by_length_and_well_filled() -> None:
    lengths = np.random.default_rng(0).integers(1, 500, 200)
    layout = padded_batches(pack(sequences(tuple(lengths))))
    longest = [group.length for group in layout.groups]
    assert longest == sorted(longest)
    assert len(longest) < 20
    for group in layout.groups:
        if group.mask is not None and group.length > 64:
            assert group.mask.sum(1).min() > 0.6 * group.length


def test_joined_packings_are_the_packing_of_all() -> None:
    texts = sequences()
    types = [np.full(len(text), number % 2) for number, text in enumerate(texts)]
    union, whole = join(pack(texts[:3]), pack(texts[3:], types[3:])), pack(texts)
    assert torch.equal(union.tokens, whole.tokens)
    assert torch.equal(union.bounds, whole.bounds)
    assert union.types is not None
    assert union.types.tolist() == [0] * sum(LENGTHS[:3]) + np.concatenate(types[3:]).tolist()


def test_pack_refuses_an_empty_sequence() -> None:
    with pytest.raises(ValueError, match="empty"):
        pack([np.array([1]), np.array([], dtype=int)])
