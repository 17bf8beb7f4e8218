"""Run one stage: check, reuse what is finished, write whole folders only, say what made them."""

import contextlib
import dataclasses
import fcntl
import importlib
import importlib.metadata
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msm import files
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import artifacts
from msm.pipeline.stages import STAGES
from msm.settings import Settings

FORMAT = 1
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
    name: str, settings: Settings, reads: Mapping[str, Path], out: Path, execution: Execution
) -> dict[str, Any]:
    """Run a stage unless its folder is finished already.

    Args:
        name: in the stage table.
        settings: of the stage's class.
        reads: input name to a stage folder, or to a folder or file of the user's.
        out: the folder to write.
        execution: `execution.work` is the parent of the scratch folder.

    Returns:
        The manifest.

    Raises:
        BadInput: an input that is missing or unusable, an `out` that holds something else or touches an input, or a
            second run of the same task at the same time.
    """
    stage = STAGES[name]
    _check_out(out, reads)
    inputs = {read: {"path": str(path), "checksum": artifacts.payload_checksum(path)} for read, path in reads.items()}
    identity = artifacts.checksum(
        {
            "stage": name,
            "settings": dataclasses.asdict(settings),
            "inputs": {read: value["checksum"] for read, value in inputs.items()},
        }
    )
    if (done := _finished(out, identity)) is not None:
        return done
    work = execution.work / identity[:16]
    module, function = stage.run.split(":")
    run = getattr(importlib.import_module(module), function)
    payloads = {read: artifacts.payload(path) for read, path in reads.items()}
    if int(os.environ.get("RANK", "0")):
        # Another process of torchrun: it helps with the work; process 0 alone writes the folder.
        with tempfile.TemporaryDirectory() as unused:
            run(settings, **payloads, out=Path(unused), execution=dataclasses.replace(execution, work=work))
        return {"seconds": 0.0}
    with _locked(work):
        started = time.monotonic()
        with artifacts.new_folder(out) as partial:
            target = partial / stage.payload
            target.mkdir()
            facts = run(settings, **payloads, out=target, execution=dataclasses.replace(execution, work=work))
            if (work / artifacts.LOG).is_file():
                shutil.copy(work / artifacts.LOG, partial / artifacts.LOG)
            manifest = {
                "format": FORMAT,
                "stage": name,
                "identity": identity,
                "settings": dataclasses.asdict(settings),
                "inputs": inputs,
                "outputs": artifacts.checksums(target),
                "payload": stage.payload,
                "facts": facts,
                "command": shlex.join(command(name, settings, reads, out)),
                **_provenance(),
                "seconds": round(time.monotonic() - started, 3),
            }
            files.write_json(partial / artifacts.MANIFEST, manifest)
        shutil.rmtree(work)
    return manifest


def _check_out(out: Path, reads: Mapping[str, Path]) -> None:
    """See that no folder but an earlier output is replaced.

    Raises:
        BadInput: it would be.
    """
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
    for setting, value in dataclasses.asdict(settings).items():
        words += [f"--{setting}", str(value)]
    return [*words, "--out", str(out)]


def _finished(out: Path, identity: str) -> dict[str, Any] | None:
    if not (out / artifacts.MANIFEST).is_file():
        return None
    manifest = artifacts.read_manifest(out)
    return manifest if manifest.get("identity") == identity else None


@contextlib.contextmanager
def _locked(work: Path) -> Iterator[None]:
    """Hold the scratch folder alone: two runs of one task would mix their checkpoints."""
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{work}: cannot be written: {error.strerror}") from error
    with (work.with_suffix(".lock")).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"{work}: another run of the same task is at work") from error
        try:
            yield
        finally:
            work.with_suffix(".lock").unlink(missing_ok=True)
            # After an error with nothing to go on from, nothing is left.
            with contextlib.suppress(OSError):
                work.rmdir()
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


def stop_with_parent() -> None:
    """End this process when the one that started it dies: a killed `dvc repro` leaves no training behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
