"""Chooses the precision of an encoder: `auto` becomes bf16 where the hardware has units for it."""

import functools
import sys
from pathlib import Path
from typing import Literal, cast

import torch

from msm.encoders.usage import PRECISIONS
from msm.errors import BadInput
from msm.training import pick_device

CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Flags of processors with units for bf16; the last one is ARM's. Without such units bf16 is several times slower."""
Precision = Literal["fp32", "bf16"]


def resolve_precision(precision: str, device: torch.device) -> Precision:
    """Return the precision for a device, `fp32` or `bf16`.

    Args:
        precision: `auto`, `fp32` or `bf16`.
        device: device of the model.

    Raises:
        BadInput: the word is none of these.
    """
    if precision not in PRECISIONS:
        raise BadInput(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "bf16" and device.type == "cpu" and not has_bf16(device):
        sys.stderr.write("bf16 on a processor without units for it (avx512_bf16, amx_bf16) is slower than fp32\n")
    if precision != "auto":
        return cast(Precision, precision)
    return "bf16" if has_bf16(device) else "fp32"


def resolve_on(precision: str, device: str) -> Precision:
    """Resolve a precision on a device that is given by its name; see `resolve_precision`."""
    return resolve_precision(precision, pick_device(device))


def has_bf16(device: torch.device) -> bool:
    """Return whether a device computes bf16 faster than fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and bool(CPU_FLAGS & cpu_flags())


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Return the flags of the processor as Linux lists them; empty on other systems."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(flags.partition(":")[2].split())
