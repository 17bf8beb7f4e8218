"""The packed forward pass against the Hugging Face one."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, RobertaConfig, XLMRobertaConfig

from msm.encoders.packing import pack
from msm.encoders.start import pool, token_states

SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 70,
}


@pytest.mark.parametrize("config", [XLMRobertaConfig, RobertaConfig, BertConfig])
def test_packed_states_equal_the_padded_forward(config: type) -> None:
    torch.manual_seed(0)
    model = AutoModel.from_config(config(**SIZES, pad_token_id=1)).eval()
    random = np.random.default_rng(0)
    sequences = [random.integers(5, 100, size=length) for length in (3, 40, 7, 7, 8, 64, 1, 17)]
    packed = pack(sequences)
    padded = torch.full((len(sequences), 64), 1)
    for row, sequence in enumerate(sequences):
        padded[row, : len(sequence)] = torch.from_numpy(sequence)
    with torch.no_grad():
        ours = token_states(model, packed)
        theirs = model(input_ids=padded, attention_mask=(padded != 1).long()).last_hidden_state
    for row, sequence in enumerate(sequences):
        torch.testing.assert_close(ours[packed.owners == row], theirs[row, : len(sequence)], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(pool(ours, packed, "cls")[row], theirs[row, 0], atol=1e-5, rtol=1e-4)
        mean = theirs[row, : len(sequence)].mean(0)
        torch.testing.assert_close(pool(ours, packed, "mean")[row], mean, atol=1e-5, rtol=1e-4)


def test_pack_refuses_an_empty_sequence() -> None:
    with pytest.raises(ValueError, match="empty"):
        pack([np.array([1]), np.array([], dtype=int)])
