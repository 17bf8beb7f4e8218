"""Score folders of a recipe, read without trust: what cannot be used becomes a problem, the rest is kept."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from msm import artifacts
from msm.errors import BadInput
from msm.reporting import lineage

SCORES = "scores.jsonl"
PER_QUERY = "per_query.parquet"


class Problem(NamedTuple):
    """A folder or file that is left out, and why."""

    path: Path
    reason: str


class ScoreFolder(NamedTuple):
    """A finished score folder."""

    path: Path
    manifest: dict[str, Any]
    scores: list[dict[str, Any]]
    """Lines of `scores.jsonl`."""

    @property
    def per_query(self) -> Path:
        """Its per-query values."""
        return self.path / self.manifest["payload"] / PER_QUERY


class Results(NamedTuple):
    """The score folders of one recipe."""

    root: Path
    """The recipe's folder."""
    folders: list[ScoreFolder]
    problems: list[Problem]


FIELDS: dict[str, type | tuple[type, ...]] = {
    "benchmark": str,
    "split": str,
    "setting": str,
    "model": str,
    "seed": int,
    "query_language": str,
    "measure": str,
    "value": (int, float),
    "queries": int,
    "protocol": str,
}


def read(scores: Path) -> Results:
    """Every score folder below `scores`, such as `artifacts/mini/score`; an absent folder gives no results."""
    folders, problems = [], []
    for path in sorted(scores.iterdir()) if scores.is_dir() else ():
        if path.name.startswith(".") and path.name.endswith(".partial"):
            problems.append(Problem(path, "half-written: being scored, or left by a killed run"))
        elif path.is_dir() and not path.name.startswith("."):
            try:
                folders.append(_read_folder(path))
            except BadInput as error:
                problems.append(Problem(path, str(error)))
    return Results(scores.parent, folders, problems)


def _read_folder(path: Path) -> ScoreFolder:
    manifest = lineage.read_manifest(path)
    file = path / Path(manifest["payload"]).name / SCORES
    scores = []
    for number, line in artifacts.read_json_lines(file):
        for field, kind in FIELDS.items():
            if not isinstance(line.get(field), kind):
                raise BadInput(f"{file}:{number}: {field} is {line.get(field)!r}")
        if not math.isfinite(line["value"]):
            raise BadInput(f"{file}:{number}: value is {line['value']}")
        scores.append(line)
    if not scores:
        raise BadInput(f"{file}: no scores")
    return ScoreFolder(path, manifest, scores)
