"""Decides from the recipe alone whether a task's result exists: no input has to exist for that."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msm.evaluation import exported
from msm.files import read_json_object
from msm.pipeline.artifacts import MANIFEST, checksum
from msm.pipeline.code import code_checksum
from msm.pipeline.recipes import Values, resolved
from msm.pipeline.runner import entry
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
    """Output folder to fingerprint of every task.

    Args:
        tasks: of a recipe, each behind those that it reads.
    """
    found: dict[str, Fingerprint] = {}
    for task in tasks:
        above = {read: found[path] for read, path in task.reads.items() if path in found}
        if task.stage == "report":
            above = {other: print_ for other, print_ in found.items() if "/score/" in other}
        stage = STAGES[task.stage]
        values = {
            "stage": task.stage,
            "settings": _counted(as_values(task.settings)),
            "data": entry(stage.data)(task.settings) if stage.data else "",
            "reads": {read: print_.values for read, print_ in above.items()},
        }
        code = {"own": code_checksum(task.stage), **{read: print_.code for read, print_ in above.items()}}
        found[task.out] = Fingerprint(checksum(values), checksum(code))
    return found


def _counted(settings: Values) -> Values:
    return {
        section: {name: one for name, one in value.items() if (name, one) not in LATER[section].items()}
        if section in LATER
        else value
        for section, value in settings.items()
    }


def notes(task: Task, made: Sequence[Task], recipe: Values) -> dict[str, Any]:
    """What a task's manifest says of the recipe that it is of: its name there, fingerprint, and the whole recipe.

    Args:
        task: the task.
        made: all tasks of the recipe.
        recipe: as read by `msm.pipeline.recipes.load`.
    """
    fingerprint = fingerprints(behind(task, made))[task.out]._asdict()
    return {"task": task.name, "fingerprint": fingerprint, "recipe": resolved(recipe)}


def is_made(folder: Path, wanted: Fingerprint, *, any_code: bool = False) -> bool:
    """Whether a folder of a stage holds a result of this fingerprint.

    Args:
        folder: of a stage.
        wanted: of the task.
        any_code: take a result that another version of the program has made.
    """
    path = folder / MANIFEST
    return path.is_file() and is_told(read_json_object(path), wanted, any_code=any_code)


def is_told(manifest: Mapping[str, Any], wanted: Fingerprint, *, any_code: bool = False) -> bool:
    """Whether a manifest is of this fingerprint; see `is_made`. Those of earlier versions have none."""
    told = manifest.get("fingerprint")
    if not isinstance(told, Mapping):
        return False
    return told.get("values") == wanted.values and (any_code or told.get("code") == wanted.code)


def exported_rows(made: Sequence[Task], results_root: Path, artifacts_root: Path) -> list[str]:
    """Names of scores that an export has as the recipe wants them, and the artifacts have not.

    A result of another version of the program is taken where neither place has one of this version.

    Args:
        made: all tasks of the recipe.
        results_root: the recipe's export, such as `results/mini`.
        artifacts_root: its folders, such as `artifacts/mini`.
    """
    prints = fingerprints(made)
    manifests = exported.manifests(results_root)
    names = []
    for task in made:
        wanted, manifest = prints[task.out], manifests.get(task.name, {})
        same_code = is_told(manifest, wanted)
        if task.stage == "score" and is_told(manifest, wanted, any_code=True):
            if not is_made(artifacts_root / task.name, wanted, any_code=not same_code):
                names.append(task.name)
    return names
