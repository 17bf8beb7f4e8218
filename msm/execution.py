"""Execution options: where and how a stage runs. They never change the meaning of a result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msm.errors import BadInput

DEVICES = ("auto", "cpu", "cuda", "mps")
"""Names of devices; `auto` takes the GPU of this process where there is one."""


@dataclass(frozen=True)
class Part:
    """One part of the passages that are divided over several processes or pods."""

    number: int
    """Number of the part, from 0."""
    parts: int
    """Number of all parts."""


def read_part(text: str) -> Part | None:
    """Read a part from text such as `2/8`, the second of eight parts; None where the text is empty.

    Raises:
        BadInput: the text has another form, or there is no such part.
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
    """Execution options. They may change speed and rounding, never the meaning of a result."""

    work: Path
    """Scratch folder that survives a kill. Its name depends on settings and inputs."""
    processes: int = 0
    """Number of worker processes; 0 for one a core."""
    device: str = "auto"
    """Name of the device that computes, one of `DEVICES`."""
    mirror: str = ""
    """Folder with a copy of the public files, which replaces the network; empty for none."""
    cache_gib: int = 64
    """Largest size of the streamed shards in the scratch folder, in GiB."""
    part: str = ""
    """`I/N` encodes and searches part I of N of the passages only, counted from 1. Results of a part are kept in the
    scratch folder, and the same command without a part joins all parts; empty for all passages."""
    checkpoint_seconds: float = 180.0
    """Largest number of seconds between two checkpoints of a training, whatever `checkpoint_steps` says: the time that
    is lost when a machine stops without warning. Resuming from any checkpoint gives the same bits."""
    vector_store: Path | None = None
    """Folder in which the vectors of encoded texts are kept, for other runs of the same model over the same texts: one
    file a model, of at most `cache_gib`."""
    verify: bool = False
    """Whether all bytes of the inputs are compared with their manifests, not only files whose size or time differ."""
    log: str = ""
    """Tool that shows losses and scores beside `log.jsonl`; see `msm.tracking`. Empty for none."""
    on_row: Callable[[Mapping[str, float]], None] = _unseen
    """Called with every line of a training's log."""
