"""Makes the few calls of the Kubernetes API that the watcher of a TrainJob needs; objects are plain dictionaries."""

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
"""Status codes of answers after which the same request is sent again."""
HINTS = {
    401: "the pod's service-account token is not accepted",
    403: "the service account may not; it needs the role `msm-trainjobs` of manifests/base/rbac.yaml",
    404: "there is none; is Kubeflow Trainer v2 installed?",
    422: "the cluster rejects the job",
}
Object = dict[str, Any]


class ApiFailed(CommandError):
    """The API refuses a request, and would refuse it again."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(CommandError):
    """The API cannot be reached at the moment; a later request may succeed."""


class Api:
    """One namespace of a cluster."""

    def __init__(self, namespace: str, connection: client.ApiClient | None = None) -> None:
        self.namespace = namespace
        connection = connection or _connection()
        self._custom, self._core = client.CustomObjectsApi(connection), client.CoreV1Api(connection)

    def create_job(self, job: Mapping[str, Any]) -> Object:
        """Create a TrainJob.

        Raises:
            ApiFailed: the API refuses it; `status` is 409 where a TrainJob of this name exists.
        """
        name = job["metadata"]["name"]
        with told(f"TrainJob {self.namespace}/{name}"):
            return self._custom.create_namespaced_custom_object(
                *TRAINER, self.namespace, "trainjobs", dict(job), _request_timeout=TIMEOUT
            )

    def job(self, name: str) -> Object | None:
        """Return the TrainJob of a name, or None where there is none."""
        ask = self._custom.get_namespaced_custom_object
        return self._found(name, lambda: ask(*TRAINER, self.namespace, "trainjobs", name, _request_timeout=TIMEOUT))

    def delete_job(self, name: str) -> None:
        """Delete a TrainJob and its pods; nothing happens where there is none."""
        ask = self._custom.delete_namespaced_custom_object
        self._found(name, lambda: ask(*TRAINER, self.namespace, "trainjobs", name, _request_timeout=TIMEOUT))

    def workload(self, job: Mapping[str, Any]) -> Object | None:
        """Return Kueue's workload of a job, the newest where there are several, or None."""
        selector = f"kueue.x-k8s.io/job-uid={job['metadata']['uid']}"
        ask = self._custom.list_namespaced_custom_object
        answer = self._found(
            job["metadata"]["name"],
            lambda: ask(*KUEUE, self.namespace, "workloads", label_selector=selector, _request_timeout=TIMEOUT),
        )
        items = answer["items"] if answer else []
        return max(items, key=lambda item: item["metadata"]["creationTimestamp"], default=None)

    def pods(self, name: str) -> list[Object]:
        """Return the pods of a TrainJob, sorted by their number; of several with one number, only the newest."""
        selector = f"jobset.sigs.k8s.io/jobset-name={name}"
        with told(f"pods of TrainJob {self.namespace}/{name}"):
            answer = self._core.list_namespaced_pod(
                self.namespace, label_selector=selector, _preload_content=False, _request_timeout=TIMEOUT
            )
        pods = sorted(json.loads(answer.data)["items"], key=lambda pod: pod["metadata"]["creationTimestamp"])
        return [pod for _, pod in sorted({_number(pod): pod for pod in pods}.items())]

    def pod(self, name: str) -> Object | None:
        """Return the pod of a name, or None."""
        ask = self._core.read_namespaced_pod
        answer = self._found(name, lambda: ask(name, self.namespace, _preload_content=False, _request_timeout=TIMEOUT))
        return json.loads(answer.data) if answer else None

    def log(self, pod: str, seconds: int) -> list[str]:
        """Return the lines that a pod wrote in the last seconds, each after its time; none where it has no log yet."""
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
    """Return a condition of an object by its type; an empty dictionary where it has none."""
    conditions = thing.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def is_true(thing: Mapping[str, Any], kind: str) -> bool:
    """Return whether a condition of an object holds."""
    return condition(thing, kind).get("status") == "True"


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn failures of the API within the block into errors of one line.

    Raises:
        Unreachable: the network or the server fails at the moment.
        ApiFailed: the server refuses the request.
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
    """Return the server's own message in one line."""
    try:
        message = json.loads(error.body or "{}").get("message", "")
    except (ValueError, AttributeError):
        return ""
    return f": {' '.join(str(message).split())[:300]}" if message else ""


def _number(pod: Mapping[str, Any]) -> int:
    return int(pod["metadata"]["labels"].get("batch.kubernetes.io/job-completion-index", 0))


def _connection() -> client.ApiClient:
    """Return a connection to the cluster of this pod, else to that of the kubeconfig.

    Raises:
        BadInput: this is no pod, and there is no kubeconfig.
    """
    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except config.ConfigException as error:
            raise BadInput(f"no cluster: this is no pod of one, and there is no kubeconfig ({error})") from error
    return client.ApiClient()
