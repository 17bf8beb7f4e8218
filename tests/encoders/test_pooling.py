"""Pooling against sentence-transformers' own module on padded states, padded on either side."""

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor

from msm.encoders.packed import token_states
from msm.encoders.packing import pack
from msm.encoders.pooling import POOLINGS, pool, pooled_states
from msm.errors import BadInput
from tests.encoders.tiny_models import LENGTHS, sequences, tiny_model

WIDTH = 6


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pooling", [name for name in POOLINGS if name != "pooler"])
def test_vectors_equal_sentence_transformers(pooling: str, side: str) -> None:
    packed = pack(sequences())
    states = torch.randn(sum(LENGTHS), WIDTH, generator=torch.manual_seed(0))
    padded, mask = pad(states, side)
    module = Pooling(WIDTH, pooling_mode=pooling)
    theirs = module({"token_embeddings": padded, "attention_mask": mask})["sentence_embedding"]
    torch.testing.assert_close(pool(states, packed, pooling), theirs, atol=1e-6, rtol=1e-6)  # type: ignore[arg-type]


def pad(states: Tensor, side: str) -> tuple[Tensor, Tensor]:
    """States and mask of a padded batch, [S, L, H] and [S, L]; what stands at the padding is not to matter."""
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    mask = mask.flip(1) if side == "left" else mask
    padded = torch.full((*mask.shape, WIDTH), 7.0)
    padded[mask] = states
    return padded, mask.long()


def test_gradients_reach_the_tokens_that_make_the_vector() -> None:
    packed = pack(sequences((3, 2)))
    states = torch.arange(10.0).view(5, 2).requires_grad_()
    pool(states, packed, "max").sum().backward()
    assert states.grad is not None
    assert states.grad[:, 0].tolist() == [0, 0, 1, 0, 1]


def test_the_pooler_reads_the_first_token() -> None:
    model, texts = tiny_model("bert"), sequences()
    ours = pooled_states(model, pack(texts), "pooler")
    alone = [model(input_ids=torch.from_numpy(text)[None]).pooler_output[0] for text in texts]
    torch.testing.assert_close(ours, torch.stack(alone), atol=1e-5, rtol=1e-5)


def test_a_model_without_a_pooler_is_refused() -> None:
    with pytest.raises(BadInput, match="DistilBertModel has no pooler"):
        pooled_states(tiny_model("distilbert"), pack([np.array([5, 6])]), "pooler")


def test_half_precision_means_are_of_fp32() -> None:
    packed = pack([np.arange(5000)])
    states = torch.ones(5000, 2, dtype=torch.bfloat16)
    assert pool(states, packed, "mean").tolist() == [[1, 1]]
    assert token_states(tiny_model("bert").to(torch.bfloat16), pack([np.array([5])])).dtype == torch.bfloat16
