"""The training loop of pre-training and fine-tuning.

Batches are functions of (seed, step), so resuming needs nothing but weights, optimiser and the step.
"""

import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from msm import checkpoints, distributed, earlier_states, files, stopping
from msm.errors import BadInput, Diverged, Preempted
from msm.execution import Execution
from msm.pipeline import artifacts

COSINE_START = 0.1
"""Share of the learning rate at which the warm-up of the cosine schedule begins (arXiv 2409.12737)."""


class TrainingTask(Protocol):
    """The task of a training, as the loop sees it: a module and its losses."""

    @property
    def module(self) -> nn.Module:
        """Module that holds all weights."""
        ...

    def micro_losses(self, step: int) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """Yield the losses of this process in a step, each divided by the number of losses over all processes.

        Each loss comes with numbers to log, which are divided in the same way; `tokens` and other counts are not.
        """
        ...

    def describe(self, step: int) -> str:
        """Describe the batch of a step, for the message when training diverges."""
        ...

    def after(self, step: int) -> dict[str, float]:
        """Return further numbers to log; process 0 calls it after each update.

        A number `stop` above 0 ends training after this step.
        """
        ...


@dataclass(frozen=True)
class Plan:
    """The course of a training: number of updates, learning rates, and settings of AdamW."""

    steps: int
    learning_rate: float
    warmup_steps: int
    schedule: str
    """Shape of the learning rate over time: `linear` or `cosine`."""
    schedule_steps: int
    """Number of the update at which the learning rate reaches 0; 0 for the last one."""
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    clip: float
    """Largest norm of the gradient; 0 for no limit."""
    checkpoint_steps: int
    head_steps: int = 0
    """Number of updates before the warm-up that have a learning rate of their own."""
    head_learning_rate: float = 0.0
    """Learning rate of these updates."""

    def rate(self, step: int) -> float:
        """Return the learning rate of an update, counted from 0: that of the heads, the warm-up, then the decay."""
        if step < self.head_steps:
            return self.head_learning_rate
        return self._scheduled(step - self.head_steps)

    def _scheduled(self, step: int) -> float:
        cosine = self.schedule == "cosine"
        if step < self.warmup_steps:
            warm_share = COSINE_START + (1 - COSINE_START) * step / self.warmup_steps
            return self.learning_rate * (warm_share if cosine else (step + 1) / self.warmup_steps)
        end = (self.schedule_steps or self.steps) - self.head_steps
        remaining_share = max(0.0, (end - step) / max(1, end - self.warmup_steps))
        return self.learning_rate * ((1 - math.cos(math.pi * remaining_share)) / 2 if cosine else remaining_share)


def pick_device(name: str) -> torch.device:
    """Return a device by its name; `auto` takes the GPU of this process where there is one.

    Raises:
        BadInput: this machine, or its build of torch, has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if (name == "cuda" and not torch.cuda.is_available()) or (name == "mps" and not torch.backends.mps.is_available()):
        raise BadInput(f"device {name}: there is none here")
    if name == "cuda":
        index = distributed.local_rank() % torch.cuda.device_count()
        torch.cuda.set_device(index)
        return torch.device("cuda", index)
    return torch.device(name)


def seed_torch(*parts: int) -> None:
    """Seed the draws of dropout by their position in training, so that they do not depend on resuming or processes."""
    torch.manual_seed(int(np.random.SeedSequence(parts).generate_state(1)[0]))


def train(task: TrainingTask, plan: Plan, execution: Execution) -> dict[str, Any]:
    """Do the updates that are not done yet.

    Args:
        task: task that computes the losses.
        plan: number of updates, learning rates, and settings of AdamW.
        execution: options, whose scratch folder gets the checkpoints and `log.jsonl`, one line a step.

    Returns:
        Facts for the manifest: steps, tokens, seconds of this process, and the step from which it resumed.

    Raises:
        Diverged: a loss or a gradient is not finite.
        Preempted: SIGTERM came; a checkpoint was written.
    """
    work = execution.work
    optimizer = torch.optim.AdamW(
        task.module.parameters(), lr=0.0, betas=plan.betas, eps=plan.epsilon, weight_decay=plan.weight_decay, fused=True
    )
    main = distributed.rank() == 0
    if main:
        checkpoints.remove_partial(work)
        files.check_room(work, _checkpoint_bytes(task.module) * (checkpoints.KEPT + 1), "checkpoints")
    first, has_ended = _resume(task.module, optimizer, work)
    last = first if has_ended else plan.steps
    log = _Log(work / artifacts.LOG, first)
    stop = stopping.StopRequest(alone=distributed.world_size() == 1)
    last_save = start = time.monotonic()
    bar = tqdm(range(first, last), initial=first, total=plan.steps, unit="step", disable=not main, mininterval=5)
    task.module.train()
    with stop.handled():
        for step in bar:
            began = time.monotonic()
            row = _update(task, plan, optimizer, step, work, stop)
            row["tokens_per_second"] = row["tokens"] / (time.monotonic() - began)
            if main:
                row |= _after(task, step, stop)
                log.write({"step": step + 1, **row})
                execution.on_row({"step": step + 1, **row})
                bar.set_postfix_str(f"loss {row['loss']:.3f}, {row['tokens_per_second']:,.0f} tokens/s", refresh=False)
            signs = distributed.sum_values({"preempted": stop.number > 0, "stop": row.get("stop", 0) if main else 0})
            is_preempted, has_ended = signs["preempted"] > 0, signs["stop"] > 0 or step + 1 == plan.steps
            is_late = time.monotonic() - last_save >= execution.checkpoint_seconds
            is_due = (step + 1) % plan.checkpoint_steps == 0 or is_late
            if (is_preempted or has_ended or is_due) and main:
                log.flush()
                checkpoints.save(work, step + 1, _state(task.module, optimizer, step + 1) | {"ended": has_ended})
                last_save = time.monotonic()
            if has_ended:
                last = step + 1
                break
            if is_preempted:
                raise _stopped(stop, f"after step {step + 1}")
    bar.close()
    distributed.barrier()
    log.close()
    tokens = sum(row["tokens"] for row in read_log(work / artifacts.LOG)) if main else 0
    return {
        "steps": last,
        "tokens": int(tokens),
        "resumed_from": first,
        "training_seconds": round(time.monotonic() - start, 1),
    }


def _stopped(stop: stopping.StopRequest, where: str) -> BaseException:
    """The error of a training whose state is kept."""
    if stop.number == signal.SIGINT:
        return KeyboardInterrupt()
    return Preempted(f"stopped by SIGTERM {where}; the same command goes on from there")


def _update(
    task: TrainingTask, plan: Plan, optimizer: torch.optim.Optimizer, step: int, work: Path, stop: stopping.StopRequest
) -> dict[str, float]:
    """One update; a request to stop within its long part ends training with the state before it."""
    # Objectives with a memory fill it while they compute; weights do not change before the end.
    buffers = {name: buffer.clone() for name, buffer in task.module.named_buffers()}

    def keep() -> None:
        if distributed.rank() == 0 and step > 0:
            state = _state(task.module, optimizer, step)
            state["module"] |= {name: buffer for name, buffer in buffers.items() if name in state["module"]}
            checkpoints.save(work, step, state | {"ended": False})

    try:
        with stop.at_once(keep):
            totals, norm = _gradients(task, plan, optimizer, step)
    except stopping.Interrupted:
        keep()
        raise _stopped(stop, f"in step {step + 1}, after step {step}") from None
    if not math.isfinite(totals["loss"]) or not math.isfinite(norm):
        raise Diverged(
            f"step {step + 1}: loss {totals['loss']}, gradient norm {norm}; batch: {task.describe(step)}; "
            f"the last good checkpoint is {checkpoints.newest(work)}"
        )
    optimizer.step()
    return totals | {"gradient_norm": norm, "learning_rate": plan.rate(step)}


def _gradients(
    task: TrainingTask, plan: Plan, optimizer: torch.optim.Optimizer, step: int
) -> tuple[dict[str, float], float]:
    """Leave the gradients of a step in the weights; return its losses and counts, and the norm of the gradient."""
    for group in optimizer.param_groups:
        group["lr"] = plan.rate(step)
    optimizer.zero_grad(set_to_none=True)
    totals: dict[str, float] = {}
    for loss, numbers in task.micro_losses(step):
        loss.backward()
        for name, value in ({"loss": loss.item()} | numbers).items():
            totals[name] = totals.get(name, 0.0) + value
    parameters = [parameter for parameter in task.module.parameters() if parameter.requires_grad]
    distributed.sum_gradients(parameters)
    return distributed.sum_values(totals), nn.utils.clip_grad_norm_(parameters, plan.clip or math.inf).item()


def _after(task: TrainingTask, step: int, stop: stopping.StopRequest) -> dict[str, float]:
    """What the task does after an update; a request to stop that does not see its end gives up the update."""
    try:
        with stop.in_time():
            return task.after(step)
    except stopping.Interrupted:
        raise _stopped(stop, f"behind step {step + 1}, after the last checkpoint") from None


def _state(module: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> dict[str, Any]:
    return {
        "format": earlier_states.FORMAT,
        "step": step,
        "module": module.state_dict(),
        "optimizer": optimizer.state_dict(),
    }


def _checkpoint_bytes(module: nn.Module) -> int:
    """Bytes of a state: all weights, and two moments of each one that is trained."""
    sizes = [(3 if weight.requires_grad else 1, weight.nbytes) for weight in module.parameters()]
    return sum(copies * size for copies, size in sizes)


def _resume(module: nn.Module, optimizer: torch.optim.Optimizer, work: Path) -> tuple[int, bool]:
    """Number of steps that are done, and whether training has ended with them."""
    state = checkpoints.load(work)
    if state is None:
        earlier_states.refuse_unclaimed(work)
        return 0, False
    state = earlier_states.upgraded(state, module, work)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["ended"]


class _Log:
    """The file `log.jsonl`: one line a step. Lines after the checkpoint that training resumes from are dropped."""

    def __init__(self, path: Path, first: int) -> None:
        self.file = None
        if distributed.rank() != 0:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [row for row in read_log(path) if row["step"] <= first] if path.is_file() else []
        files.write_json_lines(path, rows)
        self.file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, row: dict[str, float]) -> None:
        assert self.file is not None
        self.file.write(json.dumps({key: _short(value) for key, value in row.items()}) + "\n")

    def flush(self) -> None:
        if self.file is not None:
            self.file.flush()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.6g}")


def read_log(path: Path) -> list[dict[str, float]]:
    """Read the rows of a training log. An incomplete last line, which a kill leaves, is skipped with a warning."""
    rows = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.endswith("\n"):
                sys.stderr.write(f"{path}: the last line is incomplete and skipped\n")
                break
            rows.append(json.loads(line))
    return rows
