"""The few calls of the Kubernetes API that the watcher of a TrainJob makes; objects are plain dictionaries."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from msm.errors import BadInput, CommandError

TRAINER = ("trainer.kubeflow.org", "v1alpha1")
KUEUE = ("kueue.x-k8s.io", "v1beta2")
TIMEOUT = (10.0, 30.0)
"""Seconds that a connection, and then an answer, may take."""
BUSY = (408, 410, 429)
"""Answers that say no more than: ask again."""
HINTS = {
    401: "the pod's service-account token is not accepted",
    403: "the service account may not; it needs the role `msm-trainjobs` of manifests/base/rbac.yaml",
    404: "there is none; is Kubeflow Trainer v2 installed?",
    422: "the cluster rejects the job",
}
Object = dict[str, Any]


class ApiFailed(CommandError):
    """The API refuses a request; asking again would not help."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(CommandError):
    """The API cannot be reached, or not for the moment; asking again may help."""


class Api:
    """One namespace of a cluster."""

    def __init__(self, namespace: str, connection: client.ApiClient | None = None) -> None:
        self.namespace = namespace
        connection = connection or _connection()
        self._custom, self._core = client.CustomObjectsApi(connection), client.CoreV1Api(connection)

    def create_job(self, job: Mapping[str, Any]) -> Object:
        """Create a TrainJob.

        Raises:
            ApiFailed: it is refused; `status` 409 where one of this name is there.
        """
        name = job["metadata"]["name"]
        with told(f"TrainJob {self.namespace}/{name}"):
            return self._custom.create_namespaced_custom_object(
                *TRAINER, self.namespace, "trainjobs", dict(job), _request_timeout=TIMEOUT
            )

    def job(self, name: str) -> Object | None:
        """A TrainJob, or None when there is none."""
        ask = self._custom.get_namespaced_custom_object
        return self._found(name, lambda: ask(*TRAINER, self.namespace, "trainjobs", name, _request_timeout=TIMEOUT))

    def delete_job(self, name: str) -> None:
        """Delete a TrainJob and what it made; one that is gone already is fine."""
        ask = self._custom.delete_namespaced_custom_object
        self._found(name, lambda: ask(*TRAINER, self.namespace, "trainjobs", name, _request_timeout=TIMEOUT))

    def workload(self, job: Mapping[str, Any]) -> Object | None:
        """What Kueue knows of a job, or None; newest first where there are several."""
        selector = f"kueue.x-k8s.io/job-uid={job['metadata']['uid']}"
        ask = self._custom.list_namespaced_custom_object
        answer = self._found(
            job["metadata"]["name"],
            lambda: ask(*KUEUE, self.namespace, "workloads", label_selector=selector, _request_timeout=TIMEOUT),
        )
        items = answer["items"] if answer else []
        return max(items, key=lambda item: item["metadata"]["creationTimestamp"], default=None)

    def pods(self, name: str) -> list[Object]:
        """The pods of a TrainJob by their number; of several with one number the newest."""
        selector = f"jobset.sigs.k8s.io/jobset-name={name}"
        with told(f"pods of TrainJob {self.namespace}/{name}"):
            answer = self._core.list_namespaced_pod(
                self.namespace, label_selector=selector, _preload_content=False, _request_timeout=TIMEOUT
            )
        pods = sorted(json.loads(answer.data)["items"], key=lambda pod: pod["metadata"]["creationTimestamp"])
        return [pod for _, pod in sorted({_number(pod): pod for pod in pods}.items())]

    def pod(self, name: str) -> Object | None:
        """One pod, or None."""
        ask = self._core.read_namespaced_pod
        answer = self._found(name, lambda: ask(name, self.namespace, _preload_content=False, _request_timeout=TIMEOUT))
        return json.loads(answer.data) if answer else None

    def log(self, pod: str, seconds: int) -> list[str]:
        """The lines that a pod wrote in the last seconds, each behind its time; none where it has no log yet."""
        ask = self._core.read_namespaced_pod_log
        try:
            with told(f"log of {self.namespace}/{pod}"):
                answer = ask(
                    pod,
                    self.namespace,
                    since_seconds=seconds,
                    timestamps=True,
                    _preload_content=False,
                    _request_timeout=TIMEOUT,
                )
        except ApiFailed as error:
            if error.status in (400, 404):
                return []
            raise
        return answer.data.decode(errors="replace").splitlines()

    def _found(self, name: str, ask: Callable[[], Any]) -> Any:
        try:
            with told(f"{self.namespace}/{name}"):
                return ask()
        except ApiFailed as error:
            if error.status == 404:
                return None
            raise


def condition(thing: Mapping[str, Any], kind: str) -> Object:
    """A condition of an object by its type; empty where it has none."""
    conditions = thing.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def is_true(thing: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition of an object holds."""
    return condition(thing, kind).get("status") == "True"


@contextmanager
def told(what: str) -> Iterator[None]:
    """Failures of the API in one line.

    Raises:
        Unreachable: the network, or the server for the moment.
        ApiFailed: it refuses.
    """
    try:
        yield
    except client.ApiException as error:
        status = error.status or 0
        if status >= 500 or status in BUSY or not status:
            raise Unreachable(f"{what}: {status} {error.reason}") from error
        raise ApiFailed(f"{what}: {status}: {HINTS.get(status, 'the API refuses')}{_words(error)}", status) from error
    except (HTTPError, OSError) as error:
        raise Unreachable(f"{what}: the API cannot be reached ({type(error).__name__})") from error


def _words(error: client.ApiException) -> str:
    """The server's own message, on one line."""
    try:
        message = json.loads(error.body or "{}").get("message", "")
    except (ValueError, AttributeError):
        return ""
    return f": {' '.join(str(message).split())[:300]}" if message else ""


def _number(pod: Mapping[str, Any]) -> int:
    return int(pod["metadata"]["labels"].get("batch.kubernetes.io/job-completion-index", 0))


def _connection() -> client.ApiClient:
    """The cluster that this pod runs in, else the one of the kubeconfig.

    Raises:
        BadInput: there is neither.
    """
    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except config.ConfigException as error:
            raise BadInput(f"no cluster: this is no pod of one, and there is no kubeconfig ({error})") from error
    return client.ApiClient()
