"""A corpus on one machine, on Slurm, on Ray, or as a Kubernetes Indexed Job: datatrove's executors, step by step."""

import importlib.util
import itertools
import shutil
import time
from dataclasses import dataclass
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor

from msm.corpora.crawl.state import State
from msm.corpora.crawl.steps import STEPS, Share, Step, say, steps_of, undone
from msm.errors import BadInput, CommandError

EXECUTORS = ("local", "slurm", "ray")


@dataclass(frozen=True)
class Placing:
    """Where tasks run; never what comes out."""

    executor: str
    tasks: int
    """Tasks of every step, over all machines."""
    workers: int
    """Tasks at once; on this machine, or in all on Slurm and Ray."""
    local_tasks: int
    """Tasks that this pod does; -1 for all."""
    pod: int
    """Number of this pod, from 0: an Indexed Job's completion index."""
    step: str
    """The one step to do, without waiting for other pods; empty for all of them."""
    poll_seconds: float
    """Between two looks at what other machines have done."""
    partition: str
    """Of Slurm."""
    time_limit: str
    """Of a Slurm task, `HH:MM:SS`."""
    environment: str
    """Command before a Slurm task, such as `source .venv/bin/activate`."""


class Unfinished(CommandError):
    """Machines were lost, or tasks failed more often than the engine tries; what is done is kept."""


def run(state: State, placing: Placing) -> None:
    """Do every step.

    Raises:
        BadInput: an executor that is not there, or tasks that do not add up.
        Unfinished: tasks were lost; the same command goes on.
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


def _one_step(state: State, placing: Placing) -> None:
    """This pod's share of one step; whoever started it sees to the order of steps.

    Raises:
        BadInput: there is no such step, or a step before it is not done.
    """
    if placing.step not in [step.name for step in STEPS]:
        raise BadInput(f"--step {placing.step}: there is none; here are: {', '.join(step.name for step in STEPS)}")
    for step in steps_of(state):
        if step.name == placing.step:
            say("%s", step.name)
            _executor(state, step, placing).run()
            return
        if left := undone(state, step):
            raise BadInput(f"--step {placing.step}: {step.name} has no mark for {len(left)} units; run it first")


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


def _executor(state: State, step: Step, placing: Placing) -> Any:
    common = {
        "pipeline": [Share(state, step.name)],
        "tasks": placing.tasks,
        # Of this dealing and this packing; marks of another number of tasks say nothing about these tasks.
        "logging_dir": str(state.work / "logs" / state.packing / f"{step.name}-{placing.tasks}"),
        # What is done is known unit by unit; a task's own marker could outlive a unit that was taken away.
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


def _wait(state: State, step: Step, placing: Placing) -> None:
    """Until the other machines have done their share of the step.

    Raises:
        Unfinished: there are no others, and something is left.
    """
    while left := undone(state, step):
        if placing.local_tasks == -1:
            raise Unfinished(f"{step.name}: {len(left)} units are not done ({left[:5]}); the same command goes on")
        time.sleep(placing.poll_seconds)


def _slurm(state: State, placing: Placing) -> None:
    """Hand in one array job a step, each after the one before; nothing where everything is done."""
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
            # Else the steps after one that failed would stand in the queue for ever.
            sbatch_args={"kill-on-invalid-dep": "yes"},
            qos="",
        )
    if before is not None:
        before.run()
        say("handed in: `squeue` shows the jobs; when they are gone, the same command goes on with what is not done")


def _left(state: State) -> list[Step]:
    """The first step with something to do and all after it: how many units these have is not known before."""
    return list(itertools.dropwhile(lambda step: not undone(state, step), steps_of(state)))
