"""Stage folders: a payload and the manifest that says what made it; written whole or not at all.

A finished stage folder holds `manifest.json`, the payload folder named in it, and `log.jsonl` where the
stage trained something. Downstream stages read the payload only, so a rerun that gives the same bytes
disturbs nobody.
"""

import contextlib
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msm.errors import BadInput
from msm.files import check_below, read_json, read_json_object, sha256_of, write_json
from msm.pipeline.manifests import FORMAT, upgrade

MANIFEST = "manifest.json"
LOG = "log.jsonl"
FOLDERS = (
    "sources",
    "documents",
    "tokenizer",
    "units",
    "encoder",
    "pretrain",
    "finetune",
    "mine",
    "retrieve",
    "lexical",
    "fuse",
    "score",
    "report",
)
"""Folders of a recipe; each holds one folder for every row."""
ADAPTER = "adapter_config.json"
"""File of the package `peft` beside adapters; it names the model that they belong to."""
OPTIONAL_FIELDS: dict[str, Any] = {
    **dict.fromkeys(("stage", "command"), ""),
    **dict.fromkeys(("commit", "device"), "unknown"),
    **{name: {} for name in ("settings", "inputs", "outputs", "facts", "versions", "files")},
}
"""Fields of a manifest that some lack, and what stands for them."""
SETTLED_SECONDS = 2.0
"""Age from which a file is taken to be written to the end."""


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `folder`, by relative path, in sorted order."""
    return {name: sha256_of(folder / name) for name in file_names(folder)}


def file_names(folder: Path) -> list[str]:
    """Return the relative paths of all finished files below `folder`, in sorted order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not is_partial(path))
    return [path.relative_to(folder).as_posix() for path in files]


def remembered_checksums(folder: Path, memory: Path) -> dict[str, str]:
    """Return `checksums`, without reading files again whose size, time and inode have not changed.

    Args:
        folder: folder of many or large files.
        memory: JSON file that keeps the checksums of files anywhere; without it, everything is read.
    """
    remembered_rows: dict[str, list[Any]] = read_json_object(memory) if memory.is_file() else {}
    checksums_by_name, settled_rows = {}, {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, stat = str(path.absolute()), path.stat()
        sign = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        row = remembered_rows.get(name, [])
        row = row if row[:-1] == sign else [*sign, sha256_of(path)]
        checksums_by_name[path.relative_to(folder).as_posix()] = row[-1]
        # A younger file could be written to once more within the same tick of the file system's clock.
        if time.time() - stat.st_mtime > SETTLED_SECONDS:
            settled_rows[name] = row
    if any(remembered_rows.get(name) != row for name, row in settled_rows.items()):
        with contextlib.suppress(OSError):  # where nothing may be written, everything is read each time
            write_json(memory, remembered_rows | settled_rows)
    return checksums_by_name


def file_stats(folder: Path) -> dict[str, list[int]]:
    """Return the size in bytes and the time of change in nanoseconds of every file below `folder`, by relative path."""
    stats = {name: (folder / name).stat() for name in file_names(folder)}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def checksum(parts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a finished stage folder, in the newest format.

    Raises:
        BadInput: there is none, it is not JSON, of a newer format, or no manifest.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BadInput(f"{folder}: not a finished stage folder (no {MANIFEST})")
    manifest = {**OPTIONAL_FIELDS, **upgrade(read_json_object(path))}
    if isinstance(format_number := manifest.get("format"), int) and format_number > FORMAT:
        raise BadInput(f"{path}: format {format_number}; this version reads format {FORMAT}: update it")
    for name, value in {**OPTIONAL_FIELDS, "payload": ""}.items():
        if not isinstance(manifest.get(name), type(value)):
            raise BadInput(f"{path}: no manifest of a stage: {name} is {manifest.get(name)!r:.60}")
    for name, checksum_of in manifest["outputs"].items():
        if not isinstance(checksum_of, str):
            raise BadInput(f"{path}: no manifest of a stage: outputs: {name} is {checksum_of!r:.60}")
        check_below(name, path)
    for name, value in manifest["inputs"].items():
        if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("path", "checksum")):
            raise BadInput(f"{path}: no manifest of a stage: inputs: {name} is {value!r:.60}")
    check_below(manifest["payload"], path)
    return manifest


def payload(folder: Path) -> Path:
    """Return what a stage reads of an input: the payload of a stage folder, or a folder that no stage made.

    Raises:
        BadInput: the folder does not exist.
    """
    if not folder.exists():
        raise BadInput(f"{folder}: no such folder; run the stage that writes it first")
    if (folder / MANIFEST).is_file():
        return folder / str(read_manifest(folder)["payload"])
    return folder


def payload_checksum(folder: Path) -> str:
    """Identity of what a stage reads: from the manifests where there are any, else from the bytes.

    Args:
        folder: folder of a stage, with a manifest; of several stages, each with one; or of a user's files.
    """
    if (folder / MANIFEST).is_file():
        return checksum(read_manifest(folder)["outputs"])
    rows = {path.parent.name: read_manifest(path.parent) for path in sorted(folder.glob(f"[!.]*/{MANIFEST}"))}
    if rows:
        return checksum({name: manifest["outputs"] for name, manifest in rows.items()})
    files = checksums(payload(folder))
    base = base_of_adapters(payload(folder))
    return checksum(files | {"base": checksums(base)} if base else files)


def base_of_adapters(folder: Path) -> Path | None:
    """Return the folder of the model that adapters belong to; None for other folders, and where it is not there.

    Args:
        folder: folder of files as the package `peft` saves them.
    """
    try:
        name = read_json(folder / ADAPTER)["base_model_name_or_path"]
        return Path(name) if Path(name).is_dir() else None
    except (BadInput, LookupError, TypeError):
        return None


def is_partial(path: Path) -> bool:
    """Return whether a file or folder bears the temporary name of one that is being written."""
    return path.name.startswith(".") and path.suffix == ".partial"


def partial_folders(target: Path) -> list[Path]:
    """The folders under temporary names that are to become `target`, or that killed processes left."""
    return sorted(target.parent.glob(f".{glob.escape(target.name)}.*partial"))


def _is_left(partial: Path) -> bool:
    """Whether the process of this machine that wrote a folder has ended."""
    owner = re.fullmatch(rf".*\.{re.escape(platform.node())}-(\d+)\.partial", partial.name)
    return owner is not None and not _is_alive(int(owner[1]))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return process != os.getpid()


def altered(folder: Path, *, whole: bool = False) -> list[str]:
    """Return the names of the files of a stage folder that are not what its manifest says: changed, missing or new.

    A file of the size and time that the manifest tells is taken to be unchanged; any other is read.

    Args:
        folder: folder of a stage, or of several stages; a folder without a manifest has nothing to differ from.
        whole: whether all files are read.
    """
    if not (folder / MANIFEST).is_file():
        inner = [path.parent for path in sorted(folder.glob(f"[!.]*/{MANIFEST}"))]
        return [f"{path.name}/{name}" for path in inner for name in altered(path, whole=whole)]
    manifest = read_manifest(folder)
    outputs: dict[str, str] = manifest["outputs"]
    stats_of_manifest: dict[str, list[int]] = {} if whole else manifest["files"]
    payload_folder = folder / str(manifest["payload"])
    stats = file_stats(payload_folder)
    return sorted(
        name
        for name in outputs.keys() | stats.keys()
        if name not in stats
        or name not in outputs
        or (stats_of_manifest.get(name) != stats[name] and sha256_of(payload_folder / name) != outputs[name])
    )


def check_unaltered(folder: Path, *, whole: bool = False) -> None:
    """Refuse an input that is not what the stage that made it wrote; see `altered`.

    Raises:
        BadInput: a file differs; the message names the first one.
    """
    if names := altered(folder, whole=whole):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise BadInput(f"{folder}: {names[0]}{more}: not what its {MANIFEST} says; remove the folder to make it again")


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill; it takes the name `target` only when the block ends without an error.

    Its temporary name tells the machine and the process that write it. What killed processes of this machine left is
    removed.
    """
    for remnant in partial_folders(target):
        if _is_left(remnant):
            shutil.rmtree(remnant, ignore_errors=True)
    partial = target.with_name(f".{target.name}.{platform.node()}-{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)
