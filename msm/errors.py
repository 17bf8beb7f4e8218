"""The one error that means "the input is wrong": it ends a command with exit code 2 and one line."""

from pathlib import Path


class BadInput(ValueError):
    """Something the user gave cannot be used; the message is one line that says what, where and which value."""


def bad_line(path: Path | str, line: int, problem: str) -> BadInput:
    """A `BadInput` that names the file and the line, counted from 1."""
    return BadInput(f"{path}:{line}: {problem}")
