"""Keeps verdicts, which are failures that no retry can mend, for the next attempts of a task.

Kubeflow Pipelines starts a failed task again whatever its exit code was. The first attempt that ends with a verdict (an
input that cannot be used, a loss that is not finite) writes it to the shared volume, and later attempts end with the
same message before they read anything. A verdict counts within one run of the pipeline; a new run tries again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msm.errors import BadInput, CommandError, Diverged
from msm.files import read_json, write_json

CODES = (BadInput.exit_code, Diverged.exit_code)


class Repeated(CommandError):
    """An earlier attempt of the same task ended with a verdict."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_id() -> str:
    """Return the id of the pipeline's run that this pod belongs to; empty outside of Kubeflow.

    The name of a pod consists of the names of its run and its template and of a hash, which differs between attempts.
    """
    return os.environ.get("KFP_RUN_ID", "") or os.environ.get("KFP_POD_NAME", "").rpartition("-")[0]


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Write a verdict that ends the block to `path`; a verdict of an earlier attempt ends the block at once.

    Raises:
        Repeated: an earlier attempt left a verdict.
    """
    run = run_id()
    if run and path.is_file() and (says := read_json(path))["run"] == run:
        raise Repeated(f"an earlier attempt of this run found: {says['message']}", says["exit_code"])
    try:
        yield
    except CommandError as error:
        _keep(path, run, str(error), error.exit_code)
        raise
    except SystemExit as end:
        _keep(path, run, "see the log of the first attempt", end.code)
        raise


def _keep(path: Path, run: str, message: str, code: object) -> None:
    if run and code in CODES:
        write_json(path, {"run": run, "message": message, "exit_code": code})
