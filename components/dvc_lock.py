"""Sets a broken lock file of DVC aside: `python -m msm.components.dvc_lock` before `dvc repro`.

DVC rewrites `.dvc/tmp/rwlock` in place, so a kill in that moment leaves it empty, and every later command of DVC stops
at it. The file only tells which commands are at work; without it, DVC starts a new one.
"""

import json
import sys
import time
from pathlib import Path

RWLOCK = Path(".dvc", "tmp", "rwlock")
MOMENT = 0.3
"""Seconds after which a running command has written the whole file."""


def set_aside(path: Path = RWLOCK) -> str:
    """Rename a lock file that DVC cannot read.

    Returns:
        One line about the renamed file; an empty text where nothing is wrong.
    """
    if not _is_broken(path):
        return ""
    time.sleep(MOMENT)
    if not _is_broken(path):
        return ""
    aside = path.with_name(f"{path.name}.broken")
    path.replace(aside)
    return f"{path}: half-written, as a kill leaves it; set aside as {aside.name}"


def _is_broken(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return True
    parts = value.items() if isinstance(value, dict) else [("", None)]
    return not all(name in ("read", "write") and isinstance(part, dict) for name, part in parts)


if __name__ == "__main__":
    if line := set_aside():
        sys.stderr.write(f"{line}\n")
