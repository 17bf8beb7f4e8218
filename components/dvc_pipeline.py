"""Renders the tasks of a recipe as `dvc.yaml`: one stage for each task, with the keys of the recipe that it reads."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from msm.imports import entry
from msm.pipeline.artifacts import checksum
from msm.pipeline.code import code_checksum
from msm.pipeline.recipes import Values, holders, layers
from msm.pipeline.stages import PAYLOADS, STAGES
from msm.pipeline.tasks import Task

Layers = Sequence[tuple[Path, Values]]
TEMPLATE = "cells"
"""Name of the template in `.dvc/plots` that draws a bar, with its whole name, for every value."""
HEADER = "# The tasks of {recipe} for DVC, rendered by {command}; never edited.\n"
CODE = "code.json"
"""File name of the checksums of code and of the user's files that a recipe names, which DVC does not track."""


def render(path: Path, all_tasks: Sequence[Task], *, wdir: str = "", mirror: str = "", command: str = "") -> str:
    """Return the text of a `dvc.yaml`.

    Args:
        path: path of the recipe.
        all_tasks: tasks of the recipe.
        wdir: path from the folder of the file to the project's root; empty where both are the same.
        mirror: folder with a copy of the public files; empty for none.
        command: command that renders the file again.
    """
    root = "/".join(all_tasks[0].out.split("/")[:2])
    stages = {"code": _code_stage(path, root)}
    files = layers(path)
    stages |= {stage_name(task): _stage(task, files, root, mirror) for task in all_tasks}
    if wdir:
        stages = {name: {"wdir": wdir, **stage} for name, stage in stages.items()}
    report = "/".join(part for part in (wdir, f"{root}/report/all/report") if part)
    plots = [{f"{report}/scores.csv": {"x": "value", "y": "cell", "template": TEMPLATE}}]
    header = HEADER.format(recipe=path, command=command or f"`msm recipe {path.stem} --dvc`")
    return header + "".join(
        yaml.safe_dump({name: value}, sort_keys=False, width=118, default_flow_style=None)
        for name, value in (("stages", stages), ("metrics", [f"{report}/metrics.json"]), ("plots", plots))
    )


def stage_name(task: Task) -> str:
    """Return the name of a task in DVC: its own name, as far as DVC allows it."""
    return re.sub(r"[^\w-]", "_", task.name.replace("/", "-"))


def _code_stage(path: Path, root: str) -> dict[str, Any]:
    cmd = f"exec msm recipe {path} --code {root}/{CODE}"
    return {"cmd": cmd, "always_changed": True, "outs": [f"{root}/{CODE}"]}


def _stage(task: Task, files: Layers, root: str, mirror: str) -> dict[str, Any]:
    # `exec`: some shells would stay between DVC and the task, which then would not notice that DVC is gone.
    words = ["exec", "msm", "run", task.name, "--recipe", str(files[0][0]), "--stop_with_parent"]
    if mirror and not task.reads:
        words += ["--mirror", mirror]
    # Only the payload is an input, so that a repeated stage with the same bytes makes nothing stale.
    deps = [f"{folder}/{PAYLOADS[input_name]}".rstrip("/") for input_name, folder in task.reads.items()]
    return {
        "cmd": " ".join(words),
        **({"deps": deps} if deps else {}),
        "params": [*_keys(task, files), {f"{root}/{CODE}": [task.stage]}],
        # DVC keeps the folder, so that a task finds its finished result and does nothing.
        "outs": [{task.out: {"persist": True}}],
    }


def _keys(task: Task, files: Layers) -> list[dict[str, list[str]]]:
    """Return the keys of the recipe that a task reads, by file; a section that is read whole is one key."""
    by_file: dict[Path, list[str]] = {}
    for key in task.keys:
        for file, name in holders(files, key):
            by_file.setdefault(file, []).append(name)
    keys_of_file = dict(files)
    return [{str(file): _joined(keys, keys_of_file[file])} for file, keys in by_file.items()]


def _joined(keys: Sequence[str], recipe: Mapping[str, Any]) -> list[str]:
    parts: dict[str, None] = {}
    for key in keys:
        section = key.rpartition(".")[0]
        fields = _value(recipe, section)
        whole = isinstance(fields, Mapping) and all(f"{section}.{field}" in keys for field in fields)
        parts[section if whole else key] = None
    return list(parts)


def _value(recipe: Mapping[str, Any], key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):
        value = value[part] if isinstance(value, Mapping) else None
    return value


def code_json(all_tasks: Sequence[Task]) -> str:
    """Return a JSON object of one checksum for each stage, of its code and of the user's files that its tasks name."""
    checksums: dict[str, Any] = {}
    for task in all_tasks:
        stage = STAGES[task.stage]
        data = entry(stage.data)(task.settings) if stage.data else ""
        checksums[task.stage] = checksum({"code": code_checksum(task.stage), "data": data})
    return json.dumps(checksums, indent=1, sort_keys=True) + "\n"
