"""Run a pipeline on this machine: every task a process of its own, no cluster, no container."""

import contextlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp import local

import msm.components
from msm.errors import CommandError
from msm.pipeline.artifacts import checksum, checksums


def image() -> str:
    """Name of the "image": no container is used, but a change of the code makes another one, so that caches miss."""
    folders = {package.__name__: Path(package.__path__[0]) for package in (msm, msm.components)}
    files = {f"{name}/{file}": text for name, folder in folders.items() for file, text in checksums(folder).items()}
    return f"python:{checksum({file: text for file, text in files.items() if file.endswith('.py')})[:16]}"


def run(pipeline: Callable[..., Any], root: Path) -> Path:
    """Run it; tasks that ran before with the same settings and inputs are not run again.

    Args:
        pipeline: as `kubeflow_pipeline.build` gives it.
        root: folder for the artifacts of every task.

    Returns:
        The report's stage folder.

    Raises:
        CommandError: a task failed; its output stands above.
    """
    warnings.filterwarnings("ignore", message=".*have no effect in the current local runner.*")
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), enable_caching=True)
    try:
        # Kubeflow tells everything on stdout, which is kept for the answer.
        with contextlib.redirect_stdout(sys.stderr):
            finished = pipeline()
    except RuntimeError as error:
        raise CommandError(f"the pipeline stopped: {error}; run the same command to go on") from error
    return Path(finished.output.path)
