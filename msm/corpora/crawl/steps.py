"""The steps of a corpus in order, and the part of a datatrove pipeline that does a task's share of a step."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from datatrove.pipeline.base import PipelineStep
from loguru import logger

from msm.corpora.crawl import cleaning, packing
from msm.corpora.crawl.state import CrawlState, Job
from msm.errors import CommandError, from_surroundings
from msm.files import write_json


class CrawlStep(NamedTuple):
    """One kind of work, done in units."""

    name: str
    units: Callable[[CrawlState], int]
    """Function that counts its units of work; the steps before must be done."""
    job: Job


def _parts(state: CrawlState) -> int:
    return len(state.parts)


def _one(state: CrawlState) -> int:
    return 1


STEPS = (
    CrawlStep("read", _parts, cleaning.read),
    CrawlStep("duplicates", lambda state: state.recipe.corpus.hash_buckets, cleaning.duplicates),
    CrawlStep("clean", _parts, cleaning.clean),
    CrawlStep("match", lambda state: state.recipe.corpus.minhash_bands, cleaning.match),
    CrawlStep("choose", _one, cleaning.choose),
    CrawlStep("sentences", _parts, cleaning.sentences),
    CrawlStep("plan", _one, packing.plan),
    CrawlStep("write", lambda state: len(packing.pieces_of(state)), packing.write),
    CrawlStep("manifest", _one, packing.manifest),
)
PACKED = {"plan", "write", "manifest"}
"""Names of the steps that depend on tokenizer and address; their marks have a folder of their own."""


def steps_of(state: CrawlState) -> list[CrawlStep]:
    """Return the steps that a recipe needs."""
    corpus = state.recipe.corpus
    idle = ({"duplicates"} if corpus.paragraph_duplicates == "keep" else set()) | (
        {"match"} if corpus.near_duplicates == "keep" else set()
    )
    return [step for step in STEPS if step.name not in idle]


def folder(state: CrawlState, name: str) -> str:
    """Return the name of the folder of a step's marks, below the work folder."""
    return f"{state.packing}/{name}" if name in PACKED else name


def undone(state: CrawlState, step: CrawlStep) -> list[int]:
    """Return the numbers of the units of a step without a mark."""
    return [number for number in range(step.units(state)) if not state.is_done(folder(state, step.name), number)]


class Share(PipelineStep):
    """A task's share of a step: every n-th unit for n tasks, without those that are done."""

    type = "corpus"
    name = "share"

    def __init__(self, state: CrawlState, step: str) -> None:
        """Do the units of a step. The step is given by name, so that the object can be sent to other processes."""
        super().__init__()
        self.state, self.step = state, step

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Do the remaining units of a task."""
        logger.configure(patcher=_without_trace)
        step = next(step for step in STEPS if step.name == self.step)
        where = folder(self.state, step.name)
        for number in range(rank, step.units(self.state), world_size):
            if not self.state.is_done(where, number):
                with self.track_time():
                    do(self.state, step, where, number)


def _without_trace(record: Any) -> None:
    """Have datatrove log an error that users cause without its trace: the command ends with its one line."""
    error = record["exception"] and record["exception"].value
    if error is not None and (isinstance(error, CommandError) or from_surroundings(error)):
        record["exception"] = None


def do(state: CrawlState, step: CrawlStep, where: str, number: int) -> None:
    """Do one unit of work, and write its mark last."""
    start, cpu_start = time.perf_counter(), time.process_time()
    facts = step.job(state, number)
    seconds = {
        "seconds": round(time.perf_counter() - start, 3),
        "cpu_seconds": round(time.process_time() - cpu_start, 3),
    }
    write_json(state.mark(where, number), facts | seconds)


def say(message: str, *values: object) -> None:
    """Print progress of the command."""
    logging.getLogger("msm.corpus").info(message, *values)


def make_work(root: Path, state_of: Callable[[Path], CrawlState], fingerprint: str) -> CrawlState:
    """Make the state in the work folder of a recipe, and list its parts."""
    work = root / fingerprint[:16]
    work.mkdir(parents=True, exist_ok=True)
    state = state_of(work)
    state.find_parts()
    return state
