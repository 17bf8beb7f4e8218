"""Compares the stage folders of a recipe with what their manifests say."""

from pathlib import Path
from typing import NamedTuple

from msm.pipeline import artifacts, recipes
from msm.pipeline.artifacts import MANIFEST
from msm.pipeline.tasks import tasks


class FolderState(NamedTuple):
    """State of the folder of one task."""

    task: str
    is_made: bool
    problems: list[str]
    """Files that were changed, are missing or new, and inputs that are not those that the task read."""


def verify(recipe: str | Path, *, quick: bool = False) -> list[FolderState]:
    """Compare all files of a recipe's tasks with their manifests, and the inputs that they name with what is there.

    Args:
        recipe: name of the recipe, such as `demo`, or its file.
        quick: take a file whose size and time are those of its manifest as unchanged; else all bytes are read.

    Returns:
        A verdict for every task, in the order of the recipe.

    Raises:
        BadInput: no such recipe, or a manifest that is no manifest.
    """
    path = recipes.find(str(recipe))
    return [_verdict(task.name, Path(task.out), quick=quick) for task in tasks(recipes.load(path), str(path))]


def _verdict(name: str, folder: Path, *, quick: bool) -> FolderState:
    if not (folder / MANIFEST).is_file():
        return FolderState(name, is_made=False, problems=[])
    problems = [f"{file}: not what its {MANIFEST} says" for file in artifacts.altered(folder, whole=not quick)]
    return FolderState(name, is_made=True, problems=problems + _other_inputs(folder))


def _other_inputs(folder: Path) -> list[str]:
    """Return the inputs that exist, but have been made anew since they were read."""
    inputs = artifacts.read_manifest(folder).get("inputs", {})
    there = {input_name: value for input_name, value in inputs.items() if Path(value["path"]).exists()}
    return [
        f"{input_name}: {value['path']} is not what was read"
        for input_name, value in there.items()
        if artifacts.payload_checksum(Path(value["path"])) != value["checksum"]
    ]
