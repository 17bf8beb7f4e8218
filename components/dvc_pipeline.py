"""The stage table as `dvc.yaml`: one group of DVC stages per family, walked over the rows of the active recipe."""

import ast
from pathlib import Path
from typing import Any

import yaml

from msm import recipes
from msm.stages import FAMILIES, PAYLOADS, STAGES, Family

ROOT = "artifacts/${recipe}"
TEMPLATE = "cells"
"""Of the plots, in `.dvc/plots`: a bar for every cell, its whole name beside it."""
HEADER = "# Rendered from msm/stages.py by `python -m components.render`; never edited.\n"


class Dumper(yaml.SafeDumper):
    """Writes a text of several lines as it is."""


def _as_lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _as_lines)


def render() -> str:
    """The text of `dvc.yaml`."""
    stages = {name: _group(name, family) for name, family in FAMILIES.items()}
    report = f"{ROOT}/report/{FAMILIES['report'].row}/{STAGES['report'].payload}"
    whole = {
        "stages": stages,
        "metrics": [f"{report}/metrics.json"],
        "plots": [{f"{report}/scores.csv": {"x": "value", "y": "cell", "template": TEMPLATE}}],
    }
    return HEADER + yaml.dump(whole, Dumper=Dumper, sort_keys=False, width=200)


def _group(name: str, family: Family) -> dict[str, Any]:
    out = f"{ROOT}/{recipes.folder(name)}/{family.row}"
    stage: dict[str, Any] = {}
    if family.axes:
        stage["matrix"] = {axis: f"${{{rows}}}" for axis, rows in family.axes.items()}
    # On lines of their own: an empty section leaves two spaces in a row, of which `dvc.lock` loses one where it breaks
    # a long line (DVC 3.67), and the stage would never be up to date.
    stage["cmd"] = " \\\n  ".join(_lines(family, out))
    stage["deps"] = [*(_read(read, path) for read, path in family.reads.items()), *_code(family)]
    stage["outs"] = [out]
    return stage


def _lines(family: Family, out: str) -> list[str]:
    # `exec`: some shells would stay between DVC and the stage, which then would not notice that DVC is gone.
    lines = [f"exec msm run {family.stage}"]
    lines += [f"--{read} {ROOT}/{path}" for read, path in family.reads.items()]
    lines += family.sections
    lines += [f"--{flag} {value}" for flag, value in family.flags.items()]
    if not family.reads:
        lines.append("--mirror '${source.mirror}'")
    return [*lines, f"--out {out} --stop_with_parent"]


def _read(read: str, path: str) -> str:
    """The payload only: a rerun upstream that gives the same bytes disturbs nobody."""
    return f"{ROOT}/{path}/{PAYLOADS[read]}".rstrip("/")


def _code(family: Family) -> list[str]:
    names = [family.stage] if family.stage in STAGES else ["download", "world"]
    return sorted({file for name in names for file in closure(STAGES[name].run.split(":")[0])})


def closure(module: str) -> list[str]:
    """Files of `msm` that a module imports, directly or not, itself included.

    Settings are left out: their values stand in the command, and an edit of one stage's class concerns no other.
    """
    found: set[str] = set()
    waiting = [module]
    while waiting:
        path = _file(waiting.pop())
        if path is None or path.as_posix() in found or path.name == "settings.py":
            continue
        found.add(path.as_posix())
        waiting += _imports(path)
    return sorted(found)


def _file(module: str) -> Path | None:
    path = Path(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("msm"):
            names += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        elif isinstance(node, ast.Import):
            names += [name.name for name in node.names if name.name.startswith("msm")]
    return names
