"""Imports point one way, at the top of the file, and never in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for name in ("msm", "components", "dashboards") for path in (ROOT / name).rglob("*.py"))
LAYERS = [
    {"msm.errors", "msm.records", "msm.settings", "msm.execution", "msm.artifacts"},
    {"msm.stages", "msm.recipes"},
    {"msm.losses", "msm.packing", "msm.distributed", "msm.checkpoints", "msm.training", "msm.encoder"},
    {"msm.corpora"},
    {"msm.retrieval", "msm.evaluation"},
    {"msm.pretraining", "msm.finetuning"},
    {"msm.reporting"},
    {"msm.runner", "msm.recipe_command", "msm.bench"},
    {"msm.__main__"},
    {"components", "dashboards"},
]
FORBIDDEN = {"msm": {"kfp", "torchx", "dvc", "streamlit", "pandas"}, "dashboards": {"torch", "transformers"}}


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def layer(name: str) -> int | None:
    parts = name.split(".")
    prefixes = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return next((number for number, names in enumerate(LAYERS) if names & prefixes), None)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_point_down(path: Path) -> None:
    own = layer(module(path))
    for name in imports(path):
        below = layer(name)
        if own is not None and below is not None:
            assert below <= own, f"{module(path)} imports {name}"
    for package, names in FORBIDDEN.items():
        if module(path).split(".")[0] == package:
            assert not {name.split(".")[0] for name in imports(path)} & names


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_stand_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset]
    assert not inner, f"{path}:{inner[0].lineno}"


def test_there_is_no_circle() -> None:
    modules = {module(path) for path in FILES}
    graph = {module(path): imports(path) & modules for path in FILES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for following in graph[name] - {name.rsplit(".", 1)[0], "msm"}:
                visit(following, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())
