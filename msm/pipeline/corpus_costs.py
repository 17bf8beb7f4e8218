"""What a corpus costs, from a speed that was measured: core hours and bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msm.errors import BadInput
from msm.files import read_json_lines

MEASURED = ("mb_per_second_core", "input_bytes", "work_bytes", "tokens", "megabytes", "source", "device", "pieces")


@dataclass(frozen=True)
class CorpusCost:
    """Cost of making the shards of a corpus."""

    core_hours: float
    read: float
    """Bytes of compressed input."""
    work: float
    """Bytes of what is between, all of it at once."""
    tokens: float
    """Bytes of the token ids."""


def measurement(path: Path, kind: str) -> dict[str, Any]:
    """What `msm bench corpus` has written of one kind of file.

    Args:
        path: its output, JSON Lines.
        kind: `warc` or `wet`.

    Raises:
        BadInput: no such line there, or a number is missing in it.
    """
    name = f"corpus_pipeline_{kind}"
    rows = [row for _, row in read_json_lines(path) if row.get("name") == name]
    if not rows:
        raise BadInput(f"{path}: no line {name}; `msm bench corpus` prints it")
    if missing := [key for key in MEASURED if key not in rows[-1]]:
        raise BadInput(f"{path}: {name} says no {', '.join(missing)}")
    return rows[-1]


def corpus_cost(measured: Mapping[str, Any], *, text: float, kept: float, token_bytes: int) -> CorpusCost:
    """Cost of a corpus.

    Args:
        measured: as `measurement` gives it; its bytes are for each byte of text that is read.
        text: bytes of clean text that are wanted.
        kept: share of the text read that cleaning keeps.
        token_bytes: of one token in a shard.
    """
    read = text / kept
    return CorpusCost(
        core_hours=read / (measured["mb_per_second_core"] * 1e6) / 3600,
        read=read * measured["input_bytes"],
        work=read * measured["work_bytes"],
        tokens=text * measured["tokens"] * token_bytes,
    )
