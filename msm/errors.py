"""Errors that end a command with one line and an exit code. Any other error is a bug and shows its trace."""

import re
from pathlib import Path

LIBRARY_ERRORS = {
    "torch.OutOfMemoryError",
    "concurrent.futures.process.BrokenProcessPool",
    "sqlite3.OperationalError",
    "http.client.HTTPException",
    "urllib3.exceptions.HTTPError",
    "httpx.HTTPError",
}
"""Errors of disk, memory or network that are no `OSError`, by their full name, so that nothing is imported for them."""
LIBRARY_MESSAGES = re.compile(r"\(os error \d+\)|PytorchStreamWriter failed|file write failed|can't allocate memory")
"""What the messages of native code hold where disk or memory fail it."""
LONGEST_MESSAGE = 500
"""Characters of a library's message that are shown."""
INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Pattern of control characters, which may command a terminal, and of marks that turn the text around them."""


class CommandError(Exception):
    """Base of all errors that a command may end with; the message is one line."""

    exit_code = 1


class BadInput(CommandError, ValueError):
    """Input that cannot be used. The message names the input, its place and its value."""

    exit_code = 2


class Diverged(CommandError):
    """Training produced a loss or a gradient that is not finite."""

    exit_code = 3


class Differs(CommandError):
    """What was made or measured is not what was expected."""

    exit_code = 4


class Preempted(CommandError):
    """Training stopped at SIGTERM after a checkpoint; the same command resumes. The exit code 75 is EX_TEMPFAIL."""

    exit_code = 75


def visible(text: str) -> str:
    """Return a text from data in one line, without characters that change how the text around it is read."""
    return INVISIBLE.sub("", " ".join(text.split()))


def first_line(error: Exception) -> str:
    """Return the first line of the message of an error, or the name of its class where it has no message.

    A line that ends with a colon only announces what follows, so the next line is added.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])


def bad_line(path: Path | str, line: int, problem: str) -> BadInput:
    """Make a `BadInput` that names the file and the line, counted from 1."""
    return BadInput(f"{path}:{line}: {problem}")


def from_surroundings(error: BaseException) -> BadInput | None:
    """Return what a command ends with where disk, permissions, memory or network fail it; None for a bug.

    Libraries raise errors of their own in place of the system's, so the cause of an error counts as well.

    Args:
        error: any error.
    """
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        if message := _surrounding(cause):
            return BadInput(" ".join(message.split())[:LONGEST_MESSAGE])
        causes.append(cause)
        # An error within an `except` block is another error, but native code reports that of a callback so.
        cause = cause.__cause__ or (cause.__context__ if isinstance(cause, RuntimeError) else None)
    return None


def _surrounding(error: BaseException) -> str:
    """The message of an error of disk, permissions, memory or network; empty for any other."""
    text = str(error) or type(error).__name__
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error.strerror or text
    if isinstance(error, MemoryError):
        return f"not enough memory: {text}"
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return text if names & LIBRARY_ERRORS or LIBRARY_MESSAGES.search(text) else ""
