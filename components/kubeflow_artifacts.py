"""Describes the outputs of stages for Kubeflow: metadata of artifacts, and metrics of scores."""

from pathlib import Path
from typing import Any

from msm import files
from msm.pipeline import artifacts

MEANS = "mean"
Artifact = Any
"""A `kfp.dsl` artifact: `path`, `metadata`, and for metrics `log_metric`."""


def metadata(folder: Path, name: str) -> dict[str, Any]:
    """Return the metadata of an artifact for Kubeflow: its manifest, with one checksum of the payload."""
    manifest = artifacts.read_manifest(folder)
    fields = ("stage", "settings", "facts", "inputs", "commit", "versions", "device", "seconds", "command")
    return {
        "name": name,
        "checksum": artifacts.payload_checksum(folder),
        **{field: manifest[field] for field in fields},
    }


def log_scores(folder: Path, metrics: Artifact) -> None:
    """Log means and values of languages as scalar metrics, such as `map@20`, `map@20 same` and `map@20 de`."""
    for _, cell in files.read_json_lines(artifacts.payload(folder) / "scores.jsonl"):
        pool, language = cell["candidate_language"], cell["query_language"]
        if cell["value"] is not None and (language == MEANS or pool is None):
            words = [cell["measure"], *([pool] if pool else []), *([language] if language != MEANS else [])]
            metrics.log_metric(" ".join(words), cell["value"])
    Path(metrics.path).touch()
