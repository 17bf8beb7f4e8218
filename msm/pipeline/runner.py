"""Runs one stage: checks inputs, reuses finished results, writes whole folders only, and records how they were made."""

import contextlib
import dataclasses
import fcntl
import importlib
import importlib.metadata
import inspect
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msm import files
from msm.errors import BadInput, CommandError, from_surroundings
from msm.execution import Execution, read_part
from msm.pipeline import artifacts, manifests
from msm.pipeline.code import code_checksum
from msm.pipeline.here import check_settings
from msm.pipeline.places import check_device
from msm.pipeline.stages import STAGES
from msm.settings import Settings, as_values, flattened
from msm.tracking import Watched, name_of, tracked

PACKAGES = (
    "msm-bench",
    "torch",
    "transformers",
    "sentence-transformers",
    "tokenizers",
    "sentencepiece",
    "sentencex",
    "numpy",
    "faiss-cpu",
    "bm25s",
)


def run_stage(
    name: str,
    settings: Settings,
    reads: Mapping[str, Path],
    out: Path,
    execution: Execution,
    notes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run a stage unless its folder is finished already.

    Args:
        name: in the stage table.
        settings: of the stage's class.
        reads: input name to a stage folder, or to a folder or file of the user's.
        out: the folder to write.
        execution: `execution.work` is the parent of the scratch folder.
        notes: kept in the manifest: the recipe and the fingerprint of a task.

    Returns:
        The manifest.

    Raises:
        BadInput: an input that is missing or unusable, an `out` that holds something else or touches an input, or a
            second run of the same task at the same time.
    """
    stage = STAGES[name]
    _check_out(out, reads)
    check_device(execution.device)
    if read_part(execution.part) and not stage.splits:
        raise BadInput(f"--part {execution.part}: the stage {name} is not split into parts")
    told = describe(name, settings, reads)
    if (done := finished(out, told)) is not None:
        return done
    check_settings(settings, execution.mirror)
    for path in reads.values():
        artifacts.check_unaltered(path, whole=execution.verify)
    work = execution.work / told["identity"][:16]
    run = entry(stage.run)
    payloads = {read: artifacts.payload(path) for read, path in reads.items()}
    execution = dataclasses.replace(execution, work=work, vector_store=_store_file(execution.vector_store, told))
    if int(os.environ.get("RANK", "0")) or execution.part:
        # Another process of torchrun, or a part: it helps with the work; process 0 of the whole writes the folder.
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as unused:
            run(settings, **payloads, out=Path(unused), **_options(run, execution))
        return {"seconds": 0.0}
    watched = _watched(name, told["identity"], work.parent, notes or {})
    with _named(out), locked(out), _scratch(work), tracked(execution.log, watched) as tracker:
        if tracker:
            execution = dataclasses.replace(execution, on_row=tracker.row)
        started = time.monotonic()
        with artifacts.new_folder(out) as partial:
            target = partial / stage.payload
            target.mkdir()
            facts = run(settings, **payloads, out=target, **_options(run, execution))
            if (work / artifacts.LOG).is_file():
                shutil.copy(work / artifacts.LOG, partial / artifacts.LOG)
            manifest = {
                "format": manifests.FORMAT,
                "stage": name,
                **told,
                "outputs": artifacts.checksums(target),
                "files": artifacts.file_stats(target),
                "payload": stage.payload,
                "facts": facts,
                "command": shlex.join(command(name, settings, reads, out)),
                **_provenance(),
                **(notes or {}),
                "seconds": round(time.monotonic() - started, 3),
            }
            files.write_json(partial / artifacts.MANIFEST, manifest)
        if tracker:
            tracker.finish(manifest, out)
        shutil.rmtree(work, ignore_errors=True)
    return manifest


def _store_file(folder: Path | None, told: Mapping[str, Any]) -> Path | None:
    """The file of the model that a stage reads, in the folder of vectors."""
    model = told["inputs"].get("model")
    return folder / f"{model['checksum'][:16]}.sqlite" if folder and model else None


def _watched(stage: str, identity: str, work: Path, notes: Mapping[str, Any]) -> Watched:
    recipe, task = name_of(work, stage)
    recipe, task = notes.get("recipe", {}).get("recipe", recipe), notes.get("task", task)
    return Watched(str(recipe), task, identity, work)


def describe(name: str, settings: Settings, reads: Mapping[str, Path]) -> dict[str, Any]:
    """What a result follows from: settings, checksums of inputs and code, and the identity of settings and inputs.

    Raises:
        BadInput: an input is missing.
    """
    stage = STAGES[name]
    values = as_values(settings)
    inputs = {read: {"path": str(path), "checksum": artifacts.payload_checksum(path)} for read, path in reads.items()}
    parts = {"stage": name, "settings": values, "inputs": {read: value["checksum"] for read, value in inputs.items()}}
    if stage.data:
        parts["data"] = entry(stage.data)(settings)
    return {"identity": artifacts.checksum(parts), "code": code_checksum(name), "settings": values, "inputs": inputs}


def finished(out: Path, told: Mapping[str, Any], *, any_code: bool = False) -> dict[str, Any] | None:
    """The manifest of a folder that holds what would be made; None if it has to be made.

    Args:
        out: the folder.
        told: by `describe`.
        any_code: take a folder that another version of the program has made.
    """
    if not (out / artifacts.MANIFEST).is_file():
        return None
    manifest = artifacts.read_manifest(out)
    same = manifest.get("identity") == told["identity"] and (any_code or manifest.get("code") == told["code"])
    return manifest if same else None


def entry(name: str) -> Callable[..., Any]:
    """The function behind `module:function`."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


def _options(run: Callable[..., Any], execution: Execution) -> dict[str, Execution]:
    """The execution options, for a stage whose function takes them."""
    return {"execution": execution} if "execution" in inspect.signature(run).parameters else {}


def _check_out(out: Path, reads: Mapping[str, Path]) -> None:
    """See that no folder but an earlier output is replaced.

    Raises:
        BadInput: it would be.
    """
    if out.is_symlink():
        raise BadInput(f"{out}: a link, which would be replaced; name the folder that it leads to")
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: cannot be written: a file")
    if out.is_dir() and any(out.iterdir()) and not (out / artifacts.MANIFEST).is_file():
        raise BadInput(f"{out}: holds files, but no {artifacts.MANIFEST} of a stage; take another folder for --out")
    whole = out.resolve()
    for read, path in reads.items():
        other = path.resolve()
        if whole == other or whole in other.parents or other in whole.parents:
            raise BadInput(f"--out {out} and --{read} {path}: neither may hold the other")


def command(name: str, settings: Settings, reads: Mapping[str, Path], out: Path) -> list[str]:
    """The words that run a stage by hand, every value spelled out."""
    words = ["msm", "run", name]
    for read, path in reads.items():
        words += [f"--{read}", str(path)]
    for setting, value in flattened(settings).items():
        words += [f"--{setting}", str(value)]
    return [*words, "--out", str(out)]


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold an output folder alone.

    Raises:
        BadInput: another run is at work on it, or its parent cannot be written.
    """
    lock = out.with_name(f".{out.name}.lock")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise BadInput(f"{out.parent}: cannot be written: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between opening and locking, another run may have ended and taken the file away.
            is_ours = lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat())
        except BlockingIOError:
            is_ours = False
        if not is_ours:
            raise BadInput(f"{out}: another run is at work on it")
        try:
            for left in artifacts.partial_folders(out):  # of killed runs, since nobody else is at work
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            lock.unlink(missing_ok=True)


@contextlib.contextmanager
def _named(out: Path) -> Iterator[None]:
    """Within the block, an error of disk or memory says which stage it fails: few of them name a file."""
    try:
        yield
    except CommandError:
        raise
    except Exception as error:
        expected = from_surroundings(error)
        if expected is None:
            raise
        raise BadInput(f"{out}: {expected}") from error


@contextlib.contextmanager
def _scratch(work: Path) -> Iterator[None]:
    """A scratch folder; after an error with nothing to go on from, nothing of it is left."""
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{work}: cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            work.rmdir()
        with contextlib.suppress(OSError):
            work.parent.rmdir()


def _provenance() -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **versions},
        "device": _device(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def _commit() -> str:
    """The commit of the code, `+changes` where the working tree differs; outside a checkout the one of the image."""
    here = Path(__file__).parents[1]
    try:
        head = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        stamp = here / "COMMIT"
        return stamp.read_text(encoding="utf-8").strip() if stamp.is_file() else "unknown"
    return head + ("+changes" if changed else "")


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def _device() -> str:
    """GPU name where a stage used one, else the processor; torch is asked only if the stage has loaded it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"
