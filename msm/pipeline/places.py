"""Measures this machine, and how many processes a task can use of it."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from msm.errors import BadInput
from msm.finetuning.settings import Finetune
from msm.pretraining.settings import Pretrain
from msm.settings import Settings, listed

CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus(variables: Mapping[str, str] = os.environ, devices: Path = Path("/dev")) -> list[str]:
    """Return the names of the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them.

    Args:
        variables: variables of the environment; where `CUDA_VISIBLE_DEVICES` is among them, no other GPU is used.
        devices: folder of the device files, which are counted, so that torch is not loaded.
    """
    count = len(list(devices.glob("nvidia[0-9]*")))
    names = variables.get("CUDA_VISIBLE_DEVICES")
    if not count or names is None:
        return [str(number) for number in range(count)]
    return [name for name in listed(names) if name != "-1"]


def visible_gpus() -> int:
    """Return the number of GPUs that this process may use."""
    return len(gpus())


def check_device(name: str, processes: int = 0) -> None:
    """Check, without loading torch, that this machine has a device, and one for each of some processes.

    Raises:
        BadInput: the machine has fewer GPUs.
    """
    if (name == "cuda" and not gpus()) or (name == "mps" and platform.system() != "Darwin"):
        raise BadInput(f"device {name}: there is none here")
    if name != "cpu" and gpus() and processes > len(gpus()):
        raise BadInput(f"--gpus {processes}: there are {len(gpus())} here")


def total_memory() -> int:
    """Return the bytes of memory of this machine, or of the container's limit, whichever is less."""
    total, limit = _memory("MemTotal"), _number(CGROUP / "memory.max")
    return min(total, limit) if limit else total


def free_memory() -> int:
    """Return the bytes of memory that are free, of this machine or of the container's limit, whichever is less."""
    free = _memory("MemAvailable")
    limit, usage = (_number(CGROUP / name) for name in ("memory.max", "memory.current"))
    return min(free, limit - usage) if limit and usage else free


def _memory(name: str) -> int:
    """Return the bytes that the kernel reports under a name; a very large number where it reports none."""
    path = Path("/proc/meminfo")
    rows = path.read_text(encoding="ascii").splitlines() if path.is_file() else []
    return next((int(row.split()[1]) * 1024 for row in rows if row.startswith(name)), 1 << 50)


def _number(path: Path) -> int:
    text = path.read_text(encoding="ascii").strip() if path.is_file() else ""
    return int(text) if text.isdigit() else 0


def processes(settings: Settings | None, most: int) -> int:
    """Return the largest number of processes, up to `most`, that can share an update of training."""
    shares = settings.shares if isinstance(settings, Pretrain | Finetune) else 0
    return max((number for number in range(1, most + 1) if shares % number == 0), default=most)


def check_processes(settings: Settings | None, gpus: int) -> None:
    """Check that so many processes can share an update of training.

    Raises:
        BadInput: they cannot; with the number that can.
    """
    best = processes(settings, gpus)
    if gpus and best != gpus:
        raise BadInput(f"--gpus {gpus}: so many processes cannot share the softmaxes of an update; {best} can")
