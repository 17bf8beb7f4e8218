"""Reads a score folder: the benchmark and model, the rules of scoring, and the values of every question."""

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from msm.errors import BadInput
from msm.evaluation.exported import score_lines, score_values
from msm.pipeline.artifacts import check_unaltered

KIND = ("benchmark", "split", "setting")
"""Facts in which numbers must agree to be compared."""


class ScoreFolder(NamedTuple):
    """Scores of one model, trained with one seed, on one benchmark."""

    path: Path
    facts: dict[str, Any]
    """Benchmark, split, setting, model, seed and protocol."""
    checksums: dict[str, str]
    """Checksums of questions, candidates and judgements, and the rules of scoring; empty in folders of early
    versions."""
    rows: pa.Table
    """Per-query values: the columns `msm.evaluation.per_query.VALUES`."""

    @property
    def rules(self) -> str:
        """Return the part of the protocol that is the benchmark's; the rest says how a model was used."""
        rules, ties, rest = self.facts["protocol"].partition("; ties ")
        return self.checksums.get("rules") or rules + ties + rest.partition(";")[0]

    def choice(self, name: str) -> str:
        """The value that the protocol gives for a choice, such as `precision`; empty where it names none."""
        parts = (part.partition(" ") for part in self.facts["protocol"].split("; "))
        return next((value for key, _, value in parts if key == name), "")

    @property
    def has_clusters(self) -> bool:
        """Return whether the folder says which questions are about one text."""
        return self.rows["cluster_id"].null_count == 0


def read_score_folder(path: Path) -> ScoreFolder:
    """Read the folder of stage `score`, of `msm evaluate`, or a row of exported results by its folder's path.

    Raises:
        BadInput: the folder is none of these, its files are incomplete, or not what its manifest says.
    """
    folder = path / "score" if (path / "score").is_dir() else path
    check_unaltered(folder)
    where, first = next(score_lines(folder, "scores.jsonl"), (None, {}))
    if where is None:
        raise BadInput(f"{folder}: no line of scores.jsonl")
    for name in (*KIND, "model", "seed", "protocol"):
        if not isinstance(first.get(name), int if name == "seed" else str):
            raise BadInput(f"{where}: {name} is {first.get(name)!r:.60}")
    _, checksums = next(score_lines(folder, "collection.json"), (None, {}))
    return ScoreFolder(path, first, checksums, score_values(folder))
