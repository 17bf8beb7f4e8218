"""Pooling against sentence-transformers' own module on padded states, padded on either side."""

from typing import get_args

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor

from msm.encoders.building import POOLINGS
from msm.encoders.packed import token_states
from msm.encoders.pooling import pool
from msm.encoders.settings import Pooling as AnyPooling
from msm.encoders.settings import StatePooling
from msm.encoders.token_packing import pack
from tests.encoders.tiny_models import LENGTHS, sequences, tiny_model

WIDTH = 6


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pooling", get_args(StatePooling))
def test_vectors_equal_sentence_transformers(pooling: str, side: str) -> None:
    packed_tokens = pack(sequences())
    states = torch.randn(sum(LENGTHS), WIDTH, generator=torch.manual_seed(0))
    batch, mask = pad(states, side)
    module = Pooling(WIDTH, pooling_mode=pooling)
    theirs = module({"token_embeddings": batch, "attention_mask": mask})["sentence_embedding"]
    torch.testing.assert_close(pool(states, packed_tokens, pooling), theirs, atol=1e-6, rtol=1e-6)  # type: ignore[arg-type]


def pad(states: Tensor, side: str) -> tuple[Tensor, Tensor]:
    """States and mask of a padded batch, [S, L, H] and [S, L]; what stands at the padding is not to matter."""
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    mask = mask.flip(1) if side == "left" else mask
    batch = torch.full((*mask.shape, WIDTH), 7.0)
    batch[mask] = states
    return batch, mask.long()


def test_gradients_reach_the_tokens_that_make_the_vector() -> None:
    packed_tokens = pack(sequences((3, 2)))
    states = torch.arange(10.0).view(5, 2).requires_grad_()
    pool(states, packed_tokens, "max").sum().backward()
    assert states.grad is not None
    assert states.grad[:, 0].tolist() == [0, 0, 1, 0, 1]


def test_training_and_evaluation_know_the_same_poolings() -> None:
    assert set(get_args(AnyPooling)) == set(POOLINGS)


def test_half_precision_means_are_of_fp32() -> None:
    packed_tokens = pack([np.arange(5000)])
    states = torch.ones(5000, 2, dtype=torch.bfloat16)
    assert pool(states, packed_tokens, "mean").tolist() == [[1, 1]]
    assert token_states(tiny_model("bert").to(torch.bfloat16), pack([np.array([5])])).dtype == torch.bfloat16
