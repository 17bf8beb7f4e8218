"""Where a tracked folder stands in DVC: its path, checksum and size, as `dvc.lock` holds them. Needs no DVC."""

import configparser
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from msm.errors import BadInput


class Pointer(NamedTuple):
    """A folder that DVC tracks."""

    path: str
    """In the project: `artifacts/RECIPE/STAGE/ROW`."""
    md5: str
    """Of the list of its files; ends in `.dir`."""
    size: int
    files: int

    def as_json(self) -> str:
        """One string, as a pipeline carries it."""
        return json.dumps(self._asdict(), sort_keys=True)


def find_pointer(path: str, root: Path) -> Pointer:
    """The pointer of a tracked output, from `dvc.lock`, from that of `pipelines/RECIPE`, or from `PATH.dvc`.

    Args:
        path: in the project, `artifacts/RECIPE/STAGE/ROW`.
        root: of the project.

    Raises:
        BadInput: DVC does not track it.
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
    """Address of the project's own remote; the local folder `.dvc/storage` until another one is configured."""
    config = configparser.ConfigParser()
    config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"])
    name = config.get("core", "remote", fallback="")
    for section in (f"'remote \"{name}\"'", f'remote "{name}"'):
        if config.has_section(section):
            url = config.get(section, "url")
            # As DVC reads it: relative to the file that says it.
            return url if "://" in url else str((root / ".dvc" / url).resolve())
    return str(root.resolve() / ".dvc" / "storage")
