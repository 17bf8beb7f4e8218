"""Low-rank adapters: beside each linear layer only a small product of two matrices is learned (arXiv 2106.09685).

The adapters are those of the package `peft` and are saved in its form. The model beside them has them merged in.
"""

from pathlib import Path
from typing import Any

from msm.encoders.encoder import Encoder
from msm.encoders.usage import TASKS
from msm.errors import BadInput
from msm.finetuning.settings import Finetune
from msm.imports import needed_package
from msm.settings import listed

ADAPTER = "adapter"
"""Folder of the adapters in a model folder; with two towers it holds the folders `query` and `passage`."""
ALL = "all-linear"
"""Name that stands for all linear layers in `peft`."""


def towers(encoder: Encoder) -> list[Any]:
    """Return the transformers that are trained: one, or that of the questions and that of the passages."""
    chains = [encoder.chains[side] for side in TASKS]
    models = [chain.transformer.model for chain in chains if chain is not None]
    return models if len(models) < 2 or models[0] is not models[1] else models[:1]


def add_adapters(encoder: Encoder, settings: Finetune) -> list[Any]:
    """Put adapters into the towers of an encoder, so that only they are trained.

    Args:
        encoder: encoder, which is changed in place.
        settings: settings of the stage `finetune`, whose section `lora` describes the adapters.

    Returns:
        The towers as models of `peft`; an empty list where the rank is 0.

    Raises:
        BadInput: `peft` is not installed, or no layer has a name among the targets.
    """
    if not settings.lora.rank:
        return []
    peft: Any = needed_package("peft", "train")
    config = peft.LoraConfig(
        r=settings.lora.rank, lora_alpha=settings.lora.alpha, target_modules=listed(settings.lora.targets) or ALL
    )
    try:
        return [peft.get_peft_model(tower, config) for tower in towers(encoder)]
    except ValueError as error:
        raise BadInput(f"lora_targets: {str(error).splitlines()[0]}") from error


def save_adapters(adapted_models: list[Any], folder: Path) -> None:
    """Write the adapters below a model folder, then merge them into the encoder, which is an ordinary one again."""
    names = [""] if len(adapted_models) == 1 else list(TASKS)
    for tower, name in zip(adapted_models, names, strict=False):
        tower.save_pretrained(folder / ADAPTER / name)
        tower.merge_and_unload()
