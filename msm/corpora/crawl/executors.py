"""Runs the steps of a corpus on one machine, on Slurm, on Ray, or as a Kubernetes Indexed Job."""

import importlib.util
import itertools
import shutil
import time
from dataclasses import dataclass
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor

from msm.corpora.crawl.state import CrawlState
from msm.corpora.crawl.steps import STEPS, CrawlStep, Share, say, steps_of, undone
from msm.errors import BadInput, CommandError

EXECUTORS = ("local", "slurm", "ray")


@dataclass(frozen=True)
class Placing:
    """Where and how tasks run; it changes no result."""

    executor: str
    tasks: int
    """Number of tasks of every step, over all machines."""
    workers: int
    """Number of tasks at one time: on this machine, or over all machines of Slurm and Ray."""
    local_tasks: int
    """Number of tasks that this pod does; -1 for all."""
    pod: int
    """Number of this pod, from 0: the completion index of an Indexed Job."""
    step: str
    """Name of the one step to do, without waiting for other pods; empty for all steps."""
    poll_seconds: float
    """Seconds between two checks of what other machines have done."""
    partition: str
    """Partition of Slurm."""
    time_limit: str
    """Time limit of a Slurm task, as `HH:MM:SS`."""
    environment: str
    """Shell command before a Slurm task, such as `source .venv/bin/activate`."""


class Unfinished(CommandError):
    """Machines were lost, or tasks failed too often. Finished units are kept."""


def run(state: CrawlState, placing: Placing) -> None:
    """Do every step.

    Raises:
        BadInput: the executor is not installed, or the numbers of tasks do not fit together.
        Unfinished: tasks were lost; the same command resumes.
    """
    _check(placing)
    if placing.step:
        _one_step(state, placing)
    elif placing.executor == "slurm":
        _slurm(state, placing)
    else:
        for step in steps_of(state):
            if undone(state, step):
                say("%s", step.name)
                _executor(state, step, placing).run()
                _wait(state, step, placing)


def _one_step(state: CrawlState, placing: Placing) -> None:
    """Do this pod's share of one step. The caller keeps the order of steps.

    Raises:
        BadInput: there is no such step, or a step before it is not finished.
    """
    if placing.step not in [step.name for step in STEPS]:
        raise BadInput(f"--step {placing.step}: there is none; here are: {', '.join(step.name for step in STEPS)}")
    for step in steps_of(state):
        if step.name == placing.step:
            say("%s", step.name)
            _executor(state, step, placing).run()
            return
        if units := undone(state, step):
            raise BadInput(f"--step {placing.step}: {step.name} has no mark for {len(units)} units; run it first")


def _check(placing: Placing) -> None:
    local = placing.tasks if placing.local_tasks == -1 else placing.local_tasks
    if not 0 < local <= placing.tasks - placing.pod * local:
        raise BadInput(f"local_tasks: {local} of pod {placing.pod} are not within the {placing.tasks} tasks")
    if placing.step and placing.executor != "local":
        raise BadInput("--step is for --executor local; Slurm and Ray see to the order of steps themselves")
    if placing.executor != "local" and placing.local_tasks != -1:
        raise BadInput("local_tasks is for --executor local; Slurm and Ray deal the tasks themselves")
    if placing.executor == "ray" and importlib.util.find_spec("ray") is None:
        raise BadInput("--executor ray needs `pip install ray`")
    if placing.executor == "slurm" and shutil.which("sbatch") is None:
        raise BadInput("--executor slurm needs the command sbatch on this machine")


def _executor(state: CrawlState, step: CrawlStep, placing: Placing) -> Any:
    common = {
        "pipeline": [Share(state, step.name)],
        "tasks": placing.tasks,
        # One folder for each number of tasks and packing: marks of another number say nothing about these tasks.
        "logging_dir": str(state.work / "logs" / state.packing / f"{step.name}-{placing.tasks}"),
        # Units have marks of their own; a task's marker could remain after a unit was removed.
        "skip_completed": False,
    }
    if placing.executor == "ray":
        return RayPipelineExecutor(**common, workers=placing.workers)
    return LocalPipelineExecutor(
        **common,
        workers=placing.workers,
        local_tasks=placing.local_tasks,
        local_rank_offset=0 if placing.local_tasks == -1 else placing.pod * placing.local_tasks,
    )


def _wait(state: CrawlState, step: CrawlStep, placing: Placing) -> None:
    """Wait until the other machines have done their share of the step.

    Raises:
        Unfinished: there are no other machines, and units are left.
    """
    while units := undone(state, step):
        if placing.local_tasks == -1:
            raise Unfinished(f"{step.name}: {len(units)} units are not done ({units[:5]}); the same command goes on")
        time.sleep(placing.poll_seconds)


def _slurm(state: CrawlState, placing: Placing) -> None:
    """Submit one array job a step, each after the one before, unless everything is done."""
    before = None
    for step in _left(state):
        before = SlurmPipelineExecutor(
            pipeline=[Share(state, step.name)],
            tasks=placing.tasks,
            workers=placing.workers,
            time=placing.time_limit,
            partition=placing.partition,
            job_name=f"corpus-{step.name}",
            env_command=placing.environment,
            logging_dir=str(state.work / "logs" / state.packing / f"{step.name}-{placing.tasks}"),
            skip_completed=False,
            depends=before,
            # Without this the steps after a failed one would stay in the queue for ever.
            sbatch_args={"kill-on-invalid-dep": "yes"},
            qos="",
        )
    if before is not None:
        before.run()
        say("submitted: `squeue` shows the jobs; when they have ended, the same command resumes what is not done")


def _left(state: CrawlState) -> list[CrawlStep]:
    """The first step with units to do, and all steps after it, whose numbers of units are not known yet."""
    return list(itertools.dropwhile(lambda step: not undone(state, step), steps_of(state)))
