"""Runs a stage as a Kubeflow TrainJob on one or more whole nodes, watched by the small pod of the pipeline's task.

The job's pods share a volume with the watching pod and nothing else: inputs are copied there, the stage writes there,
and its finished folder is copied to the artifact. The job's name is a function of what it computes, of the image and
of the code in it, so a watcher that is started again finds the job it left. The job belongs to the pipeline's run:
whoever deletes the run deletes it. It is written as data, not by Kubeflow's SDK, which can give a job no owner and
says neither that a job is queued nor why its pods wait.
"""

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import msm
from msm import stopping, tracking
from msm.components import verdicts
from msm.components.clusters import GPU, PART_OF, PRIORITY, QUEUE, TRAINING, TrainJobPlace
from msm.components.kubernetes_api import Api, ApiFailed, Object, Unreachable, condition, is_true
from msm.errors import CommandError, Preempted
from msm.execution import Execution
from msm.pipeline.artifacts import MANIFEST, checksum, checksums, payload_checksum
from msm.pipeline.runner import command
from msm.pipeline.stages import STAGES
from msm.settings import Settings

RUNTIME = "msm-torch"
"""The TrainingRuntime of `manifests/base`: shared volume, /dev/shm, no root."""
PATIENCE = 900.0
"""Seconds that the API may be unreachable before a watcher gives up; the job itself goes on."""
CONTAINER = "node"
STUCK = ("admitted", "unschedulable", "starting")
"""Phases in which a job holds its quota and does nothing with it."""


class TrainJobFailed(CommandError):
    """The job failed, was refused, waited too long, or somebody else deleted it."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class JobState(NamedTuple):
    """State of a job, in words for people."""

    phase: str
    """Phase: created, queued, admitted, unschedulable, starting, running, complete or failed."""
    words: str = ""
    """Explanation by Kueue, the scheduler or the kubelet, or the nodes of the job."""

    def __str__(self) -> str:
        return f"{self.phase}: {self.words}" if self.words else self.phase


def job_name(stage: str, words: Sequence[str], image: str) -> str:
    """Return the name of a job; the same command and image give the same name."""
    return f"msm-{re.sub(r'[^a-z0-9]+', '-', stage)}-{checksum({'words': list(words), 'image': image})[:12]}"


def train_job(place: TrainJobPlace, name: str, words: Sequence[str], seconds: int, owner: Object | None) -> Object:
    """Return a job as an object of the API. Its pods get the address of the tracking server of this process.

    Args:
        place: nodes and resources of the job.
        name: name of the job.
        words: words of the command of each node.
        seconds: seconds after which the cluster ends the job.
        owner: reference to the pipeline's run that owns the job, or None.
    """
    resources = {"cpu": str(place.cpus), "memory": f"{place.memory_gib}Gi"}
    resources |= {GPU: str(place.gpus)} if place.gpus else {}
    servers = [{"name": name, "value": os.environ[name]} for name in tracking.ADDRESSES.values() if name in os.environ]
    labels = PART_OF | {QUEUE: place.queue, PRIORITY: TRAINING}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name, "labels": labels, **({"ownerReferences": [owner]} if owner else {})},
        "spec": {
            "activeDeadlineSeconds": seconds,
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": RUNTIME},
            "trainer": {
                "image": place.image,
                "command": list(words[:2]),
                "args": list(words[2:]),
                "numNodes": place.nodes,
                "resourcesPerNode": {"requests": resources, "limits": resources},
                **({"env": servers} if servers else {}),
            },
        },
    }


def owner_of(pod: Object | None) -> Object | None:
    """Return a reference to the run of a pipeline (Argo's Workflow) that owns a pod, or None."""
    owners = pod["metadata"].get("ownerReferences", []) if pod else []
    workflow = next((each for each in owners if each["kind"] == "Workflow"), None)
    return {name: workflow[name] for name in ("apiVersion", "kind", "name", "uid")} if workflow else None


class Watcher:
    """Starts a job, or finds the one that an earlier attempt left, and follows it to its end."""

    def __init__(self, api: Api, place: TrainJobPlace, name: str, *, every: float = 10.0) -> None:
        self.api, self.place, self.name, self.every = api, place, name, every
        self.title = f"TrainJob {place.namespace}/{name}"
        self.own_pod = os.environ.get("KFP_POD_NAME", "")
        self.log = _NodeLog(api)

    def run(self, words: Sequence[str], seconds: int) -> None:
        """Run a command from start to end; a finished job is deleted.

        Raises:
            TrainJobFailed: the job failed, could not start, or is gone. The exit code is that of the process that
                failed first, where it is a verdict.
            Preempted: this process was asked to stop.
        """
        with self._deleted_on_cancel():
            self._start(words, seconds)
            self._wait()
        self._patiently(lambda: self.api.delete_job(self.name))

    def _start(self, words: Sequence[str], seconds: int) -> None:
        owner = owner_of(self._patiently(lambda: self.api.pod(self.own_pod))) if self.own_pod else None
        job = train_job(self.place, self.name, words, seconds, owner)
        while not self._created(job):
            before = self._patiently(lambda: self.api.job(self.name))
            if before and not is_true(before, "Failed") and not before["metadata"].get("deletionTimestamp"):
                sys.stderr.write(f"{self.name}: is there already, and is followed\n")
                return
            self._patiently(lambda: self.api.delete_job(self.name))
            time.sleep(self.every)

    def _created(self, job: Object) -> bool:
        try:
            self._patiently(lambda: self.api.create_job(job))
        except ApiFailed as error:
            if error.status == 409:
                return False
            raise
        return True

    def _wait(self) -> None:
        before, stuck_since = JobState(""), None
        while True:
            pods, state = self._patiently(self._look)
            if state != before:
                sys.stderr.write(f"{time.strftime('%H:%M:%S')} {self.name}: {state}\n")
                before = state
            self.log.show(pods)
            if state.phase == "complete":
                return
            if state.phase == "failed":
                raise TrainJobFailed(f"{self.title} failed: {state.words}; its log stands above", _exit_code(pods))
            # A job that holds its quota and cannot start keeps the quota from all others.
            stuck_since = (stuck_since or time.monotonic()) if state.phase in STUCK else None
            if stuck_since is not None and time.monotonic() - stuck_since > self.place.start_minutes * 60:
                self._patiently(lambda: self.api.delete_job(self.name))
                minutes = f"after {self.place.start_minutes:g} minutes, and is deleted so that others get its quota"
                raise TrainJobFailed(f"{self.title} had not started {minutes}; {state}")
            time.sleep(self.every)

    def _look(self) -> tuple[list[Object], JobState]:
        job = self.api.job(self.name)
        if job is None:
            raise TrainJobFailed(f"{self.title} is gone: somebody deleted it, or the run that it belongs to")
        pods = self.api.pods(self.name)
        return pods, state_of(job, self.api.workload(job), pods, self.place.nodes)

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """Repeat a request until the API answers.

        Raises:
            TrainJobFailed: the API has not been reached for `PATIENCE` seconds.
        """
        began = time.monotonic()
        while True:
            try:
                return ask()
            except Unreachable as error:
                if time.monotonic() - began > PATIENCE:
                    raise TrainJobFailed(f"{error}, for {PATIENCE / 60:g} minutes; the job itself goes on") from error
                sys.stderr.write(f"{error}; trying again\n")
                time.sleep(self.every)

    @contextmanager
    def _deleted_on_cancel(self) -> Iterator[None]:
        """Within the block SIGTERM deletes the job: the run was cancelled, and nobody needs it any more.

        When this pod itself is evicted, its next attempt will follow the job, so that it stays.

        Raises:
            Preempted: in both cases; the job's checkpoints stay on the volume, and a retry goes on from them.
        """

        def end(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise _Cancelled

        try:
            with stopping.handled_by(end):
                yield
        except _Cancelled as error:
            if self._evicted():
                raise Preempted("this pod is evicted; the TrainJob goes on, and the next attempt follows it") from error
            self.api.delete_job(self.name)
            raise Preempted("asked to stop; the TrainJob is deleted, its checkpoints stay") from error

    def _evicted(self) -> bool:
        """Return whether the cluster evicts this pod (a drain, Kueue), rather than somebody cancels the run."""
        try:
            pod = self.api.pod(self.own_pod) if self.own_pod else None
        except (ApiFailed, Unreachable):
            return False
        return pod is not None and (is_true(pod, "DisruptionTarget") or is_true(pod, "TerminationTarget"))


class _Cancelled(BaseException):
    """Raised by the signal; no `except Exception` of a library on the way may swallow it."""


def state_of(job: Object, workload: Object | None, pods: Sequence[Object], nodes: int) -> JobState:
    """Return the state of a job, from the messages of Trainer, Kueue, the scheduler and the kubelets."""
    for kind in ("Complete", "Failed"):
        if is_true(job, kind):
            return JobState(kind.lower(), condition(job, kind).get("message", ""))
    if workload is not None and not is_true(workload, "Admitted"):
        return JobState("queued", _queued(workload))
    if is_true(job, "Suspended"):
        return JobState("queued", condition(job, "Suspended").get("message", ""))
    for pod in pods:
        scheduling = condition(pod, "PodScheduled")
        if scheduling.get("status") == "False":
            return JobState("unschedulable", scheduling.get("message", ""))
    live_pods = [pod for pod in pods if pod["status"].get("phase") in ("Running", "Succeeded")]
    if pods and len(live_pods) == nodes:
        return JobState("running", f"on {', '.join(sorted(pod['spec'].get('nodeName', '?') for pod in live_pods))}")
    if pods:
        return JobState("starting", _starting(pods))
    return JobState("admitted" if workload is not None else "created")


def _queued(workload: Object) -> str:
    """Return the reason why a workload waits: it was evicted, or there is no quota for it."""
    quota = condition(workload, "QuotaReserved").get("message", "")
    eviction = condition(workload, "Evicted").get("message", "") if is_true(workload, "Evicted") else ""
    return "; ".join(text for text in (eviction, quota) if text)


def _starting(pods: Sequence[Object]) -> str:
    """Return the reason why containers do not run yet, in the words of the kubelets."""
    states = [status.get("state", {}) for pod in pods for status in pod["status"].get("containerStatuses", [])]
    reasons = [state["waiting"] for state in states if "waiting" in state]
    texts = [f"{each.get('reason', '')} {each.get('message', '')}".strip() for each in reasons]
    return "; ".join(dict.fromkeys(texts))


def _exit_code(pods: Sequence[Object]) -> int:
    """Return the exit code of a failed node if it is a verdict, else 1."""
    ends = [status.get("state", {}).get("terminated", {}) for pod in pods for status in _statuses(pod)]
    return next((end["exitCode"] for end in ends if end.get("exitCode") in verdicts.CODES), 1)


def _statuses(pod: Object) -> list[Object]:
    return [status for status in pod["status"].get("containerStatuses", []) if status["name"] == CONTAINER]


class _NodeLog:
    """The log of the first node, which is copied to stderr as it grows; a pod that replaces another has a new log."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.pod, self.last, self.request_time = "", "", 0.0

    def show(self, pods: Sequence[Object]) -> None:
        """Write the new lines to stderr."""
        if not pods or pods[0]["status"].get("phase") == "Pending":
            return
        pod, now = pods[0]["metadata"]["name"], time.monotonic()
        # A minute more than has passed, as clocks differ; the time of a line tells whether it was shown.
        seconds = int(now - self.request_time) + 60 if pod == self.pod else 10 * 365 * 86400
        try:
            lines = self.api.log(pod, seconds)
        except (ApiFailed, Unreachable) as error:
            sys.stderr.write(f"{error}\n")
            return
        if pod != self.pod:
            self.pod, self.last = pod, ""
        self.request_time = now
        for line in lines:
            moment, _, text = line.partition(" ")
            if moment > self.last:
                self.last = moment
                sys.stderr.write(f"{text}\n")


def copy_in(folder: Path, shared_folder: Path) -> Path:
    """Copy a stage folder to the shared volume, unless it is there, and return its path there."""
    if not shared_folder.is_dir():
        partial = shared_folder.with_name(f".{shared_folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder, partial)
        partial.rename(shared_folder)
    return shared_folder


def code_checksum() -> str:
    """Return a checksum of the program's own files, which differs between an image and a rebuilt one."""
    folder = Path(msm.__file__).parent
    return checksum({"files": {name: value for name, value in checksums(folder).items() if name.endswith(".py")}})


def train(
    text: str, stage: str, settings: Settings, folders: Mapping[str, Path], out: Path, execution: Execution
) -> None:
    """Run a stage as a TrainJob on copies of its inputs, and copy its output back.

    Args:
        text: a `TrainJobPlace` as JSON.
        stage: name of the stage in the table of stages.
        settings: settings of the stage.
        folders: name of each input to its stage folder in this pod.
        out: stage folder to write in this pod.
        execution: `execution.work` is FAMILY/ROW in the folder that the job's pods share with this one.
    """
    place = TrainJobPlace(**json.loads(text)).shared_by(settings)
    name, shared_folder = Path(*execution.work.parts[-2:]), execution.work.parents[1]
    copies = {}
    for input_name, folder in folders.items():
        copies[input_name] = copy_in(
            folder, shared_folder / "inputs" / payload_checksum(folder)[:16] / "/".join(folder.parts[-2:])
        )
    says = {"words": command(stage, settings, copies, name), "image": place.image, "code": code_checksum()}
    target = shared_folder / "outputs" / checksum(says)[:16] / name
    if not (target / MANIFEST).is_file():
        words = [*command(stage, settings, copies, target), "--work", str(execution.work)]
        words += ["--gpus", str(max(1, place.gpus))]
        words += ["--log", execution.log] if execution.log else []
        watcher = Watcher(Api(place.namespace), place, job_name(stage, words, place.image))
        watcher.run(words, STAGES[stage].hours * 3600)
    shutil.copytree(target, out, dirs_exist_ok=True)
