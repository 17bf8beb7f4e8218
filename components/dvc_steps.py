"""Transfers tracked folders to and from a DVC remote without a checkout, for the components `dvc_get` and `dvc_put`.

Keys and the address of an S3 service come from the environment variables of AWS.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

from msm.components.dvc_pointers import Pointer
from msm.components.kubeflow_artifacts import metadata
from msm.errors import CommandError

TRACKED = "tracked"
"""Name of the folder inside the temporary repository."""


def get(pointer: Pointer, remote: str, target: Path) -> None:
    """Fetch a tracked folder.

    Args:
        pointer: pointer of the folder.
        remote: address of the remote, such as `s3://bucket/folder` or a path.
        target: path that the folder gets.

    Raises:
        CommandError: the remote does not hold the folder, or cannot be reached.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _passing(remote, target.parent) as repo, _told(f"{pointer.path} from {remote}"):
        folder = Path(repo.root_dir)
        (folder / f"{TRACKED}.dvc").write_text(_entry(pointer), encoding="utf-8")
        repo.pull(targets=[str(folder / f"{TRACKED}.dvc")])
        shutil.rmtree(target, ignore_errors=True)
        (folder / TRACKED).rename(target)


def put(folder: Path, path: str, remote: str) -> Pointer:
    """Push a folder, without a copy on the way.

    Args:
        folder: folder to push.
        path: path of the pointer, `artifacts/RECIPE/STAGE/ROW`.
        remote: address of the remote.

    Returns:
        Pointer of the folder.

    Raises:
        CommandError: the remote cannot be reached or written.
    """
    with tempfile.TemporaryDirectory() as scratch, _passing(remote, Path(scratch)) as repo:
        with _told(f"{path} to {remote}"):
            repo.add([str(folder.resolve())], out=str(Path(repo.root_dir) / TRACKED), to_remote=True)
        (out,) = yaml.safe_load((Path(repo.root_dir) / f"{TRACKED}.dvc").read_text(encoding="utf-8"))["outs"]
    return Pointer(path, out["md5"], out["size"], out["nfiles"])


def unpushed(pointer: Pointer, remote: str, cache: Path) -> list[str]:
    """Return the files of a tracked folder that the remote does not hold.

    Args:
        pointer: pointer of the folder.
        remote: address of the remote.
        cache: DVC's cache, `.dvc/cache`, which knows the files of the folder.
    """
    with tempfile.TemporaryDirectory() as scratch, _passing(remote, Path(scratch), cache) as repo:
        file = Path(repo.root_dir) / f"{TRACKED}.dvc"
        file.write_text(_entry(pointer), encoding="utf-8")
        with _told(f"{pointer.path} in {remote}"):
            if not repo.cloud.get_remote_odb(name="store").exists(pointer.md5):
                return [pointer.path]
            states = repo.status(targets=[str(file)], cloud=True)
    return sorted(name for name, state in states.items() if state in ("new", "missing"))


def fetch(name: str, pointer: str, remote: str, out: Any) -> None:
    """Fetch a tracked stage folder as an artifact; the components `dvc_get_*` call this.

    Args:
        name: name of the task for the lineage, FAMILY/ROW.
        pointer: a `Pointer` as JSON.
        remote: address of the remote.
        out: artifact to write.
    """
    fields = Pointer(**json.loads(pointer))
    get(fields, remote, Path(out.path))
    out.metadata.update(metadata(Path(out.path), name), dvc={**fields._asdict(), "remote": remote})


def store(path: str, remote: str, folder: Any) -> str:
    """Push an artifact, and return its `Pointer` as JSON; the components `dvc_put_*` call this.

    Args:
        path: path of the pointer, `artifacts/RECIPE/STAGE/ROW`.
        remote: address of the remote.
        folder: artifact to push.
    """
    return put(Path(folder.path), path, remote).as_json()


def _entry(pointer: Pointer) -> str:
    """Return the text of a `.dvc` file in the temporary repository."""
    out = {"md5": pointer.md5, "size": pointer.size, "nfiles": pointer.files, "hash": "md5", "path": TRACKED}
    return yaml.safe_dump({"outs": [out]})


@contextmanager
def _passing(remote: str, parent: Path, cache: Path | None = None) -> Iterator[Any]:
    """Make a temporary repository without git for one transfer, on the file system of the target."""
    logging.getLogger("dvc").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".dvc-") as folder:
        repo: Any = Repo.init(folder, no_scm=True)
        with repo.config.edit() as config:
            config["remote"]["store"] = {"url": remote if "://" in remote else str(Path(remote).resolve())}
            config["core"].update({"remote": "store", "analytics": False, "check_update": False})
            config["cache"]["type"] = ["hardlink", "copy"]
            if cache is not None:
                config["cache"]["dir"] = str(cache.resolve())
        repo.close()
        repository = Repo(folder)
        try:
            yield repository
        finally:
            repository.close()


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (DvcException, OSError) as error:
        raise CommandError(f"DVC: {what}: {str(error).splitlines()[0]}") from error
