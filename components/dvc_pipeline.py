"""The stage table as `dvc.yaml`: one group of DVC stages per family, walked over the rows of the active recipe."""

import ast
from pathlib import Path
from typing import Any

import yaml

from msm.pipeline import recipes
from msm.pipeline.stages import FAMILIES, PAYLOADS, STAGES, Family

ROOT = "artifacts/${recipe}"
TEMPLATE = "cells"
"""Of the plots, in `.dvc/plots`: a bar for every cell, its whole name beside it."""
HEADER = "# Rendered from msm/pipeline/stages.py by `python -m components.render`; never edited.\n"


def render() -> str:
    """The text of `dvc.yaml`."""
    stages = {name: _group(name, family) for name, family in FAMILIES.items()}
    report = f"{ROOT}/report/{FAMILIES['report'].row}/{STAGES['report'].payload}"
    whole = {
        "stages": stages,
        "metrics": [f"{report}/metrics.json"],
        "plots": [{f"{report}/scores.csv": {"x": "value", "y": "cell", "template": TEMPLATE}}],
    }
    return HEADER + yaml.safe_dump(whole, sort_keys=False, width=200)


def _group(name: str, family: Family) -> dict[str, Any]:
    out = f"{ROOT}/{recipes.folder(name)}/{family.row}"
    stage: dict[str, Any] = {}
    if family.axes:
        stage["matrix"] = {axis: f"${{{rows}}}" for axis, rows in family.axes.items()}
    # The comment says which row runs, and makes `dvc.lock` quote the command: of two spaces in a row, which an empty
    # section leaves, it would lose one where it breaks a long plain line (DVC 3.67), and the stage stay out of date.
    stage["cmd"] = f"{' '.join(_words(family, out))} # {recipes.folder(name)}/{family.row}"
    stage["deps"] = [*(_read(read, path) for read, path in family.reads.items()), *_code(family)]
    stage["outs"] = [out]
    return stage


def _words(family: Family, out: str) -> list[str]:
    # `exec`: some shells would stay between DVC and the stage, which then would not notice that DVC is gone.
    words = ["exec", "msm", "run", family.stage]
    words += [f"--{read} {ROOT}/{path}" for read, path in family.reads.items()]
    words += family.sections
    words += [f"--{flag} {value}" for flag, value in family.flags.items()]
    if not family.reads:
        words.append("--mirror '${source.mirror}'")
    return [*words, f"--out {out}", "--stop_with_parent"]


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
