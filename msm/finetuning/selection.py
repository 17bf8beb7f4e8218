"""Keeps the best weights of a training on disk, so that a killed training does not lose them."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from msm.files import read_json, write_json

LOWER_IS_BETTER = {"dev_mean_rank", "dev_loss"}
"""Scores of the development set of which the lowest is the best."""


class BestWeights:
    """The best weights so far.

    A training that resumes repeats the evaluations since its checkpoint and keeps the same weights.

    Args:
        folder: folder of `best.pt` and `best.json`.
        name: name of the score that decides; `last` keeps nothing.
        first_step: number of updates before which no weights are kept.
        patience: number of evaluations without better weights after which training stops; 0 never stops.
    """

    def __init__(self, folder: Path, name: str, first_step: int, patience: int) -> None:
        self.weights, self.note = folder / "best.pt", folder / "best.json"
        self.name, self.first_step, self.patience = name, first_step, patience

    def offer(self, step: int, numbers: dict[str, float], module: nn.Module) -> bool:
        """Keep weights if they are better than all before.

        Args:
            step: number of updates so far.
            numbers: scores of the weights on the development set, by name.
            module: module with the weights.

        Returns:
            Whether training shall stop.
        """
        if self.name == "last" or step < self.first_step:
            return False
        best = self.kept()
        value = numbers[self.name]
        if best is None or _better(self.name, value, best["value"]):
            partial = self.weights.with_suffix(".partial")
            torch.save(module.state_dict(), partial)
            partial.rename(self.weights)
            write_json(self.note, {"value": value, "step": step, "worse": []})
            return False
        if step > best["step"] and step not in best["worse"]:
            best["worse"].append(step)
            write_json(self.note, best)
        return bool(self.patience) and sum(worse_step <= step for worse_step in best["worse"]) >= self.patience

    def kept(self) -> dict[str, Any] | None:
        """Return value and step of the best weights, and the steps of worse ones since; None if none were kept."""
        return read_json(self.note) if self.note.is_file() else None

    def restore(self, module: nn.Module) -> dict[str, Any]:
        """Load the best weights into a module, if there are any.

        Returns:
            Step and score of these weights, for the manifest.
        """
        best = self.kept()
        if best is None:
            return {}
        module.load_state_dict(torch.load(self.weights, weights_only=True, map_location="cpu"))
        return {"selected_step": best["step"], f"selected_{self.name}": best["value"]}


def _better(name: str, value: float, best: float) -> bool:
    return value < best if name in LOWER_IS_BETTER else value > best
