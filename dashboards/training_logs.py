"""Turns the logs of finished and of running trainings into data frames."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple

import pandas as pd

from msm.dashboards.folders import Folders
from msm.pipeline.artifacts import LOG

QUANTITIES = {
    "loss": "loss, nats",
    "mlm_loss": "masked tokens: loss, nats",
    "msm_loss": "masked sentences: loss, nats",
    "control_loss": "control's second half: loss, nats",
    "alignment_loss": "translations: squared distance",
    "koleo_loss": "spread of the sentences: loss, nats",
    "pivot_loss": "teacher's vectors: squared distance",
    "other_loss": "teacher's vectors, translation: squared distance",
    "accuracy": "contrastive accuracy",
    "positive": "cosine with the own sentence",
    "same_document": "cosine within the document",
    "cross_document": "cosine across documents",
    "negative": "cosine with other sentences",
    "alpha": "bias of the document, logits",
    "dev_loss": "held-out questions: loss, nats",
    "dev_mrr": "held-out questions: MRR",
    "dev_mean_rank": "held-out questions: mean rank of the answer",
    "dev_measure": "held-out benchmark",
    "scale": "learned scale",
    "gradient_norm": "gradient norm",
    "learning_rate": "learning rate",
    "tokens_per_second": "tokens a second",
}
"""Fields of a log line, in the order of the page, and their axis titles."""
SILENCE = 300
"""Number of seconds without a line after which an unfinished training counts as stopped."""
POINTS = 300
"""Largest number of points of a curve; each is the mean of several steps."""


State = Literal["finished", "running", "stopped"]


class TrainingLog(NamedTuple):
    """A training with a log."""

    recipe: str
    name: str
    """Name of the training, STAGE/ROW."""
    log: Path
    state: State
    """State of the training; `stopped` is one that is not finished and has logged nothing for some time."""

    @property
    def label(self) -> str:
        """Name of the training in choices."""
        return self.name if self.state == "finished" else f"{self.name} ({self.state})"


def runs(folders: Folders) -> list[TrainingLog]:
    """Return every training of every recipe; an unfinished one takes the place of its finished namesake."""
    runs_by_name = {}
    for folder, is_finished in ((folders.artifacts, True), (folders.work, False)):
        # A running stage keeps its log one level deeper, in the scratch folder of its settings and inputs.
        logs = {*folder.glob(f"*/*/*/{LOG}"), *(() if is_finished else folder.glob(f"*/*/*/*/{LOG}"))}
        for time_of_change, log in sorted((log.stat().st_mtime, log) for log in logs if log.is_file()):
            recipe, stage, row = log.relative_to(folder).parts[:3]
            unfinished_state: State = "running" if time.time() - time_of_change < SILENCE else "stopped"
            runs_by_name[recipe, stage, row] = TrainingLog(
                recipe, f"{stage}/{row}", log, "finished" if is_finished else unfinished_state
            )
    return [runs_by_name[key] for key in sorted(runs_by_name)]


class Tail:
    """A log of which only new lines are read each time.

    Args:
        log: file of the log; it may grow, or be replaced by a new one.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.lock = Lock()
        self._begin(-1)

    def curves(self) -> tuple[pd.DataFrame, str]:
        """Return the logged quantities by step, as at most `POINTS` means, and a problem with the log, if any."""
        with self.lock:
            self._read_on()
            width = -(-len(self.numbers) // POINTS) or 1
            means = pd.DataFrame(self.numbers.groupby(self.numbers.index // width).mean())
            return means.dropna(axis="columns", how="all"), self.problem

    def _begin(self, file: int) -> None:
        self.file, self.read, self.lines, self.problem = file, 0, 0, ""
        self.numbers = pd.DataFrame(columns=pd.Index(["step", *QUANTITIES]), dtype=float)

    def _read_on(self) -> None:
        try:
            stat = self.log.stat()
        except FileNotFoundError:  # The training has just finished, and its log was moved.
            return
        if stat.st_ino != self.file or stat.st_size < self.read:
            self._begin(stat.st_ino)
        if stat.st_size == self.read or self.problem:
            return
        with self.log.open("rb") as file:
            file.seek(self.read)
            whole, end, _ = file.read().rpartition(b"\n")  # The rest of the line is still being written.
        self.read += len(whole + end)
        rows = list(self._rows(whole.decode(errors="replace").split("\n") if end else []))
        new = pd.DataFrame(rows, columns=self.numbers.columns).apply(pd.to_numeric, errors="coerce").astype(float)
        self.numbers = pd.concat([self.numbers, new], ignore_index=True) if len(self.numbers) else new

    def _rows(self, lines: list[str]) -> Iterator[list[Any]]:
        for line in lines:
            self.lines += 1
            try:
                row = json.loads(line)
                yield [int(row["step"]), *(row.get(name) for name in QUANTITIES)]
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
                self.problem = f"{self.log}:{self.lines}: not a line of a training log; the curve ends before it"
                return
