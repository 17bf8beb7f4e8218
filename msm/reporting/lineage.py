"""Follows a number to its origin: the stage folders behind it, and whether they still match their manifests.

Paths in manifests are data: only their last two parts, STAGE/ROW, are used, and only below the recipe's folder.
"""

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

from msm import files
from msm.errors import BadInput
from msm.evaluation import exported
from msm.pipeline import artifacts, manifests

NAME = re.compile(r"[\w+][\w.+:@,-]*")
"""Pattern of a row's name: names of benchmarks such as `squad:tydi` and `tatoeba@deu-eng` are part of it; a path is
none."""

State = Literal["intact", "changed", "unchecked", "not here", "given"]


class Step(NamedTuple):
    """One stage behind a number."""

    name: str
    """STAGE/ROW below the recipe's folder; the path for an input that no stage made."""
    manifest: dict[str, Any]
    """Manifest of the step; empty where it is not on this machine."""
    state: State
    """`unchecked`: larger than is read; `not here`: exported without it; `given`: the user's own; else whether it
    matches."""
    problems: list[str]
    """Files that no longer match, with the reason."""


def chain(name: str, root: Path, *, largest: int) -> list[Step]:
    """Return every step behind a stage folder, sources first, itself last.

    Args:
        name: STAGE/ROW.
        root: the recipe's folder, such as `artifacts/mini`.
        largest: largest number of bytes of a payload that is read to be checked; 0 checks none.
    """
    found: dict[str, Step] = {}
    _collect(name, root, largest, found)
    return list(found.values())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a stage folder, or of a step of an export, checked for what lineage needs.

    Raises:
        BadInput: there is no manifest, it is not JSON, of a newer format, or lacks a needed field.
    """
    known = _exported_manifest(folder.parent.parent, step_name(str(folder)))
    manifest = artifacts.read_manifest(folder) if known is None else known
    path = folder / artifacts.MANIFEST
    if not isinstance(manifest, dict):
        raise BadInput(f"{path}: expected a JSON object")
    if not isinstance(manifest.get("format"), int) or manifest["format"] > manifests.FORMAT:
        told = f"format {manifest.get('format')!r}; this version reads format {manifests.FORMAT}: update it"
        raise BadInput(f"{path}: {told}")
    kinds = {"stage": str, "settings": dict, "inputs": dict, "outputs": dict, "payload": str, "facts": dict}
    for field, kind in kinds.items():
        if not isinstance(manifest.get(field), kind):
            raise BadInput(f"{path}: no usable {field!r}")
    for read, source in manifest["inputs"].items():
        if not isinstance(source, dict) or not {"path", "checksum"} <= source.keys():
            raise BadInput(f"{path}: no usable input {read!r}")
    return manifest


def has_manifest(root: Path, name: str) -> bool:
    """Return whether the manifest of a step is on this machine."""
    return (folder(root, name) / artifacts.MANIFEST).is_file() or _exported_manifest(root, name) is not None


def _exported_manifest(root: Path, name: str) -> dict[str, Any] | None:
    return exported.manifests(root).get(name)


def step_name(path: str) -> str:
    """Return STAGE/ROW of an input's path; the path itself if no stage wrote it."""
    name = "/".join(Path(path).parts[-2:])
    return name if is_step(name) else path


def is_step(name: str) -> bool:
    """Return whether a name is STAGE/ROW, and so may be looked up below a recipe's folder."""
    family, _, row = name.partition("/")
    return family in artifacts.FOLDERS and NAME.fullmatch(row) is not None


def portable(row: str) -> str:
    """Return the name of a row's folder in an export, which is checked out on file systems that take no colon."""
    return row.replace(":", ".")


def folder(root: Path, name: str) -> Path:
    """Return the folder of a step, in a recipe's artifacts or in their export."""
    path = root / name
    return path if path.is_dir() or name in exported.manifests(root) else path.with_name(portable(path.name))


def _collect(name: str, root: Path, largest: int, found: dict[str, Step]) -> None:
    if not is_step(name):
        found[name] = Step(name, {}, "given", [])
        return
    place = folder(root, name)
    if not place.is_dir() and not has_manifest(root, name):
        found[name] = Step(name, {}, "not here", [])
        return
    try:
        manifest = read_manifest(place)
    except BadInput as error:
        found[name] = Step(name, {}, "changed", [str(error)])
        return
    found[name] = Step(name, {}, "changed", ["reads itself"])
    problems = []
    for read, source in manifest["inputs"].items():
        before = step_name(source["path"])
        if before not in found:
            _collect(before, root, largest, found)
        problems += _other_input(read, source["checksum"], found[before])
    state, changed = _payload_state(place / Path(manifest["payload"]).name, manifest["outputs"], largest)
    problems += changed
    del found[name]
    found[name] = Step(name, manifest, "changed" if problems else state, problems)


def _other_input(read: str, checksum: str, step: Step) -> list[str]:
    if not step.manifest or artifacts.checksum(step.manifest["outputs"]) == checksum:
        return []
    return [f"{read}: {step.name} is not the one that was read"]


def _payload_state(payload: Path, outputs: dict[str, str], largest: int) -> tuple[State, list[str]]:
    """Compare the payload on disk with its manifest; no path out of a manifest is ever opened."""
    if not payload.is_dir():
        return "not here", []
    here = {path.relative_to(payload).as_posix(): path for path in sorted(payload.rglob("*")) if path.is_file()}
    problems = [f"{file}: missing" for file in sorted(outputs.keys() - here.keys())]
    problems += [f"{file}: not written by the stage" for file in sorted(here.keys() - outputs.keys())]
    if sum(path.stat().st_size for path in here.values()) > largest:
        return "unchecked", problems
    for file in sorted(here.keys() & outputs.keys()):
        if files.sha256_of(here[file]) != outputs[file]:
            problems.append(f"{file}: changed since it was written")
    return "intact", problems
