"""Checkpoints of training on disk: written whole, verified when read; the newest good one is used."""

import logging
import re
from pathlib import Path
from typing import Any

import torch

from msm import files
from msm.errors import BadInput

KEPT = 2
NAME = re.compile(r"step-(\d{9})\.pt")
log = logging.getLogger(__name__)


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state after `step` updates, and remove all but the newest two checkpoints.

    Raises:
        BadInput: the disk is full or cannot be written; older checkpoints are kept.
    """
    path = folder / f"step-{step:09d}.pt"
    try:
        with files.new_file(path, "wb") as file:
            torch.save(state, file)
        with files.new_file(_sum_file(path)) as file:
            file.write(files.sha256_of(path))
    except (OSError, RuntimeError) as error:
        path.unlink(missing_ok=True)
        last = newest(folder)
        raise BadInput(f"{path}: cannot write the checkpoint ({error}); the last good one is {last}") from error
    for old in _paths(folder)[:-KEPT]:
        old.unlink()
        _sum_file(old).unlink(missing_ok=True)
    return path


def load(folder: Path) -> dict[str, Any] | None:
    """Return the newest good state, or None. A checkpoint that differs from its checksum is skipped with a warning."""
    path = newest(folder)
    return None if path is None else torch.load(path, map_location="cpu", weights_only=True)


def remove_partial(folder: Path) -> None:
    """Remove the incomplete checkpoints of processes that were killed while they wrote."""
    for path in folder.glob(".step-*.partial"):
        path.unlink(missing_ok=True)


def newest(folder: Path) -> Path | None:
    """Return the path of the newest checkpoint that matches its checksum, or None."""
    for path in reversed(_paths(folder)):
        expected = _sum_file(path)
        if expected.is_file() and expected.read_text(encoding="utf-8") == files.sha256_of(path):
            return path
        log.warning("%s is damaged or half-written; the checkpoint before it is used", path)
    return None


def _sum_file(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*.pt") if NAME.fullmatch(path.name))
