"""Decides from the recipe alone whether a task's result exists: no input has to exist for that."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msm.evaluation import exported
from msm.files import read_json_object
from msm.imports import entry
from msm.pipeline.artifacts import MANIFEST, checksum
from msm.pipeline.code import code_checksum
from msm.pipeline.recipes import Values, resolved
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import Task, behind
from msm.settings import as_values

LATER: Mapping[str, Mapping[str, Any]] = {"selection": {"dev_other_negatives": 0}}
"""Settings of a section that came after results had been exported, with the value that does what was done before. At
that value they are no part of a fingerprint, so that exported rows go on to count."""


class Fingerprint(NamedTuple):
    """Two checksums of a task and of everything behind it."""

    values: str
    """Stages, settings and the user's own files."""
    code: str


def fingerprints(tasks: Iterable[Task]) -> dict[str, Fingerprint]:
    """Return the fingerprint of every task, by its output folder.

    Args:
        tasks: tasks of a recipe, each behind those that it reads.
    """
    prints: dict[str, Fingerprint] = {}
    for task in tasks:
        above = {input_name: prints[path] for input_name, path in task.reads.items() if path in prints}
        if task.stage == "report":
            above = {other: print_ for other, print_ in prints.items() if "/score/" in other}
        stage = STAGES[task.stage]
        values = {
            "stage": task.stage,
            "settings": _counted(as_values(task.settings)),
            "data": entry(stage.data)(task.settings) if stage.data else "",
            "reads": {input_name: print_.values for input_name, print_ in above.items()},
        }
        code = {"own": code_checksum(task.stage), **{input_name: print_.code for input_name, print_ in above.items()}}
        prints[task.out] = Fingerprint(checksum(values), checksum(code))
    return prints


def _counted(settings: Values) -> Values:
    return {
        section: {name: setting for name, setting in value.items() if (name, setting) not in LATER[section].items()}
        if section in LATER
        else value
        for section, value in settings.items()
    }


def notes(task: Task, all_tasks: Sequence[Task], recipe: Values) -> dict[str, Any]:
    """Return what a task's manifest says of its recipe: the task's name there, its fingerprint, and the whole recipe.

    Args:
        task: the task.
        all_tasks: all tasks of the recipe.
        recipe: the recipe as `msm.pipeline.recipes.load` reads it.
    """
    fingerprint = fingerprints(behind(task, all_tasks))[task.out]._asdict()
    return {"task": task.name, "fingerprint": fingerprint, "recipe": resolved(recipe)}


def is_made(folder: Path, fingerprint: Fingerprint, *, any_code: bool = False) -> bool:
    """Return whether a folder of a stage holds a result of this fingerprint.

    Args:
        folder: folder of a stage.
        fingerprint: fingerprint of the task.
        any_code: whether a result that another version of the program has made is accepted.
    """
    path = folder / MANIFEST
    return path.is_file() and is_told(read_json_object(path), fingerprint, any_code=any_code)


def is_told(manifest: Mapping[str, Any], fingerprint: Fingerprint, *, any_code: bool = False) -> bool:
    """Return whether a manifest has this fingerprint; see `is_made`. Manifests of earlier versions have none."""
    record = manifest.get("fingerprint")
    if not isinstance(record, Mapping):
        return False
    return record.get("values") == fingerprint.values and (any_code or record.get("code") == fingerprint.code)


def exported_rows(all_tasks: Sequence[Task], results_root: Path, artifacts_root: Path) -> list[str]:
    """Return the names of scores that an export has as the recipe wants them, and the artifacts have not.

    A result of another version of the program is taken where neither place has one of this version.

    Args:
        all_tasks: all tasks of the recipe.
        results_root: the recipe's export, such as `results/mini`.
        artifacts_root: folder of the recipe's artifacts, such as `artifacts/mini`.
    """
    prints = fingerprints(all_tasks)
    manifests = exported.manifests(results_root)
    names = []
    for task in all_tasks:
        fingerprint, manifest = prints[task.out], manifests.get(task.name, {})
        same_code = is_told(manifest, fingerprint)
        if task.stage == "score" and is_told(manifest, fingerprint, any_code=True):
            if not is_made(artifacts_root / task.name, fingerprint, any_code=not same_code):
                names.append(task.name)
    return names
