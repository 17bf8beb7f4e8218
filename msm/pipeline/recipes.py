"""Recipes: one file that holds every value once, and the tasks that come of it."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.pipeline.stages import FAMILIES, STAGES, Family
from msm.settings import Settings, base_type, hints, make

RECIPES = Path("recipes")
TEMPLATE = re.compile(r"\$\{([\w.]+)\}")


class Task(NamedTuple):
    """One run of one stage, with every value resolved."""

    family: str
    stage: str
    row: str
    settings: Settings
    reads: dict[str, str]
    """Input name to folder."""
    out: str


def load(path: Path) -> dict[str, Any]:
    """Read a recipe.

    Raises:
        BadInput: no such file, or not a YAML mapping.
    """
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))) or "none"
        raise BadInput(f"{path}: no such recipe; here are: {known}")
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise BadInput(f"{path}{line}: not YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(recipe, dict):
        raise BadInput(f"{path}: a recipe is a mapping, got {type(recipe).__name__}")
    return recipe


def tasks(recipe: Mapping[str, Any], where: str) -> list[Task]:
    """Every task of a recipe, in the order of the families, but none before one that it reads.

    Args:
        recipe: as read by `load`.
        where: the recipe's file, named in messages.

    Raises:
        BadInput: a missing section or field, an unknown setting, a value out of range, two rows or benchmarks of one
            name, or rows that read each other in a circle.
    """
    found = [task for name, family in FAMILIES.items() for task in _family_tasks(name, family, recipe, where)]
    outs = [task.out for task in found]
    twice = sorted({out for out in outs if outs.count(out) > 1})
    if twice:
        raise BadInput(f"{where}: two rows write {twice[0]}")
    named: dict[str, str] = {}
    for score in (task.settings for task in found if isinstance(task.settings, Score)):
        first = named.setdefault(score.name, score.benchmark)
        if first != score.benchmark:
            raise BadInput(f"{where}: scores of {first} and {score.benchmark} would bear one name; give one another")
    return _ordered(found, where)


def _ordered(found: list[Task], where: str) -> list[Task]:
    """Every task behind those that it reads; as they were where that leaves a choice."""
    ordered: list[Task] = []
    open_tasks: list[str] = []

    def visit(task: Task) -> None:
        if task in ordered:
            return
        if task.out in open_tasks:
            raise BadInput(f"{where}: {' reads '.join([*open_tasks[open_tasks.index(task.out) :], task.out])}")
        open_tasks.append(task.out)
        for read in task.reads.values():
            for other in found:
                if other.out == read or other.out.startswith(f"{read}/"):
                    visit(other)
        open_tasks.pop()
        ordered.append(task)

    for task in found:
        visit(task)
    return ordered


def _family_tasks(name: str, family: Family, recipe: Mapping[str, Any], where: str) -> list[Task]:
    lists = [_lookup(recipe, source, where) for source in family.axes.values()]
    for source, rows in zip(family.axes.values(), lists, strict=True):
        if not isinstance(rows, list):
            raise BadInput(f"{where}: {source} must be a list, got {rows!r}")
    scopes = ({**recipe, "item": dict(zip(family.axes, rows, strict=True))} for rows in itertools.product(*lists))
    return [_task(name, family, scope, where) for scope in scopes]


def _task(name: str, family: Family, scope: Mapping[str, Any], where: str) -> Task:
    stage = fill(family.stage, scope, where)
    if stage not in STAGES:
        raise BadInput(f"{where}: unknown stage {stage!r}; here are: {', '.join(STAGES)}")
    row = fill(family.row, scope, where)
    values: dict[str, Any] = {}
    for section in family.sections:
        values |= _lookup(scope, section[2:-1], where)
    kind = STAGES[stage].settings
    types = hints(kind)
    for flag, template in family.flags.items():
        values[flag] = base_type(types[flag])(fill(template, scope, where))
    root = f"artifacts/{_lookup(scope, 'recipe', where)}"
    return Task(
        family=name,
        stage=stage,
        row=row,
        settings=make(kind, values, f"{where}: {name} {row}"),
        reads={read: f"{root}/{fill(path, scope, where)}" for read, path in family.reads.items()},
        out=f"{root}/{folder(name)}/{row}",
    )


def folder(family: str) -> str:
    """Folder of a family's outputs: BM25 scores and models of later rounds lie beside the others."""
    return "finetune" if family == "refine" else family.partition("_")[0]


def fill(template: str, scope: Mapping[str, Any], where: str) -> str:
    """Replace every `${a.b}` of a template by its value."""
    return TEMPLATE.sub(lambda match: str(_lookup(scope, match[1], where)), template)


def _lookup(scope: Mapping[str, Any], path: str, where: str) -> Any:
    value: Any = scope
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise BadInput(f"{where}: missing {path.removeprefix('item.')}")
        value = value[part]
    return value
