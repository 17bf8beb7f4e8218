"""What a pipeline task does inside its pod: the one place where Kubeflow's artifacts meet a stage."""

import importlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msm import files
from msm.components import verdicts
from msm.execution import Execution
from msm.pipeline import artifacts, torchrun
from msm.pipeline.places import processes, visible_gpus
from msm.pipeline.runner import command, run_stage, stop_with_parent
from msm.pipeline.stages import STAGES
from msm.reporting.stage import DOCUMENT
from msm.settings import Settings, make

MEANS = "mean"
SHOWN = ("scores", "report")
"""Payloads that the dashboard reads."""
VERDICT = "verdict.json"
"""Beside the scratch folders of a task."""
Artifact = Any
"""A `kfp.dsl` artifact: `path`, `metadata`, and for metrics `log_metric`."""


def run(
    stage: str,
    name: str,
    settings: str,
    reads: Mapping[str, Artifact | list[Artifact]],
    out: Artifact,
    *,
    work: str,
    published: str = "",
    mirror: str = "",
    launcher: str = "",
    metrics: Artifact | None = None,
    summary: Artifact | None = None,
) -> None:
    """Run a stage on the artifacts of a task and describe what it wrote.

    Args:
        stage: name in the stage table.
        name: FAMILY/ROW, kept as metadata, from which lineage is told.
        settings: of the stage, as a JSON object.
        reads: input name to artifact; a list of artifacts is read as one folder of rows.
        out: artifact to write; its path becomes the stage folder.
        work: folder for scratch that outlives this pod.
        published: folder that gets a copy for the dashboard; empty for none.
        mirror: local copy of the public files.
        launcher: empty for this pod, else a `TrainJobPlace` as JSON.
        metrics: gets the means and the values of every language.
        summary: gets the report's text.

    Raises:
        BadInput: wrong settings or inputs.
    """
    if verdicts.run_id():
        # Kubeflow's launcher passes no request to stop on: it dies, and that is the sign.
        stop_with_parent()
    given = make(STAGES[stage].settings, json.loads(settings), name)
    target = Path(out.path)
    with tempfile.TemporaryDirectory() as gathered, verdicts.kept(Path(work) / name / VERDICT):
        folders = {read: _folder(value, Path(gathered) / read) for read, value in reads.items()}
        execution = Execution(work=Path(work) / name, mirror=mirror)
        _run(stage, given, folders, target, execution, launcher)
    if published:
        publish(target, Path(published) / name)
    out.metadata.update(metadata(target, name))
    if metrics is not None:
        log_scores(target, metrics)
    if summary is not None:
        shutil.copy(artifacts.payload(target) / DOCUMENT, summary.path)


def run_part(stage: str, name: str, settings: str, reads: Mapping[str, Artifact], part: str, *, work: str) -> None:
    """Do a part of a stage; what it has done lies in the scratch folder, where the task that joins the parts finds it.

    Args:
        stage: name in the stage table.
        name: FAMILY/ROW of the task that joins the parts.
        settings: of the stage, as a JSON object.
        reads: input name to artifact.
        part: I/N.
        work: folder for scratch that outlives this pod, one for all parts.

    Raises:
        BadInput: wrong settings or inputs, or a stage without parts.
    """
    if verdicts.run_id():
        stop_with_parent()
    given = make(STAGES[stage].settings, json.loads(settings), name)
    verdict = Path(work) / name / f"part-{part.replace('/', '-')}" / VERDICT
    with tempfile.TemporaryDirectory() as gathered, verdicts.kept(verdict):
        folders = {read: _folder(value, Path(gathered) / read) for read, value in reads.items()}
        execution = Execution(work=Path(work) / name, part=part)
        _run(stage, given, folders, Path(gathered) / "unused", execution, "")


def _run(
    stage: str, settings: Settings, folders: Mapping[str, Path], out: Path, execution: Execution, launcher: str
) -> None:
    """Run a stage in this process, in several of this pod, or in pods of a TrainJob."""
    gpus = processes(settings, min(STAGES[stage].gpus, visible_gpus()))
    if launcher:
        importlib.import_module("msm.components.trainjob").train(launcher, stage, settings, folders, out, execution)
    elif gpus > 1:
        words = [*command(stage, settings, folders, out), "--work", str(execution.work), "--stop_with_parent"]
        words += ["--part", execution.part] if execution.part else []
        if code := torchrun.run(words, gpus):
            sys.exit(code)
    else:
        run_stage(stage, settings, folders, out, execution)


def publish(folder: Path, target: Path) -> None:
    """Copy what the dashboard shows of a stage: manifest and log, and of scores and reports everything."""
    whole = STAGES[artifacts.read_manifest(folder)["stage"]].payload in SHOWN
    names = sorted(path.name for path in folder.iterdir()) if whole else [artifacts.MANIFEST, artifacts.LOG]
    with artifacts.new_folder(target) as partial:
        for path in (folder / name for name in names):
            if path.is_dir():
                shutil.copytree(path, partial / path.name)
            elif path.is_file():
                shutil.copy(path, partial)


def _folder(value: Artifact | list[Artifact], gathered: Path) -> Path:
    """An artifact under its own name, FAMILY/ROW: manifests tell lineage by the last two parts of a path."""
    if isinstance(value, list):
        return [_folder(artifact, gathered) for artifact in value].pop().parent
    link = gathered / value.metadata["name"]
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path(value.path).resolve())
    return link


def metadata(folder: Path, name: str) -> dict[str, Any]:
    """What the Kubeflow UI shows beside an artifact: its manifest, with one checksum for the payload."""
    manifest = artifacts.read_manifest(folder)
    kept = ("stage", "settings", "facts", "inputs", "commit", "versions", "device", "seconds", "command")
    return {"name": name, "checksum": artifacts.payload_checksum(folder), **{field: manifest[field] for field in kept}}


def log_scores(folder: Path, metrics: Artifact) -> None:
    """Means and per-language values as scalar metrics: `map@20`, `map@20 same`, `map@20 de`."""
    for _, cell in files.read_json_lines(artifacts.payload(folder) / "scores.jsonl"):
        pool, language = cell["candidate_language"], cell["query_language"]
        if cell["value"] is not None and (language == MEANS or pool is None):
            shown = [cell["measure"], *([pool] if pool else []), *([language] if language != MEANS else [])]
            metrics.log_metric(" ".join(shown), cell["value"])
    Path(metrics.path).touch()
