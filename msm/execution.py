"""Where and how a stage runs; never what it computes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msm.errors import BadInput

DEVICES = ("auto", "cpu", "cuda", "mps")
"""`auto` takes the GPU of this process where there is one."""


@dataclass(frozen=True)
class Part:
    """A share of the passages."""

    number: int
    """From 0."""
    parts: int


def read_part(text: str) -> Part | None:
    """`2/8` as the second of eight parts; None where the text is empty.

    Raises:
        BadInput: another form, or no such part.
    """
    if not text:
        return None
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise BadInput(f"--part must be I/N with I from 1 to N, got {text!r}")
    return Part(int(index) - 1, int(count))


def _unseen(row: Mapping[str, float]) -> None:
    del row


@dataclass(frozen=True)
class Execution:
    """Execution options: they may change speed and rounding, never the result's meaning."""

    work: Path
    """Scratch folder that survives a kill; keyed by settings and inputs."""
    processes: int = 0
    """Worker processes; 0 for one a core."""
    device: str = "auto"
    """One of `DEVICES`."""
    mirror: str = ""
    """Folder with the files of the sources table; used instead of the network."""
    cache_gib: int = 64
    """Most of streamed shards that is kept in the scratch folder."""
    part: str = ""
    """`I/N`: encode and search the I-th of N parts of the passages only, counted from 1; what a part found is kept in
    the scratch folder, and the run without a part joins them all."""
    checkpoint_seconds: float = 180.0
    """Seconds of training after which a checkpoint is written at the latest, whatever `checkpoint_steps` says: what a
    machine that is taken away without a word can cost. Resuming gives the same bits from any checkpoint."""
    vectors: Path | None = None
    """Folder in which the vectors of encoded texts are kept, for other runs of the same model over the same texts: one
    file a model, of at most `cache_gib`."""
    log: str = ""
    """Tool that shows losses and scores beside `log.jsonl`; see `msm.tracking`. Empty for none."""
    on_row: Callable[[Mapping[str, float]], None] = _unseen
    """Called with every line of a training's log."""
