"""Errors that end a command with one line and an exit code. Any other error is a bug and shows its trace."""

from pathlib import Path


class CommandError(Exception):
    """Base of all errors that a command may end with; the message is one line."""

    exit_code = 1


class BadInput(CommandError, ValueError):
    """Input that cannot be used. The message names the input, its place and its value."""

    exit_code = 2


class Diverged(CommandError):
    """Training produced a loss or a gradient that is not finite."""

    exit_code = 3


class Preempted(CommandError):
    """Training stopped at SIGTERM after a checkpoint; the same command resumes. The exit code 75 is EX_TEMPFAIL."""

    exit_code = 75


def bad_line(path: Path | str, line: int, problem: str) -> BadInput:
    """Make a `BadInput` that names the file and the line, counted from 1."""
    return BadInput(f"{path}:{line}: {problem}")
