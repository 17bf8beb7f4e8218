"""Checkpoints that load, and those that are refused in one line."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModel,
    BartConfig,
    BartModel,
    PreTrainedModel,
    T5ForConditionalGeneration,
)

from msm.encoders.heads import body
from msm.encoders.packed import token_states
from msm.encoders.start_checkpoints import load_masked
from msm.encoders.token_packing import pack
from msm.errors import BadInput
from msm.files import read_json
from tests.encoders.tiny_models import HALVES, PACKED, PADDED, sequences, tiny_config, tiny_model


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A bare BERT of two layers."""
    tiny_model("bert", num_hidden_layers=2).save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def load_bare(folder: Path) -> PreTrainedModel:
    return body(load_masked(folder))


def edit(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("kind", PACKED + PADDED)
def test_every_type_loads_with_its_weights(kind: str, tmp_path: Path) -> None:
    model, texts = tiny_model(kind), sequences()
    expected = token_states(model, pack(texts))
    model.save_pretrained(tmp_path)
    assert "msm_packed" not in (tmp_path / "config.json").read_text()
    copy = load_bare(tmp_path)
    assert type(copy) is type(model)
    torch.testing.assert_close(token_states(copy, pack(texts)), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", HALVES)
def test_the_encoder_is_taken_of_an_encoder_decoder(kind: str, tmp_path: Path) -> None:
    whole = T5ForConditionalGeneration(tiny_config("t5"))
    whole.save_pretrained(tmp_path)
    config = read_json(tmp_path / "config.json")
    edit(tmp_path, "config.json", json.dumps(config | {"model_type": kind}))
    encoder = load_bare(tmp_path)
    assert isinstance(encoder, HALVES[kind])
    text = sequences((9,))
    theirs = whole.encoder(input_ids=torch.from_numpy(text[0])[None]).last_hidden_state[0]
    torch.testing.assert_close(token_states(encoder, pack(text)), theirs, atol=1e-5, rtol=1e-5)


def test_other_encoder_decoders_are_refused(tmp_path: Path) -> None:
    config = BartConfig(vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1)
    config.encoder_attention_heads = config.decoder_attention_heads = 2
    BartModel(config).save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="bart is an encoder-decoder; encoders are taken of mt5, t5, t5gemma, umt5 only"):
        load_bare(tmp_path)


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.trace,)  # type: ignore[return-value]


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_is_never_unpickled(bert: Path, tmp_path: Path, writer: str) -> None:
    trace = tmp_path / "trace"
    (bert / "model.safetensors").unlink()
    with (bert / "pytorch_model.bin").open("wb") as file:
        (pickle.dump if writer == "pickle" else torch.save)({"weight": Trap(trace)}, file)
    with pytest.raises(BadInput, match="a pickle of more than tensors, which is never read"):
        load_bare(bert)
    assert not trace.exists()


def test_weights_that_torch_wrote_load_without_unpickling(bert: Path) -> None:
    weights = load_file(bert / "model.safetensors")
    (bert / "model.safetensors").unlink()
    torch.save(weights, bert / "pytorch_model.bin")
    assert torch.equal(load_bare(bert).embeddings.word_embeddings.weight, weights["embeddings.word_embeddings.weight"])


def test_attention_dropout_is_taken_away_from_the_layers_and_not_from_the_files(tmp_path: Path) -> None:
    AutoModel.from_config(tiny_config("distilbert", attention_dropout=0.2)).save_pretrained(tmp_path)
    model = load_masked(tmp_path, attention_dropout=0.0)
    assert all(module.p == 0 for name, module in model.named_modules() if name.endswith("attention.dropout"))
    assert model.config.attention_dropout == 0.2
