"""Prints how long functions and chains of imports are. It is a sense of proportion and stops no change."""

import ast
import statistics
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("msm", "components", "dashboards")


def function_lengths(source: str) -> dict[str, int]:
    """Name of every function to the lines of its body, without the docstring."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return {f"{node.name}:{node.lineno}": _body_lines(node) for node in functions}


def _body_lines(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def longest_chain(graph: dict[str, set[str]]) -> tuple[str, ...]:
    """The longest path through a graph of imports without circles."""

    @cache
    def chain(name: str) -> tuple[str, ...]:
        return (name, *max((chain(name_below) for name_below in sorted(graph[name])), key=len, default=()))

    return max((chain(name) for name in sorted(graph)), key=len)


def imports_of_modules() -> dict[str, set[str]]:
    """Every module to the modules of ours that it imports, packages above it aside."""
    files = {_module(path): path for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    return {name: _imported(path) & files.keys() - {name.rpartition(".")[0], "msm"} for name, path in files.items()}


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "msm" else ("msm", *parts)).removesuffix(".__init__")


def _imported(path: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    names = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    return names | {node.module for node in nodes if node.module}


def test_lengths_leave_out_the_docstring() -> None:
    source = (
        'def short():\n    """Says."""\n    return 1\n\n\ndef longer():\n    a = 1\n\n    return (\n        a\n    )\n'
    )
    assert function_lengths(source) == {"short:1": 1, "longer:6": 5}


def test_longest_chain_goes_through_the_deepest_module() -> None:
    assert longest_chain({"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}) == ("a", "b", "c")


def test_the_shape_of_the_code_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    lengths = {
        f"{path.relative_to(ROOT)} {name}": lines
        for path in files
        for name, lines in function_lengths(path.read_text(encoding="utf-8")).items()
    }
    sizes = sorted(lengths.values())
    chain = longest_chain(imports_of_modules())
    with capsys.disabled():
        print(
            f"\n{len(sizes)} functions: median {statistics.median(sizes):g} lines, "
            f"90 % up to {sizes[len(sizes) * 9 // 10]}, longest {max(lengths, key=lambda name: lengths[name])} "
            f"with {sizes[-1]}\n{len(chain)} modules in the longest chain of imports: {' > '.join(chain)}"
        )
