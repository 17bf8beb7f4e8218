"""Which weights are kept: the best of several looks, on disk, so that a killed training loses none."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from msm.files import read_json, write_json

LOWER_IS_BETTER = {"dev_mean_rank", "dev_loss"}


class Best:
    """The best look so far.

    A training that resumes goes over the same looks again and finds the same best.

    Args:
        folder: keeps `best.pt` and `best.json`.
        name: of the number that decides; `last` keeps nothing.
        first_step: looks after fewer updates do not count.
        patience: looks without a better one after which training stops; 0 for never.
    """

    def __init__(self, folder: Path, name: str, first_step: int, patience: int) -> None:
        self.weights, self.note = folder / "best.pt", folder / "best.json"
        self.name, self.first_step, self.patience = name, first_step, patience

    def offer(self, step: int, numbers: dict[str, float], module: nn.Module) -> bool:
        """Keep the weights if they are better than all before.

        Args:
            step: updates done.
            numbers: of a look.
            module: the weights looked at.

        Returns:
            Whether it is time to stop.
        """
        if self.name == "last" or step < self.first_step:
            return False
        kept = self.kept()
        value = numbers[self.name]
        if kept is None or _better(self.name, value, kept["value"]):
            partial = self.weights.with_suffix(".partial")
            torch.save(module.state_dict(), partial)
            partial.rename(self.weights)
            write_json(self.note, {"value": value, "step": step, "worse": []})
            return False
        if step > kept["step"] and step not in kept["worse"]:
            kept["worse"].append(step)
            write_json(self.note, kept)
        return bool(self.patience) and sum(seen <= step for seen in kept["worse"]) >= self.patience

    def kept(self) -> dict[str, Any] | None:
        """Value and step of the best look, and the steps of the looks since; None if no look counted."""
        return read_json(self.note) if self.note.is_file() else None

    def restore(self, module: nn.Module) -> dict[str, Any]:
        """Put the best weights back, if there are any.

        Returns:
            Facts for the manifest.
        """
        kept = self.kept()
        if kept is None:
            return {}
        module.load_state_dict(torch.load(self.weights, weights_only=True, map_location="cpu"))
        return {"selected_step": kept["step"], f"selected_{self.name}": kept["value"]}


def _better(name: str, value: float, best: float) -> bool:
    return value < best if name in LOWER_IS_BETTER else value > best
