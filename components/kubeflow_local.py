"""Runs a pipeline on this machine: each task is a process, without a cluster and without containers."""

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
    """Return a name for the code in place of an image, so that a change of the code misses Kubeflow's cache."""
    folders = {package.__name__: Path(package.__path__[0]) for package in (msm, msm.components)}
    files = {f"{name}/{file}": text for name, folder in folders.items() for file, text in checksums(folder).items()}
    return f"python:{checksum({file: text for file, text in files.items() if file.endswith('.py')})[:16]}"


def run(pipeline: Callable[..., Any], root: Path) -> Path:
    """Run a pipeline. Tasks that ran before with the same settings and inputs are not run again.

    Args:
        pipeline: pipeline from `kubeflow_pipeline.build`.
        root: folder for the artifacts of all tasks.

    Returns:
        The stage folder of the report.

    Raises:
        CommandError: a task failed; its output was printed before.
    """
    warnings.filterwarnings("ignore", message=".*have no effect in the current local runner.*")
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), enable_caching=True)
    try:
        # Kubeflow prints its messages on stdout, which is for the result.
        with contextlib.redirect_stdout(sys.stderr):
            report = pipeline()
    except RuntimeError as error:
        raise CommandError(f"the pipeline stopped: {error}; run the same command to go on") from error
    return Path(report.output.path)
