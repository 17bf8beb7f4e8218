"""Processes that train together under torchrun; with one process every function does nothing."""

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor

BUCKET_ELEMENTS = 1 << 25


def start(device: torch.device) -> None:
    """Join the group that torchrun describes, if it started this process."""
    if "TORCHELASTIC_RUN_ID" in os.environ and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def barrier() -> None:
    """Wait for all processes."""
    if dist.is_initialized():
        dist.barrier()


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Add up the gradients of all processes, in buckets; a parameter without gradient counts as zero."""
    if world_size() == 1:
        return
    bucket: list[Tensor] = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        bucket.append(parameter.grad)
        if sum(part.numel() for part in bucket) > BUCKET_ELEMENTS:
            _sum(bucket)
            bucket = []
    if bucket:
        _sum(bucket)


def _sum(parts: list[Tensor]) -> None:
    flat = torch.cat([part.flatten() for part in parts])
    dist.all_reduce(flat)
    for part, summed in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
        part.copy_(summed.view_as(part))


def sum_values(values: dict[str, float]) -> dict[str, float]:
    """Add up numbers of all processes, key by key."""
    if world_size() == 1:
        return values
    summed = torch.tensor(list(values.values()), dtype=torch.float64)
    if dist.get_backend() == "nccl":
        summed = summed.cuda()
    dist.all_reduce(summed)
    return dict(zip(values, summed.tolist(), strict=True))


def any_process(flag: bool) -> bool:
    """Whether any process says yes: all must stop at the same step."""
    return sum_values({"flag": float(flag)})["flag"] > 0


def local_rank() -> int:
    """Number of this process on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))
