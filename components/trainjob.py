"""A stage as a Kubeflow TrainJob: one or more nodes with all their GPUs, watched by the pipeline's own small pod.

The job's pods share a volume with the watching pod and nothing else: inputs are copied there, the stage writes there,
and its finished folder is copied to the artifact. The job's name is a function of what it computes, so a watcher
that is started again finds the job it left.
"""

import json
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.trainer import CustomTrainerContainer, TrainerClient
from kubeflow.trainer.options import Labels, Name, TrainerArgs, TrainerCommand
from kubernetes.client import ApiException

from msm.components.clusters import GPU, TrainJobPlace
from msm.errors import CommandError, Preempted
from msm.pipeline.artifacts import MANIFEST, checksum, payload_checksum
from msm.pipeline.runner import command
from msm.settings import Settings

RUNTIME = "msm-torch"
"""The TrainingRuntime of `manifests/base`: shared volume, /dev/shm, no root."""
COMMAND = ("torchrun",)
HINTS = {
    401: "the pod's service-account token is not accepted",
    403: "the service account may not; it needs the role `msm-trainjobs` of manifests/base/rbac.yaml",
    422: "the cluster rejects the job",
}


class TrainJobFailed(CommandError):
    """The job failed, was refused, or somebody else deleted it."""

    exit_code = 1


def job_name(words: Sequence[str]) -> str:
    """Name of the job that runs these words; the same words give the same name."""
    stage = re.sub(r"[^a-z0-9]+", "-", words[2])
    return f"msm-{stage}-{checksum({'words': list(words)})[:12]}"


def torchrun_words(words: Sequence[str]) -> list[str]:
    """Arguments of `torchrun`; rank, number of nodes and processes come from Trainer's PET_* variables."""
    return ["--no-python", *words]


def start(client: TrainerClient, place: TrainJobPlace, words: Sequence[str], *, every: float = 10.0) -> str:
    """Create the job, or find the one that an earlier attempt created; a failed one is replaced.

    Raises:
        TrainJobFailed: the cluster refuses.
    """
    name = job_name(words)
    with told(f"TrainJob {place.namespace}/{name}"):
        try:
            _create(client, place, name, words)
        except RuntimeError as error:
            if _status(error) != 409:
                raise
            if client.get_job(name).status == "Failed":
                delete(client, name)
                while _exists(client, name):
                    time.sleep(every)
                _create(client, place, name, words)
    return name


def _create(client: TrainerClient, place: TrainJobPlace, name: str, words: Sequence[str]) -> None:
    resources = {"cpu": str(place.cpus), "memory": f"{place.memory_gib}Gi"}
    if place.gpus:
        resources[GPU] = str(place.gpus)
    client.train(
        runtime=RUNTIME,
        trainer=CustomTrainerContainer(image=place.image, num_nodes=place.nodes, resources_per_node=resources),
        options=[
            Name(name),
            Labels({"kueue.x-k8s.io/queue-name": place.queue, "app.kubernetes.io/part-of": "msm"}),
            TrainerCommand(list(COMMAND)),
            TrainerArgs(torchrun_words(words)),
        ],
    )


def _exists(client: TrainerClient, name: str) -> bool:
    try:
        client.get_job(name)
    except RuntimeError as error:
        if _status(error) == 404:
            return False
        raise
    return True


def wait(client: TrainerClient, place: TrainJobPlace, name: str, *, every: float = 10.0) -> None:
    """Follow a job until it is complete; its log goes to stderr.

    Raises:
        TrainJobFailed: it failed, was evicted for good, or is gone.
    """
    shown = 0
    state = ""
    while True:
        with told(f"TrainJob {place.namespace}/{name}"):
            job = client.get_job(name)
        if job.status != state:
            state = str(job.status)
            sys.stderr.write(f"{name}: {state.lower()}\n")
        shown = _show_log(client, name, shown)
        if state == "Complete":
            return
        if state == "Failed":
            raise TrainJobFailed(f"TrainJob {place.namespace}/{name} failed; its log stands above")
        time.sleep(every)


def _show_log(client: TrainerClient, name: str, shown: int) -> int:
    """Write what is new in the log of the first node; a pod that was replaced starts a new one."""
    try:
        lines = list(client.get_job_logs(name, follow=False))
    except RuntimeError:
        return shown
    for line in lines[shown if len(lines) >= shown else 0 :]:
        sys.stderr.write(f"{line}\n")
    return len(lines)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Failures of the Kubernetes API in one line."""
    try:
        yield
    except (RuntimeError, ApiException) as error:
        status = _status(error)
        if status is None:
            raise
        reason = "is gone: somebody deleted it" if status == 404 else HINTS.get(status, "the API refuses")
        raise TrainJobFailed(f"{what}: {status}: {reason}") from error


def _status(error: BaseException | None) -> int | None:
    while error is not None:
        if isinstance(error, ApiException):
            return error.status
        error = error.__cause__
    return None


def delete(client: TrainerClient, name: str) -> None:
    """Delete a job; one that is gone already is fine."""
    try:
        client.delete_job(name)
    except RuntimeError as error:
        if _status(error) != 404:
            raise


class _Cancelled(BaseException):
    """Raised by the signal; no `except Exception` of a library on the way may swallow it."""


@contextmanager
def deleted_on_cancel(client: TrainerClient, name: str) -> Iterator[None]:
    """Within the block, SIGTERM (the run was cancelled, or this pod is evicted) deletes the job.

    Raises:
        Preempted: after the deletion; the job's checkpoints stay on the volume, and a retry goes on from them.
    """

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Cancelled

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _Cancelled as error:
        delete(client, name)
        raise Preempted("asked to stop; the TrainJob is deleted, its checkpoints stay") from error
    finally:
        signal.signal(signal.SIGTERM, before)


def run(client: TrainerClient, place: TrainJobPlace, words: Sequence[str], *, every: float = 10.0) -> None:
    """Run a stage's words as a TrainJob, from start to end; a finished job is deleted.

    Args:
        client: of the cluster.
        place: where it runs.
        words: `msm run STAGE ...`, with folders on the shared volume.
        every: seconds between two looks at the job.

    Raises:
        TrainJobFailed: see `start` and `wait`.
        Preempted: asked to stop.
    """
    name = start(client, place, words, every=every)
    with deleted_on_cancel(client, name):
        wait(client, place, name, every=every)
    delete(client, name)


def copy_in(folder: Path, shared: Path) -> Path:
    """A stage folder on the shared volume, copied once."""
    if not shared.is_dir():
        partial = shared.with_name(f".{shared.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder, partial)
        partial.rename(shared)
    return shared


def train(
    text: str, stage: str, settings: Settings, folders: Mapping[str, Path], name: str, out: Path, work: Path
) -> None:
    """Run a stage as a TrainJob on copies of its inputs, and copy what it wrote.

    Args:
        text: a `TrainJobPlace` as JSON.
        stage: name in the stage table.
        settings: of the stage.
        folders: input name to stage folder, here.
        name: FAMILY/ROW of what is written.
        out: the stage folder to write, here.
        work: folder on the volume that the job's pods share with this one.
    """
    copies = {}
    for read, folder in folders.items():
        copies[read] = copy_in(folder, work / "inputs" / payload_checksum(folder)[:16] / "/".join(folder.parts[-2:]))
    identity = checksum({"words": command(stage, settings, copies, Path(name))})
    written = work / "outputs" / identity[:16] / name
    if not (written / MANIFEST).is_file():
        place = TrainJobPlace(**json.loads(text))
        words = [*command(stage, settings, copies, written), "--work", str(work / "scratch" / name)]
        run(TrainerClient(KubernetesBackendConfig(namespace=place.namespace)), place, words)
    shutil.copytree(written, out, dirs_exist_ok=True)
