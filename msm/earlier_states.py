"""Training states that version 0.1.0 saved, as this version names their parts.

Weights have other names (`text.towers.0` of a bi-encoder, `places` of a document encoder), projection heads that an
objective does not use are gone, and a pooler's layer is named a second time. The order of the weights, by which the
optimiser counts its moments, is the same.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from msm import checkpoints
from msm.errors import BadInput

FORMAT = 2
"""Of the states that are written; those of version 0.1.0 bear none."""
ONE = "text.model.0.model."
TWO = {"0": "text.model.0.sub_modules.query.0.model.", "1": "text.model.0.sub_modules.document.0.model."}
"""New names of the towers of a bi-encoder: one for all texts, or that of the questions and that of the passages."""
UNUSED = "heads."


def upgraded(state: dict[str, Any], module: nn.Module, path: Path) -> dict[str, Any]:
    """A state under the names of this version.

    Args:
        state: state as any version saved it.
        module: module that is trained.
        path: folder that the state is in, named in the message.

    Raises:
        BadInput: it is of another model.
    """
    if "format" in state:
        return state
    names = _new_names(state["module"], module)
    weights = {names[name]: weight for name, weight in state["module"].items() if name in names}
    whole = {**weights, **_twins(weights, module)}
    if whole.keys() != module.state_dict().keys():
        apart = sorted(whole.keys() ^ module.state_dict().keys())
        raise BadInput(
            f"{path}: a training state of another model, which differs in {apart[0]}; remove it to begin anew"
        )
    optimizer = _optimizer(state["optimizer"], list(module.parameters()), path)
    return {**state, "format": FORMAT, "module": whole, "optimizer": optimizer}


def refuse_unclaimed(work: Path) -> None:
    """Refuse to begin anew beside a training that version 0.1.0 began: its folder has a name that this one cannot know.

    Args:
        work: scratch folder of the training that would begin.

    Raises:
        BadInput: there is such a training.
    """
    for folder in sorted(work.parent.glob("*/")):
        if folder != work and (path := checkpoints.newest(folder)) is not None:
            if "format" not in torch.load(path, map_location="cpu", weights_only=True, mmap=True):
                raise BadInput(
                    f"{folder}: a training that version 0.1.0 began; rename it to {work} to go on with it, if its "
                    "settings were the same, or remove it to begin anew"
                )


def _new_names(old: Iterable[str], module: nn.Module) -> dict[str, str]:
    """Old name to new name, of what is still used."""
    names_of_now = module.state_dict().keys()
    towers = TWO if any(name.startswith(TWO["1"]) for name in names_of_now) else {"0": ONE}
    names = {}
    for name in old:
        tower = re.match(r"text\.towers\.([01])\.", name)
        new = towers.get(tower[1], name) + name[tower.end() :] if tower else name.replace(".places.", ".positions.")
        if new in names_of_now or not new.startswith(UNUSED):
            names[name] = new
    return names


def _twins(weights: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Weights that the module names twice and the state once."""
    module_weights = module.state_dict()
    by_place = {module_weights[name].data_ptr(): weight for name, weight in weights.items() if name in module_weights}
    return {
        name: by_place[weight.data_ptr()]
        for name, weight in module_weights.items()
        if name not in weights and weight.data_ptr() in by_place
    }


def _optimizer(state: dict[str, Any], parameters: list[nn.Parameter], path: Path) -> dict[str, Any]:
    """The moments of the weights that are still used; the others stood behind them."""
    [group] = state["param_groups"]
    moments = {place: moment for place, moment in state["state"].items() if place < len(parameters)}
    for place, moment in moments.items():
        if moment["exp_avg"].shape != parameters[place].shape:
            raise BadInput(f"{path}: a training state whose optimiser does not fit the model; remove it to begin anew")
    return {"state": moments, "param_groups": [group | {"params": list(range(len(parameters)))}]}
