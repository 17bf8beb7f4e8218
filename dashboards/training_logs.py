"""Training logs to data frames: finished ones and those still being written."""

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dashboards.folders import Folders
from msm.artifacts import LOG

QUANTITIES = {
    "loss": "loss, nats",
    "mlm_loss": "masked tokens: loss, nats",
    "msm_loss": "masked sentences: loss, nats",
    "control_loss": "control's second half: loss, nats",
    "accuracy": "contrastive accuracy",
    "positive": "cosine with the own sentence",
    "same_document": "cosine within the document",
    "cross_document": "cosine across documents",
    "alpha": "bias of the document, logits",
    "dev_mrr": "held-out questions: MRR",
    "scale": "learned scale",
    "gradient_norm": "gradient norm",
    "learning_rate": "learning rate",
    "tokens_per_second": "tokens a second",
}
"""Fields of a log line, in the order of the page, and their axis titles."""
POINTS = 300
"""Most points of a curve; each is the mean of the steps it stands for."""


class Run(NamedTuple):
    """A training run with a log."""

    recipe: str
    name: str
    """STAGE/ROW."""
    log: Path
    is_live: bool

    @property
    def label(self) -> str:
        """What people choose it by."""
        return f"{self.name} (running)" if self.is_live else self.name


def runs(folders: Folders) -> list[Run]:
    """Every run of every recipe; one that is running takes the place of its finished namesake."""
    found = {}
    for folder, is_live in ((folders.artifacts, False), (folders.work, True)):
        # A running stage keeps its log one level deeper, in the scratch folder of its settings and inputs.
        logs = {*folder.glob(f"*/*/*/{LOG}"), *(folder.glob(f"*/*/*/*/{LOG}") if is_live else ())}
        for log in sorted(logs, key=lambda path: path.stat().st_mtime):
            recipe, stage, row = log.relative_to(folder).parts[:3]
            found[recipe, stage, row] = Run(recipe, f"{stage}/{row}", log, is_live)
    return [found[key] for key in sorted(found)]


def curves(log: Path) -> tuple[pd.DataFrame, str]:
    """The known quantities of a log by step, thinned to `POINTS` means, and what is wrong with it, if anything."""
    rows, problem = [], ""
    for number, line in enumerate(log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True), start=1):
        if not line.endswith("\n"):
            break  # being written
        try:
            row = json.loads(line)
            rows.append({"step": int(row["step"]), **{name: row.get(name) for name in QUANTITIES}})
        except (ValueError, TypeError, KeyError, AttributeError):
            problem = f"{log}:{number}: not a line of a training log; the curve ends before it"
            break
    frame = pd.DataFrame(rows, columns=pd.Index(["step", *QUANTITIES]))
    numbers = pd.DataFrame({name: pd.to_numeric(frame[name], errors="coerce") for name in frame.columns})
    width = -(-len(frame) // POINTS) or 1
    means = pd.DataFrame(numbers.groupby(numbers.index // width).mean())
    return means.dropna(axis="columns", how="all"), problem
