"""Starts several processes of one stage with torchrun, and ends with the exit code of the process that failed first.

torchrun itself exits with code 1 for every reason. A process that ends as expected (an input that cannot be used, a
loss that is not a number, a checkpoint before a stop) therefore leaves its exit code in the error file that torchrun
names to it. The process that started torchrun reads the earliest of these codes and ends with it, so that Kubernetes or
a pipeline can tell what is worth a retry.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from msm import stopping
from msm.errors import CommandError
from msm.files import write_json

ERROR_FILE = "TORCHELASTIC_ERROR_FILE"
"""Where torchrun looks for what a process of it has to say."""
GRACE = "270"
"""Seconds that processes have to save when they are asked to stop, where the environment says nothing else."""


def is_worker() -> bool:
    """Whether this process was started by torchrun."""
    return "RANK" in os.environ and ERROR_FILE in os.environ


def run(words: Sequence[str], processes: int) -> int:
    """Run a stage's words on several processes of this machine; a request to stop is passed on, so that they save.

    Args:
        words: `msm run STAGE ...`.
        processes: number of processes on this machine; the number of machines and their meeting point come from the
            variables of Kubeflow's Trainer (PET_*), without which this machine is alone.

    Returns:
        The exit code of the process that failed first, or torchrun's own.
    """
    alone = [] if "PET_NNODES" in os.environ else ["--standalone"]
    with tempfile.TemporaryDirectory() as logs:
        start = [sys.executable, "-m", "msm.pipeline.torchrun_agent", *alone, "--nproc-per-node", str(processes)]
        together = [] if "--stop_with_parent" in words else ["--stop_with_parent"]
        environment = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": GRACE} | os.environ
        # In a session of its own, so that Ctrl-C reaches this process alone: at a second request torchrun leaves its
        # processes to themselves.
        process = subprocess.Popen(
            [*start, "--log-dir", logs, "-m", *words, *together], env=environment, start_new_session=True
        )
        requests: list[int] = []

        def stop(number: int, frame: FrameType | None) -> None:
            del frame
            if not requests:
                process.terminate()
            requests.append(number)

        with stopping.handled_by(stop):
            try:
                code = process.wait()
            except KeyboardInterrupt:
                stop(signal.SIGINT, None)
                process.wait()
                raise
        return first_exit_code(Path(logs)) or code if code else 0


def record(error: CommandError) -> None:
    """Leave the exit code of an expected end for whoever started torchrun."""
    if is_worker():
        says = {"message": str(error), "timestamp": int(time.time()), "exit_code": error.exit_code}
        write_json(Path(os.environ[ERROR_FILE]), says)


def first_exit_code(logs: Path) -> int:
    """The exit code in the earliest error file below a folder; 0 where none tells one."""
    ends = []
    for path in logs.rglob("error.json"):
        with contextlib.suppress(ValueError, OSError, KeyError, TypeError):
            says = json.loads(path.read_text(encoding="utf-8"))
            ends.append((says["timestamp"], int(says["exit_code"])))
    return min(ends, default=(0, 0))[1]
