"""Finds the recipes that have scores, and tells whether files of one have changed."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msm.dashboards.folders import Folders
from msm.errors import BadInput
from msm.evaluation import exported
from msm.reporting import lineage
from msm.reporting.settings import Report
from msm.settings import make

EXPORTED = " (exported)"
FIRST = "real"
"""Recipe that is shown first where nothing was run here: a published encoder on real languages."""
DEFAULTS = {"controls": "untrained, mlm", "bootstrap": 1000, "seed": 1}
"""Settings of the report of a recipe that has no report yet."""


def recipes(folders: Folders) -> dict[str, Path]:
    """Return the label and the folder of every recipe that has scores, run here or exported."""
    roots = {}
    for folder, suffix in ((folders.artifacts, ""), (folders.results, EXPORTED)):
        for root in sorted(
            (path for path in folder.glob("*") if (path / "score").is_dir() or exported.is_exported(path)),
            key=lambda path: (path.name != FIRST, path.name),
        ):
            roots[root.name + suffix] = root
    return roots


def scores_state(root: Path) -> str:
    """Return a digest of a recipe's score folders, or of its export."""
    return state(root if exported.is_exported(root) else root / "score")


def state(folder: Path) -> str:
    """Return a digest of names, times and sizes of all files below a folder, which changes when one is written."""
    digest = hashlib.sha256()
    for line in sorted(_files(str(folder))):
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _files(folder: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:  # absent, or just removed by the stage that writes it
        return
    for entry in entries:
        if entry.is_dir():
            yield from _files(entry.path)
        elif entry.is_file():
            stat = entry.stat()
            yield f"{entry.path}\0{stat.st_mtime_ns}\0{stat.st_size}\n"


def report_settings(root: Path) -> Report:
    """Return the settings of the recipe's own report, so that the pages show the same scores."""
    values: dict[str, Any] = {"recipe": root.name, **DEFAULTS}
    exported_reports = [root / name for name in exported.manifests(root) if name.startswith("report/")]
    for path in exported_reports or sorted((root / "report").glob("[!.]*")):
        try:
            return make(Report, lineage.read_manifest(path)["settings"], str(path))
        except BadInput:
            continue
    return Report(**values)
