"""A failure that no retry can mend, kept for the attempts that come after it.

Kubeflow Pipelines starts a failed task again whatever its exit code was. The first attempt that ends with a verdict
(an input that cannot be used, a loss that is no number) leaves it on the shared volume, and the attempts after it end
with the same words before they read anything. It counts within one run of the pipeline only: what is submitted again
is tried again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msm.errors import BadInput, CommandError, Diverged
from msm.files import read_json, write_json

CODES = (BadInput.exit_code, Diverged.exit_code)


class Repeated(CommandError):
    """An earlier attempt has found that this cannot work."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_id() -> str:
    """The run of the pipeline that this pod belongs to; empty outside of Kubeflow.

    A pod's name is that of its run and of its template with a hash behind it, which differs between attempts.
    """
    return os.environ.get("KFP_RUN_ID", "") or os.environ.get("KFP_POD_NAME", "").rpartition("-")[0]


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Within the block a verdict is written to `path`; one of an earlier attempt of this run ends it at once.

    Raises:
        Repeated: there is one.
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
