"""Follows a score to its origin: the stage folders behind it, and whether they still match their manifests.

Paths in manifests are not trusted: only their last two parts, STAGE/ROW, are used, and only below the recipe's folder.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from msm import files
from msm.errors import BadInput
from msm.evaluation import exported
from msm.pipeline import artifacts, manifests

NAME = re.compile(r"[\w+][\w.+:@,-]*")
"""Pattern of the name of a row, which may hold the name of a benchmark such as `squad:tydi` or `tatoeba@deu-eng`. No
path fits it."""

State = Literal["intact", "changed", "unchecked", "not here", "given"]


class LineageStep(NamedTuple):
    """One stage behind a score."""

    name: str
    """Name of the step, STAGE/ROW below the recipe's folder; the path of an input that no stage made."""
    manifest: dict[str, Any]
    """Manifest of the step; empty where it is not on this machine."""
    state: State
    """State of the step's output: `unchecked` where it is too large to be read, `not here` where it was exported
    without its files, `given` where it is the user's own; else whether it matches its manifest."""
    problems: list[str]
    """Reasons why the output no longer matches, each with the name of the file."""


def chain(name: str, root: Path, *, largest: int) -> list[LineageStep]:
    """Return all steps behind a stage folder, the sources first and the folder itself last.

    Args:
        name: name of the folder, STAGE/ROW.
        root: the recipe's folder, such as `artifacts/mini`.
        largest: largest size of an output, in bytes, that is read to be checked; 0 checks no output.
    """
    steps: dict[str, LineageStep] = {}
    _collect(name, root, largest, steps)
    return list(steps.values())


def manifests_of(stage: str, steps: Iterable[LineageStep]) -> list[dict[str, Any]]:
    """Return the manifests of the steps of one stage that have one, in the order of the steps.

    Args:
        stage: name of the stage, such as `pretrain`.
        steps: steps behind a score, as `chain` returns them.
    """
    return [step.manifest for step in steps if step.name.startswith(f"{stage}/") and step.manifest]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a stage folder, or of a step of an export, and check the fields that lineage needs.

    Raises:
        BadInput: the manifest is missing, is no JSON, has a newer format, or lacks a field.
    """
    manifest_in_export = _exported_manifest(folder.parent.parent, step_name(str(folder)))
    manifest = artifacts.read_manifest(folder) if manifest_in_export is None else manifest_in_export
    path = folder / artifacts.MANIFEST
    if not isinstance(manifest, dict):
        raise BadInput(f"{path}: expected a JSON object")
    if not isinstance(manifest.get("format"), int) or manifest["format"] > manifests.FORMAT:
        reason = f"format {manifest.get('format')!r}; this version reads format {manifests.FORMAT}: update it"
        raise BadInput(f"{path}: {reason}")
    kinds = {"stage": str, "settings": dict, "inputs": dict, "outputs": dict, "payload": str, "facts": dict}
    for field, kind in kinds.items():
        if not isinstance(manifest.get(field), kind):
            raise BadInput(f"{path}: no usable {field!r}")
    for input_name, source in manifest["inputs"].items():
        if not isinstance(source, dict) or not {"path", "checksum"} <= source.keys():
            raise BadInput(f"{path}: no usable input {input_name!r}")
    return manifest


def has_manifest(root: Path, name: str) -> bool:
    """Return whether this machine has the manifest of a step."""
    return (folder(root, name) / artifacts.MANIFEST).is_file() or _exported_manifest(root, name) is not None


def _exported_manifest(root: Path, name: str) -> dict[str, Any] | None:
    return exported.manifests(root).get(name)


def step_name(path: str) -> str:
    """Return the name STAGE/ROW of an input; its path if no stage made it."""
    name = "/".join(Path(path).parts[-2:])
    return name if is_step(name) else path


def is_step(name: str) -> bool:
    """Return whether a name is STAGE/ROW, which may be looked up below a recipe's folder."""
    family, _, row = name.partition("/")
    return family in artifacts.FOLDERS and NAME.fullmatch(row) is not None


def portable(row: str) -> str:
    """Return the name of a row's folder in an export, which some file systems do not allow to hold a colon."""
    return row.replace(":", ".")


def folder(root: Path, name: str) -> Path:
    """Return the folder of a step in a recipe's artifacts or in their export."""
    path = root / name
    return path if path.is_dir() or name in exported.manifests(root) else path.with_name(portable(path.name))


def _collect(name: str, root: Path, largest: int, steps: dict[str, LineageStep]) -> None:
    if not is_step(name):
        steps[name] = LineageStep(name, {}, "given", [])
        return
    place = folder(root, name)
    if not place.is_dir() and not has_manifest(root, name):
        steps[name] = LineageStep(name, {}, "not here", [])
        return
    try:
        manifest = read_manifest(place)
    except BadInput as error:
        steps[name] = LineageStep(name, {}, "changed", [str(error)])
        return
    steps[name] = LineageStep(name, {}, "changed", ["reads itself"])
    problems = []
    for input_name, source in manifest["inputs"].items():
        before = step_name(source["path"])
        if before not in steps:
            _collect(before, root, largest, steps)
        problems += _other_input(input_name, source["checksum"], steps[before])
    state, payload_problems = _payload_state(place / Path(manifest["payload"]).name, manifest["outputs"], largest)
    problems += payload_problems
    del steps[name]
    steps[name] = LineageStep(name, manifest, "changed" if problems else state, problems)


def _other_input(input_name: str, checksum: str, step: LineageStep) -> list[str]:
    if not step.manifest or artifacts.checksum(step.manifest["outputs"]) == checksum:
        return []
    return [f"{input_name}: {step.name} is not the one that was read"]


def _payload_state(payload: Path, outputs: dict[str, str], largest: int) -> tuple[State, list[str]]:
    """Compare an output with its manifest, without opening a path that the manifest names."""
    if not payload.is_dir():
        return "not here", []
    paths = {path.relative_to(payload).as_posix(): path for path in sorted(payload.rglob("*")) if path.is_file()}
    problems = [f"{file}: missing" for file in sorted(outputs.keys() - paths.keys())]
    problems += [f"{file}: not written by the stage" for file in sorted(paths.keys() - outputs.keys())]
    if sum(path.stat().st_size for path in paths.values()) > largest:
        return "unchecked", problems
    for file in sorted(paths.keys() & outputs.keys()):
        if files.sha256_of(paths[file]) != outputs[file]:
            problems.append(f"{file}: changed since it was written")
    return "intact", problems
