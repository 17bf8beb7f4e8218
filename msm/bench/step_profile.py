"""Measures the shares of the operations in the time of a training step, and the memory that the step takes."""

import ctypes
import gc
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

PARTS: Mapping[str, tuple[str, ...]] = {
    "optimiser": ("adamw", "Optimizer"),
    "attention": ("attention",),
    "softmax and losses": ("softmax", "nll_loss", "cross_entropy", "exp", "log", "amax", "LinearTokenLoss"),
    "products": ("mm", "linear"),
    "embeddings and indices": ("embedding", "index", "gather", "scatter"),
}
"""Name of each part of a step to texts, one of which its operations' names contain; the first part that fits counts."""
REST = "rest"
MIB = 2**20


def shares(step: Callable[[], Any]) -> dict[str, float]:
    """Return the share of each part in the time of a step; they add up to 1, as no operation counts twice."""
    on_gpu = torch.cuda.is_available()
    step()
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as total:
        step()
    times = dict.fromkeys((*PARTS, REST), 0.0)
    for event in total.key_averages():
        times[_part(event.key)] += event.self_device_time_total if on_gpu else event.self_cpu_time_total
    whole = sum(times.values())
    return {part: round(time / whole, 3) for part, time in times.items()}


def _part(operation: str) -> str:
    return next((part for part, words in PARTS.items() if any(word in operation for word in words)), REST)


def peak_mib(work: Callable[[], Any]) -> int | None:
    """Return the peak memory of some work beyond what is held before, in MiB; None where it cannot be measured."""
    work()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return round((torch.cuda.max_memory_allocated() - before) / MIB)
    if sys.platform != "linux":
        return None
    # The work could take freed memory again that the C library still keeps; this would not be measured.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status("VmRSS")
    work()
    return round((_status("VmHWM") - before) / 1024)


def _status(name: str) -> int:
    """Return a value of `/proc/self/status`, such as VmHWM, in KiB."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split(f"{name}:")[1].split()[0])
