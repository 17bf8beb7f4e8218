"""Runs a stage inside the pod of a pipeline task; this is the only place where Kubeflow's artifacts meet a stage."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from msm.components import verdicts
from msm.components.kubeflow_artifacts import Artifact, log_scores, metadata
from msm.execution import Execution
from msm.imports import entry
from msm.pipeline import artifacts, torchrun
from msm.pipeline.places import processes, visible_gpus
from msm.pipeline.runner import command, run_stage
from msm.pipeline.stages import STAGES
from msm.reporting.settings import DOCUMENT
from msm.settings import Settings, make
from msm.stopping import stop_with_parent

SHOWN = ("scores", "report")
"""Names of the payloads that the dashboard reads."""
VERDICT = "verdict.json"
"""File name of a verdict, beside the scratch folders of a task."""


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
    log: str = "",
    metrics: Artifact | None = None,
    summary: Artifact | None = None,
) -> None:
    """Run a stage on the artifacts of a task, and describe its output.

    Args:
        stage: name of the stage in the table of stages.
        name: name of the task, FAMILY/ROW; it is kept as metadata for the lineage.
        settings: settings of the stage, as a JSON object.
        reads: artifacts of the inputs, by name; a list of artifacts is read as one folder of rows.
        out: artifact to write, whose path becomes the stage folder.
        work: folder for scratch files that outlives this pod.
        published: folder that gets a copy for the dashboard; empty for none.
        mirror: folder with a copy of the public files; empty for the network.
        launcher: a `TrainJobPlace` as JSON; empty to run in this pod.
        log: tool that shows losses and scores, see `msm.tracking`; empty for none.
        metrics: artifact for the means and the values of every language.
        summary: artifact for the text of the report.

    Raises:
        BadInput: settings or inputs are wrong.
    """
    if verdicts.run_id():
        # Kubeflow's launcher does not pass on a request to stop. It dies instead, so its death is the sign.
        stop_with_parent()
    stage_settings = make(STAGES[stage].settings, json.loads(settings), name)
    target = Path(out.path)
    with tempfile.TemporaryDirectory() as scratch, verdicts.kept(Path(work) / name / VERDICT):
        folders = {input_name: _folder(value, Path(scratch) / input_name) for input_name, value in reads.items()}
        execution = Execution(work=Path(work) / name, mirror=mirror, log=log)
        _run(stage, stage_settings, folders, target, execution, launcher)
    if published:
        publish(target, Path(published) / name)
    out.metadata.update(metadata(target, name))
    if metrics is not None:
        log_scores(target, metrics)
    if summary is not None:
        shutil.copy(artifacts.payload(target) / DOCUMENT, summary.path)


def run_part(stage: str, name: str, settings: str, reads: Mapping[str, Artifact], part: str, *, work: str) -> None:
    """Do a part of a stage. Its results stay in the scratch folder, where the task that joins the parts reads them.

    Args:
        stage: name of the stage in the table of stages.
        name: name of the task that joins the parts, FAMILY/ROW.
        settings: settings of the stage, as a JSON object.
        reads: artifacts of the inputs, by name.
        part: number of the part, from 1, and number of parts, as I/N.
        work: folder for scratch files that outlives this pod, the same for all parts.

    Raises:
        BadInput: settings or inputs are wrong, or the stage has no parts.
    """
    if verdicts.run_id():
        stop_with_parent()
    stage_settings = make(STAGES[stage].settings, json.loads(settings), name)
    verdict = Path(work) / name / f"part-{part.replace('/', '-')}" / VERDICT
    with tempfile.TemporaryDirectory() as scratch, verdicts.kept(verdict):
        folders = {input_name: _folder(value, Path(scratch) / input_name) for input_name, value in reads.items()}
        execution = Execution(work=Path(work) / name, part=part)
        _run(stage, stage_settings, folders, Path(scratch) / "unused", execution, "")


def _run(
    stage: str, settings: Settings, folders: Mapping[str, Path], out: Path, execution: Execution, launcher: str
) -> None:
    """Run a stage in this process, in several of this pod, or in pods of a TrainJob."""
    gpus = processes(settings, min(STAGES[stage].gpus, visible_gpus()))
    if launcher:
        entry("msm.components.trainjob:train")(launcher, stage, settings, folders, out, execution)
    elif gpus > 1:
        words = [*command(stage, settings, folders, out), "--work", str(execution.work), "--stop_with_parent"]
        words += ["--part", execution.part] if execution.part else []
        words += ["--log", execution.log] if execution.log else []
        if code := torchrun.run(words, gpus):
            sys.exit(code)
    else:
        run_stage(stage, settings, folders, out, execution)


def publish(folder: Path, target: Path) -> None:
    """Copy the files that the dashboard shows: manifest and log, and all files of scores and reports."""
    whole = STAGES[artifacts.read_manifest(folder)["stage"]].payload in SHOWN
    names = sorted(path.name for path in folder.iterdir()) if whole else [artifacts.MANIFEST, artifacts.LOG]
    with artifacts.new_folder(target) as partial:
        for path in (folder / name for name in names):
            if path.is_dir():
                shutil.copytree(path, partial / path.name)
            elif path.is_file():
                shutil.copy(path, partial)


def _folder(value: Artifact | list[Artifact], scratch: Path) -> Path:
    """Return a path of an artifact that ends in its name, FAMILY/ROW, by which manifests record its lineage."""
    if isinstance(value, list):
        return [_folder(artifact, scratch) for artifact in value].pop().parent
    link = scratch / value.metadata["name"]
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path(value.path).resolve())
    return link
