"""Communication of processes that train together under torchrun. With one process the functions do nothing."""

import itertools
import os
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

BUCKET_ELEMENTS = 1 << 25


def start(device: torch.device) -> None:
    """Join the group of processes, if torchrun started this process."""
    if "TORCHELASTIC_RUN_ID" in os.environ and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def barrier() -> None:
    """Wait for all processes."""
    if dist.is_initialized():
        dist.barrier()


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Add up the gradients of all processes, in buckets.

    A parameter without gradient in one process counts as zero there. A parameter without gradient in all processes
    keeps none, so that the optimiser skips it as it does with one process.
    """
    if world_size() == 1:
        return
    parameters = list(parameters)
    uses = torch.tensor([parameter.grad is not None for parameter in parameters], device=parameters[0].device).float()
    dist.all_reduce(uses)
    bucket: list[Tensor] = []
    for parameter in itertools.compress(parameters, uses.tolist()):
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
    for part, total in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
        part.copy_(total.view_as(part))


def sum_tensor(values: Tensor) -> None:
    """Add up a tensor over all processes, in place."""
    if world_size() > 1:
        dist.all_reduce(values)


def sum_values(values: dict[str, float]) -> dict[str, float]:
    """Add up numbers over all processes, key by key."""
    if world_size() == 1:
        return values
    totals = torch.tensor(list(values.values()), dtype=torch.float64)
    if dist.get_backend() == "nccl":
        totals = totals.cuda()
    dist.all_reduce(totals)
    return dict(zip(values, totals.tolist(), strict=True))


def local_rank() -> int:
    """Return the number of this process on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def gather(values: Tensor) -> Tensor:
    """Return the rows of all processes in their order, [sum M, ...]; gradients flow back to the process of a row."""
    return values if world_size() == 1 else _Gather.apply(values)


def gather_detached(values: Tensor) -> Tensor:
    """Return the rows of all processes in their order, [sum M, ...]; rows of other processes have no gradient."""
    if world_size() == 1:
        return values
    parts = _parts(values.detach())
    parts[rank()] = values
    return torch.cat(parts)


def counted_for_all(values: Tensor) -> Tensor:
    """Return the same values, whose gradient counts once for every process.

    Where every process computes the same loss, divided by the number of processes, from its own rows with a gradient
    and those of others without, the sum of their gradients is that of one process with all rows.
    """
    return values.detach() + (values - values.detach()) * world_size()


def count_before(count: int) -> int:
    """Return the sum of a number over the processes before this one."""
    return sum(gather_objects([count])[: rank()])


def gather_objects(values: list[Any]) -> list[Any]:
    """Return the entries of the lists of all processes. Only our own processes are asked, so unpickling is safe."""
    if world_size() == 1:
        return values
    lists: list[Any] = [None] * world_size()
    dist.all_gather_object(lists, values)
    return [value for part in lists for value in part]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        parts = _parts(values)
        ctx.sizes = [len(part) for part in parts]
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total.split(ctx.sizes)[rank()]


def _parts(values: Tensor) -> list[Tensor]:
    """The rows of each process, whose numbers may differ."""
    sizes = gather_objects([len(values)])
    rows = values.new_zeros(max(sizes), *values.shape[1:])
    rows[: len(values)] = values
    parts = [torch.empty_like(rows) for _ in sizes]
    dist.all_gather(parts, rows)
    return [part[:size] for part, size in zip(parts, sizes, strict=True)]
