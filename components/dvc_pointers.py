"""Reads the pointers of tracked folders, their paths, checksums and sizes, from `dvc.lock`. It needs no DVC."""

import configparser
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from msm.errors import BadInput


class Pointer(NamedTuple):
    """Pointer of a folder that DVC tracks."""

    path: str
    """Path of the folder in the project: `artifacts/RECIPE/STAGE/ROW`."""
    md5: str
    """Checksum of the list of its files, which ends in `.dir`."""
    size: int
    files: int

    def as_json(self) -> str:
        """Return the pointer as one string, which a pipeline can pass on."""
        return json.dumps(self._asdict(), sort_keys=True)


def find_pointer(path: str, root: Path) -> Pointer:
    """Find the pointer of a tracked output in `dvc.lock`, in that of `pipelines/RECIPE`, or in `PATH.dvc`.

    Args:
        path: path of the output in the project, `artifacts/RECIPE/STAGE/ROW`.
        root: root folder of the project.

    Raises:
        BadInput: DVC does not track the output.
    """
    recipe = Path(path).parts[1]
    places = (root / "dvc.lock", root / "pipelines" / recipe / "dvc.lock", root / f"{path}.dvc")
    for place in places:
        if place.is_file():
            for out in _outs(yaml.safe_load(place.read_text(encoding="utf-8"))):
                if out["path"] in (path, Path(path).name) and "md5" in out:
                    return Pointer(path, out["md5"], out.get("size", 0), out.get("nfiles", 0))
    raise BadInput(f"{path}: DVC tracks no such output; looked into {', '.join(str(place) for place in places)}")


def _outs(lock: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from lock.get("outs", [])
    for stage in lock.get("stages", {}).values():
        yield from stage.get("outs", [])


def default_remote(root: Path) -> str:
    """Return the address of the project's remote: the local folder `.dvc/storage`, unless another one is configured."""
    config = configparser.ConfigParser()
    config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"])
    name = config.get("core", "remote", fallback="")
    for section in (f"'remote \"{name}\"'", f'remote "{name}"'):
        if config.has_section(section):
            url = config.get(section, "url")
            # As DVC reads it: relative to the file that says it.
            return url if "://" in url else str((root / ".dvc" / url).resolve())
    return str(root.resolve() / ".dvc" / "storage")
