"""Commands in forked processes: each starts with everything imported, and may be limited, killed or break."""

import fcntl
import gc
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msm.cli.main import main

SECONDS = 600
"""Seconds after which a command that does not end is killed, which is a failure of the test."""


class ProcessEnd(NamedTuple):
    """How a command ended."""

    code: int
    """Exit code; negative for a signal."""
    stderr: str
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether it ended as every command should: no trace, and one line where it failed."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("msm: ") or "error:" in line]
        return "Traceback" not in self.stderr and self.code in CODES and (self.code in (0, 1, 4) or len(lines) >= 1)


CODES = {0, 1, 2, 3, 4, 75, 130, 141}


def run(
    words: Sequence[str],
    folder: Path,
    *,
    file_bytes: int = 0,
    seconds: float = SECONDS,
) -> ProcessEnd:
    """Run `msm WORDS` in a folder.

    Args:
        words: without `msm`.
        folder: current folder of the command.
        file_bytes: largest size of a file that it may write, past which a write fails as on a full disk; 0 for any.
        seconds: after which it is killed.
    """
    # A pipe, for a limit on the size of files holds for standard error as well.
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    clock = time.monotonic()
    process = start(words, folder, writer, file_bytes=file_bytes)
    os.close(writer)
    code = wait(process, seconds)
    os.set_blocking(reader, False)
    with os.fdopen(reader, "rb") as output:
        return ProcessEnd(code, (output.read() or b"").decode(errors="replace"), time.monotonic() - clock)


def start(
    words: Sequence[str],
    folder: Path,
    output: int,
    *,
    file_bytes: int = 0,
) -> int:
    """Start a command and return its process; see `run`.

    What it writes to standard error goes to the file `output`; its standard output is dropped.
    """
    gc.collect()
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(output, 2)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if file_bytes:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        code = _code(words)
    finally:
        os._exit(code)


def _code(words: Sequence[str]) -> int:
    try:
        main(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.flush()
    return 0


def wait(process: int, seconds: float) -> int:
    """Wait for a process and return its exit code, negative for a signal; it is killed when it takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        child, status = os.waitpid(process, os.WNOHANG)
        if child:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return -signal.SIGALRM
