"""Reads folders that hold adapters only, as the package `peft` saves them, and merges them into their base model."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer

from msm.encoders.model_files import adapter_base, is_adapter, refuse_pickles
from msm.errors import BadInput
from msm.imports import needed_package
from msm.pipeline.artifacts import ADAPTER

WEIGHTS = "adapter_model.safetensors"


def base_of(folder: Path) -> Path:
    """Return the folder of the base model of some adapters, or the folder itself where it holds a model.

    Raises:
        BadInput: the adapters have no weights or pickled ones, or their base is not a local folder.
    """
    if not is_adapter(folder):
        return folder
    refuse_pickles(folder)
    if not (folder / WEIGHTS).is_file():
        raise BadInput(f"{folder}: adapters without weights; there is no {WEIGHTS}")
    return adapter_base(folder)


def merge_adapters(model: SentenceTransformer, folder: Path) -> None:
    """Merge adapters into the transformer of their base, which is an ordinary model afterwards.

    Args:
        model: base model; changed in place.
        folder: folder of the adapters.

    Raises:
        BadInput: peft is not installed, the adapters are of another base, or of a kind that cannot be merged.
    """
    peft: Any = needed_package("peft", "train")
    towers = [module for module in model.modules() if isinstance(module, Transformer)]
    if len(towers) != 1:
        raise BadInput(f"{folder}: the base has {len(towers)} transformers; adapters are merged into one")
    adapted_model = peft.get_peft_model(towers[0].model, peft.PeftConfig.from_pretrained(str(folder)))
    if not hasattr(adapted_model.base_model, "merge_and_unload"):
        raise BadInput(
            f"{folder / ADAPTER}: adapters of type {adapted_model.peft_type} cannot be merged into their base"
        )
    weights = load_file(folder / WEIGHTS)
    adapter_weights = peft.get_peft_model_state_dict(adapted_model, save_embedding_layers=False)
    if names := sorted(weights.keys() ^ adapter_weights.keys()):
        place = "the base has no layer for" if names[0] in weights else "there is none for"
        raise BadInput(f"{folder}: adapters of another base: {place} {names[0]}")
    for name, weight in sorted(adapter_weights.items()):
        if weight.shape != weights[name].shape:
            shapes = f"{list(weights[name].shape)}, not {list(weight.shape)}"
            raise BadInput(f"{folder}: adapters of another base: {name} has shape {shapes}")
    peft.set_peft_model_state_dict(adapted_model, weights)
    adapted_model.merge_and_unload()
