"""Estimates what a corpus costs, in core hours and bytes, from a measured speed."""

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
    read_bytes: float
    """Number of bytes of compressed input."""
    work: float
    """Number of bytes of the files between the steps, all of them at once."""
    tokens: float
    """Number of bytes of the token ids."""


def measurement(path: Path, kind: str) -> dict[str, Any]:
    """Return the line that `msm bench corpus` has written about one kind of file.

    Args:
        path: output of `msm bench corpus`, JSON Lines.
        kind: `warc` or `wet`.

    Raises:
        BadInput: no such line there, or a number is missing in it.
    """
    name = f"corpus_pipeline_{kind}"
    rows = [row for _, row in read_json_lines(path) if row.get("name") == name]
    if not rows:
        raise BadInput(f"{path}: no line {name}; `msm bench corpus` prints it")
    if keys := [key for key in MEASURED if key not in rows[-1]]:
        raise BadInput(f"{path}: {name} says no {', '.join(keys)}")
    return rows[-1]


def corpus_cost(measurement_row: Mapping[str, Any], *, text: float, kept_share: float, token_bytes: int) -> CorpusCost:
    """Return the cost of a corpus.

    Args:
        measurement_row: line that `measurement` returns; its bytes are for each byte of text that is read.
        text: bytes of clean text that are wanted.
        kept_share: share of the text read that cleaning keeps.
        token_bytes: number of bytes of one token in a shard.
    """
    read_bytes = text / kept_share
    return CorpusCost(
        core_hours=read_bytes / (measurement_row["mb_per_second_core"] * 1e6) / 3600,
        read_bytes=read_bytes * measurement_row["input_bytes"],
        work=read_bytes * measurement_row["work_bytes"],
        tokens=text * measurement_row["tokens"] * token_bytes,
    )
