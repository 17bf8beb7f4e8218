"""Errors that end a command with one line and an exit code of their own; anything else is a bug and shows its trace."""

from pathlib import Path


class CommandError(Exception):
    """Base of the expected ends of a command; the message is one line."""

    exit_code = 1


class BadInput(CommandError, ValueError):
    """Something the user gave cannot be used; the message says what, where and which value."""

    exit_code = 2


class Diverged(CommandError):
    """Training produced a loss or a gradient that is not a number."""

    exit_code = 3


class Preempted(CommandError):
    """Asked to stop (SIGTERM) and stopped after a checkpoint; the same command goes on. 75 is EX_TEMPFAIL."""

    exit_code = 75


def bad_line(path: Path | str, line: int, problem: str) -> BadInput:
    """A `BadInput` that names the file and the line, counted from 1."""
    return BadInput(f"{path}:{line}: {problem}")
