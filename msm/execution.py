"""Where and how a stage runs; never what it computes."""

from dataclasses import dataclass
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda", "mps")
"""`auto` takes the GPU of this process where there is one."""


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
    checkpoint_seconds: float = 180.0
    """Seconds of training after which a checkpoint is written at the latest, whatever `checkpoint_steps` says: what a
    machine that is taken away without a word can cost. Resuming gives the same bits from any checkpoint."""
