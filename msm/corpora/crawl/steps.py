"""The steps of a corpus in order, and the piece of a datatrove pipeline that does a task's share of one."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from datatrove.pipeline.base import PipelineStep

from msm.corpora.crawl import cleaning, packing
from msm.corpora.crawl.state import Job, State
from msm.files import write_json


class Step(NamedTuple):
    """One kind of work."""

    name: str
    units: Callable[[State], int]
    """How many units of it there are; known when the steps before are done."""
    job: Job


def _parts(state: State) -> int:
    return len(state.parts)


def _one(state: State) -> int:
    return 1


STEPS = (
    Step("read", _parts, cleaning.read),
    Step("duplicates", lambda state: state.recipe.corpus.hash_buckets, cleaning.duplicates),
    Step("clean", _parts, cleaning.clean),
    Step("match", lambda state: state.recipe.corpus.minhash_bands, cleaning.match),
    Step("choose", _one, cleaning.choose),
    Step("sentences", _parts, cleaning.sentences),
    Step("plan", _one, packing.plan),
    Step("write", lambda state: len(packing.pieces_of(state)), packing.write),
    Step("manifest", _one, packing.manifest),
)
PACKED = {"plan", "write", "manifest"}
"""Steps that depend on tokenizer and address; their marks lie apart."""


def steps_of(state: State) -> list[Step]:
    """The steps that the recipe asks for."""
    corpus = state.recipe.corpus
    idle = ({"duplicates"} if corpus.paragraph_duplicates == "keep" else set()) | (
        {"match"} if corpus.near_duplicates == "keep" else set()
    )
    return [step for step in STEPS if step.name not in idle]


def folder(state: State, name: str) -> str:
    """Where a step's marks are, below the work folder."""
    return f"{state.packing}/{name}" if name in PACKED else name


def undone(state: State, step: Step) -> list[int]:
    """Units of a step without a mark."""
    return [number for number in range(step.units(state)) if not state.is_done(folder(state, step.name), number)]


class Share(PipelineStep):
    """A task's share of a step: every so manieth unit, those that are done left out."""

    type = "corpus"
    name = "share"

    def __init__(self, state: State, step: str) -> None:
        """Do a step's units; which step is told by name, so that this travels easily."""
        super().__init__()
        self.state, self.step = state, step

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Do what is left of a task's units."""
        step = next(step for step in STEPS if step.name == self.step)
        where = folder(self.state, step.name)
        for number in range(rank, step.units(self.state), world_size):
            if not self.state.is_done(where, number):
                with self.track_time():
                    do(self.state, step, where, number)


def do(state: State, step: Step, where: str, number: int) -> None:
    """Do one unit and leave its mark, which is the last thing to be written."""
    start, used = time.perf_counter(), time.process_time()
    facts = step.job(state, number)
    seconds = {"seconds": round(time.perf_counter() - start, 3), "cpu_seconds": round(time.process_time() - used, 3)}
    write_json(state.mark(where, number), facts | seconds)


def say(message: str, *values: object) -> None:
    """Progress, for whoever started the command."""
    logging.getLogger("msm.corpus").info(message, *values)


def make_work(root: Path, state_of: Callable[[Path], State], fingerprint: str) -> State:
    """The state in the work folder of a recipe, its parts listed."""
    work = root / fingerprint[:16]
    work.mkdir(parents=True, exist_ok=True)
    state = state_of(work)
    state.find_parts()
    return state
