"""Computes one checksum of a stage's code and of the package's data that it reads.

The code is the import closure of the stage's module within `msm`, without docstrings, blank lines and lines that are a
comment: they change no result.
"""

import ast
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msm
from msm.files import sha256_of
from msm.pipeline.stages import STAGES

ROOT = Path(msm.__file__).parent
OWN_CHECK = ("sources.json",)
"""Data files of which a stage reads some entries only; `msm.corpora.fetch.identity` is about those."""


class Module(NamedTuple):
    """One file of the package."""

    checksum: str
    """Checksum of its code."""
    imports: tuple[str, ...]
    """Names of modules of `msm`, and of things in them."""
    data: tuple[Path, ...]
    """Files of the package that it reads."""


@cache
def code_checksum(stage: str) -> str:
    """Return the SHA-256 of all code behind a stage; it is the same on every machine with the same program."""
    parts = []
    for path in closure(STAGES[stage].run.partition(":")[0]):
        module = _module(path)
        parts.append(f"{path.relative_to(ROOT).as_posix()} {module.checksum}")
        parts += [f"{file.relative_to(ROOT).as_posix()} {sha256_of(file)}" for file in module.data]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def closure(name: str) -> list[Path]:
    """Return the files of the package that a module imports, directly or not, itself included; sorted."""
    paths: set[Path] = set()
    queue = [name]
    while queue:
        path = _file(queue.pop())
        if path is not None and path not in paths:
            paths.add(path)
            queue += _module(path).imports
    return sorted(paths)


@cache
def _file(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split(".")[1:])
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _module(path: Path) -> Module:
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, changed_at: int) -> Module:
    del changed_at
    text = path.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(text)))
    code = hashlib.sha256(_code(text, nodes).encode()).hexdigest()
    return Module(code, tuple(_imports(nodes)), tuple(_data(path, nodes)))


def _code(text: str, nodes: Sequence[ast.AST]) -> str:
    """Return a program's text without docstrings, blank lines and lines that are a comment."""
    lines = text.splitlines()
    inside: set[int] = set()
    for node in nodes:
        match node:
            case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=int(last)):
                lines[first - 1 : last] = [""] * (last - first + 1)
            case ast.Constant(value=str(), lineno=first, end_lineno=int(last)):
                inside |= set(range(first, last))
    code_lines = (line for row, line in enumerate(lines) if row in inside or not line.lstrip().startswith("#"))
    return "\n".join(line.rstrip() for line in code_lines if line.strip())


def _imports(nodes: Sequence[ast.AST]) -> list[str]:
    names = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "msm":
            names += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        elif isinstance(node, ast.Import):
            names += [name.name for name in node.names if name.name.partition(".")[0] == "msm"]
    return names


def _data(path: Path, nodes: Sequence[ast.AST]) -> list[Path]:
    """Return the data files beside a module whose names stand in it, and those of a folder of its own name."""
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    beside = [file for file in path.parent.iterdir() if file.suffix in (".json", ".csv") and file.name in texts]
    folder = path.with_suffix("")
    own_files = [file for file in folder.iterdir() if file.suffix in (".json", ".csv")] if folder.is_dir() else []
    return sorted(file for file in (*beside, *own_files) if file.name not in OWN_CHECK)
