"""Adapters that peft saved, without their base beside them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import AutoModel

from msm.encoders.building import EncoderForm
from msm.encoders.loading import open_encoder
from msm.encoders.saving import new_encoder
from msm.encoders.usage import Usage
from msm.errors import BadInput
from msm.pipeline.artifacts import payload_checksum
from tests.encoders.tiny import TEXTS, WIDTH, checkpoint, edit

CPU = torch.device("cpu")
USAGE = Usage(pooling="mean", similarity="cosine")
WEIGHTS = "adapter_model.safetensors"


def adapters(base: Path, folder: Path) -> Path:
    """Random adapters of a bare checkpoint."""
    torch.manual_seed(1)
    config = LoraConfig(r=2, lora_alpha=4, init_lora_weights=False, target_modules="all-linear")
    get_peft_model(AutoModel.from_pretrained(base), config).save_pretrained(str(folder))  # type: ignore[arg-type]
    return folder


def test_adapters_load_onto_their_base(tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base")
    folder = adapters(base, tmp_path / "adapters")
    theirs = SentenceTransformer(modules=[Transformer(str(base)), Pooling(WIDTH, "mean"), Normalize()], device="cpu")
    plain = theirs.encode(TEXTS)
    theirs[0].model = PeftModel.from_pretrained(theirs[0].model, str(folder))  # type: ignore[union-attr]
    expected = theirs.encode(TEXTS)
    assert np.abs(plain - expected).max() > 0.01
    ours = open_encoder(folder, USAGE, device=CPU, precision="fp32")
    assert ours.describe()["attention"].value == "packed"
    np.testing.assert_allclose(ours.encode(TEXTS), expected, atol=1e-5)
    # The base may be a sentence-transformers model, whose files say how it is used.
    chain = tmp_path / "chain"
    SentenceTransformer(
        modules=[Transformer(str(base)), Pooling(WIDTH, "mean")], prompts={"query": "ra "}, device="cpu"
    ).save_pretrained(str(chain), create_model_card=False)
    edit(folder / "adapter_config.json", base_model_name_or_path=str(chain))
    ours = open_encoder(folder, device=CPU, precision="fp32")
    assert ours.describe()["query_prompt"].value == "ra "
    np.testing.assert_allclose(ours.encode(TEXTS, "passage"), expected, atol=1e-5)
    with pytest.raises(BadInput, match="adapters only; a whole model is needed here"):
        new_encoder(folder, EncoderForm("mean", "cosine", 24, 24))


def test_the_base_is_part_of_what_adapters_are(tmp_path: Path) -> None:
    base, folder = checkpoint(tmp_path / "base"), tmp_path / "adapters"
    adapters(base, folder)
    before, text = payload_checksum(folder), (base / "config.json").read_text()
    edit(base / "config.json", hidden_act="relu")
    assert payload_checksum(folder) != before
    (base / "config.json").write_text(text)
    assert payload_checksum(folder) == before


def wider(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    save_file({name: torch.cat([weight, weight]) for name, weight in weights.items()}, folder / WEIGHTS)


def fewer(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    save_file({name: weight for name, weight in weights.items() if "layer.1." not in name}, folder / WEIGHTS)


def more(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    further = {name.replace("layer.1.", "layer.7."): weight.clone() for name, weight in weights.items()}
    save_file(weights | further, folder / WEIGHTS)


def other_base(**values: Any) -> Any:
    return lambda folder: edit(folder / "adapter_config.json", **values)


BAD = {
    r"adapters of another base: .*lora_A.weight has shape \[4, 16\], not \[2, 16\]": wider,
    r"adapters of another base: there is none for .*layer\.1\.": fewer,
    r"adapters of another base: the base has no layer for .*layer\.7\.": more,
    "base_model_name_or_path 'no/such' is no folder": other_base(base_model_name_or_path="no/such"),
    "base_model_name_or_path None is no folder": other_base(base_model_name_or_path=None),
    "not a JSON object": lambda folder: (folder / "adapter_config.json").write_text("null"),
    "Target modules": other_base(target_modules=["no_such_layer"]),
    "weights in a pickle are never read": lambda folder: (folder / WEIGHTS).rename(folder / "adapter_model.bin"),
    "adapters without weights": lambda folder: (folder / WEIGHTS).unlink(),
    "not a loadable model: ": lambda folder: (folder / WEIGHTS).write_bytes(b"\x08\0\0\0\0\0\0\0{}"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize("message", BAD)
def test_adapters_that_cannot_be_used_are_one_line(message: str, base: Path, tmp_path: Path) -> None:
    folder = adapters(base, tmp_path / "adapters")
    BAD[message](folder)
    with pytest.raises(BadInput, match=message) as error:
        open_encoder(folder, USAGE, device=CPU, precision="fp32")
    assert "\n" not in str(error.value) and str(folder) in str(error.value)


def test_adapters_that_change_no_weights_are_refused(base: Path, tmp_path: Path) -> None:
    config = PromptTuningConfig(num_virtual_tokens=3, task_type="FEATURE_EXTRACTION")
    get_peft_model(AutoModel.from_pretrained(base), config).save_pretrained(str(tmp_path / "prompts"))
    with pytest.raises(BadInput, match="cannot be merged into their base"):
        open_encoder(tmp_path / "prompts", USAGE, device=CPU, precision="fp32")
