"""Prints how long functions are. It is a sense of proportion and stops no change."""

import ast
import statistics
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


def test_lengths_leave_out_the_docstring() -> None:
    source = (
        'def short():\n    """Says."""\n    return 1\n\n\ndef longer():\n    a = 1\n\n    return (\n        a\n    )\n'
    )
    assert function_lengths(source) == {"short:1": 1, "longer:6": 5}


def test_the_shape_of_the_code_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    lengths = {
        f"{path.relative_to(ROOT)} {name}": lines
        for path in files
        for name, lines in function_lengths(path.read_text(encoding="utf-8")).items()
    }
    sizes = sorted(lengths.values())
    with capsys.disabled():
        print(
            f"\n{len(sizes)} functions: median {statistics.median(sizes):g} lines, "
            f"90 % up to {sizes[len(sizes) * 9 // 10]}, longest {max(lengths, key=lambda name: lengths[name])} "
            f"with {sizes[-1]}"
        )
