"""Runs one stage: checks inputs, reuses finished results, writes whole folders only, and records how they were made."""

import contextlib
import dataclasses
import fcntl
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
from msm.imports import entry
from msm.pipeline import artifacts, manifests
from msm.pipeline.code import code_checksum
from msm.pipeline.here import check_settings
from msm.pipeline.places import check_device
from msm.pipeline.stages import STAGES
from msm.settings import Settings, as_values, flattened
from msm.tracking import TrackedTask, name_of, tracked

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
        name: name of the stage in the table of stages.
        settings: settings of the stage's class.
        reads: input name to a stage folder, or to a folder or file of the user's.
        out: folder to write.
        execution: execution options; `execution.work` is the parent of the scratch folder.
        notes: further fields of the manifest: the recipe and the fingerprint of a task.

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
    description = describe(name, settings, reads)
    if (finished_manifest := finished(out, description)) is not None:
        artifacts.check_unaltered(out, whole=execution.verify)
        return finished_manifest
    check_settings(settings, execution.mirror)
    for path in reads.values():
        artifacts.check_unaltered(path, whole=execution.verify)
    work = execution.work / description["identity"][:16]
    run = entry(stage.run)
    payloads = {input_name: artifacts.payload(path) for input_name, path in reads.items()}
    execution = dataclasses.replace(execution, work=work, vector_store=_store_file(execution.vector_store, description))
    if int(os.environ.get("RANK", "0")) or execution.part:
        # Another process of torchrun, or a part: it helps with the work; process 0 of the whole writes the folder.
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as empty_folder:
            run(settings, **payloads, out=Path(empty_folder), **_options(run, execution))
        return {"seconds": 0.0}
    task_facts = _watched(name, description["identity"], work.parent, notes or {})
    with _named(out), locked(out), _scratch(work), tracked(execution.log, task_facts) as tracker:
        if tracker:
            execution = dataclasses.replace(execution, on_row=tracker.row)
        start = time.monotonic()
        with artifacts.new_folder(out) as partial:
            target = partial / stage.payload
            target.mkdir()
            facts = run(settings, **payloads, out=target, **_options(run, execution))
            if (work / artifacts.LOG).is_file():
                shutil.copy(work / artifacts.LOG, partial / artifacts.LOG)
            manifest = {
                "format": manifests.FORMAT,
                "stage": name,
                **description,
                "outputs": artifacts.checksums(target),
                "files": artifacts.file_stats(target),
                "payload": stage.payload,
                "facts": facts,
                "command": shlex.join(command(name, settings, reads, out)),
                **_provenance(),
                **(notes or {}),
                "seconds": round(time.monotonic() - start, 3),
            }
            files.write_json(partial / artifacts.MANIFEST, manifest)
        if tracker:
            tracker.finish(manifest, out)
        shutil.rmtree(work, ignore_errors=True)
    return manifest


def _store_file(folder: Path | None, description: Mapping[str, Any]) -> Path | None:
    """Return the file of the model that a stage reads, in the folder of vectors; None where it reads none."""
    model = description["inputs"].get("model")
    return folder / f"{model['checksum'][:16]}.sqlite" if folder and model else None


def _watched(stage: str, identity: str, work: Path, notes: Mapping[str, Any]) -> TrackedTask:
    recipe, task = name_of(work, stage)
    recipe, task = notes.get("recipe", {}).get("recipe", recipe), notes.get("task", task)
    return TrackedTask(str(recipe), task, identity, work)


def describe(name: str, settings: Settings, reads: Mapping[str, Path]) -> dict[str, Any]:
    """Return what a result follows from: settings, checksums of inputs and code, identity of settings and inputs.

    Raises:
        BadInput: an input is missing.
    """
    stage = STAGES[name]
    values = as_values(settings)
    inputs = {
        input_name: {"path": str(path), "checksum": artifacts.payload_checksum(path)}
        for input_name, path in reads.items()
    }
    parts = {
        "stage": name,
        "settings": values,
        "inputs": {input_name: value["checksum"] for input_name, value in inputs.items()},
    }
    if stage.data:
        parts["data"] = entry(stage.data)(settings)
    return {"identity": artifacts.checksum(parts), "code": code_checksum(name), "settings": values, "inputs": inputs}


def finished(out: Path, description: Mapping[str, Any], *, any_code: bool = False) -> dict[str, Any] | None:
    """Return the manifest of a folder that holds the wanted result; None if it has to be made.

    Args:
        out: the folder.
        description: what the result follows from, as `describe` returns it.
        any_code: whether a folder that another version of the program has made is accepted.
    """
    if not (out / artifacts.MANIFEST).is_file():
        return None
    manifest = artifacts.read_manifest(out)
    is_same = manifest.get("identity") == description["identity"] and (
        any_code or manifest.get("code") == description["code"]
    )
    return manifest if is_same else None


def _options(run: Callable[..., Any], execution: Execution) -> dict[str, Execution]:
    """Return the execution options as an argument, for a stage whose function takes them."""
    return {"execution": execution} if "execution" in inspect.signature(run).parameters else {}


def _check_out(out: Path, reads: Mapping[str, Path]) -> None:
    """Refuse to replace a folder that is not an earlier output.

    Raises:
        BadInput: another folder or file would be replaced.
    """
    if out.is_symlink():
        raise BadInput(f"{out}: a link, which would be replaced; name the folder that it leads to")
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: cannot be written: a file")
    if out.is_dir() and any(out.iterdir()) and not (out / artifacts.MANIFEST).is_file():
        raise BadInput(f"{out}: holds files, but no {artifacts.MANIFEST} of a stage; take another folder for --out")
    whole = out.resolve()
    for input_name, path in reads.items():
        other = path.resolve()
        if whole == other or whole in other.parents or other in whole.parents:
            raise BadInput(f"--out {out} and --{input_name} {path}: neither may hold the other")


def command(name: str, settings: Settings, reads: Mapping[str, Path], out: Path) -> list[str]:
    """Return the words of the command that runs a stage by hand, with every value."""
    words = ["msm", "run", name]
    for input_name, path in reads.items():
        words += [f"--{input_name}", str(path)]
    for setting, value in flattened(settings).items():
        words += [f"--{setting}", str(value)]
    return [*words, "--out", str(out)]


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Lock an output folder, so that no other run writes it.

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
            for remnant in artifacts.partial_folders(out):  # of killed runs, since nobody else is at work
                shutil.rmtree(remnant, ignore_errors=True)
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
        bad_input = from_surroundings(error)
        if bad_input is None:
            raise
        raise BadInput(f"{out}: {bad_input}") from error


@contextlib.contextmanager
def _scratch(work: Path) -> Iterator[None]:
    """Make a scratch folder for the block, and remove it again if it is empty at the end."""
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
    """Return the commit of the code, with `+changes` where the tree differs; outside a checkout that of the image."""
    package = Path(__file__).parents[1]
    try:
        head = _git(package, "rev-parse", "HEAD")
        changes = _git(package, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        stamp = package / "COMMIT"
        return stamp.read_text(encoding="utf-8").strip() if stamp.is_file() else "unknown"
    return head + ("+changes" if changes else "")


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def _device() -> str:
    """Return the name of the GPU if there is one, else the processor; only a stage that loads torch can use a GPU.

    The last digits of a training on a processor depend on the number of threads, so that stands there, too.
    """
    processor = f"{platform.machine()} CPU, {os.cpu_count()} cores"
    torch = sys.modules.get("torch")
    if torch is None:
        return processor
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    threads = torch.get_num_threads()
    return f"{processor}, {threads} thread{'s' if threads > 1 else ''}"
