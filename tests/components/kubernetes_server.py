"""A small stand-in for the Kubernetes API: TrainJobs, their pods and logs, and Kueue's workloads, over HTTP."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STARTED = "2026-01-01T00:00:00Z"
NO_QUOTA = "couldn't assign flavors to pod set node: insufficient unused quota for nvidia.com/gpu in flavor msm-a100"
NO_NODE = "0/12 nodes are available: 12 Insufficient cpu."
NO_IMAGE = "Back-off pulling image"
WORKFLOW = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "matrix-x7k2p", "uid": "w-1"}
QUEUED = ("queued", "evicted")
PODLESS = (*QUEUED, "created", "admitted", "gone")


class KubernetesServer:
    """Each GET of a job moves it one state on.

    created, queued, admitted, unschedulable, pulling, running, evicted (Kueue suspends it), complete, failed:CODE (of
    the second node), gone, and for the whole server `down` (503) and `cut` (the connection ends without an answer).
    """

    def __init__(self, states: tuple[str, ...] = ("created", "running", "complete")) -> None:
        self.states = list(states)
        self.state = "created"
        self.jobs: dict[str, dict[str, Any]] = {}
        self.created: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.requests: list[tuple[str, str]] = []
        """Method and path of everything that was asked."""
        self.forbidden: set[str] = set()
        """Methods that are refused for TrainJobs."""
        self.lines = ["step 1", "step 2"]
        """Log of every pod."""
        self.pod_conditions: list[dict[str, str]] = []
        """Of the pod that watches."""
        self.on_look: Callable[[], None] | None = None
        self.on_create: Callable[[list[str]], object] | None = None
        """Gets the words of a new job; may do its work."""
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.host = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.http.shutdown()
        self.http.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and body; status 0 cuts the connection."""
        self.requests.append((method, path))
        parts = path.strip("/").split("/")
        if parts[-1] == "workloads":
            return 200, {"items": self._workloads()}
        if parts[-1] == "pods":
            return 200, {"items": self._pods()}
        if parts[-1] == "log":
            return 200, "".join(f"2026-01-01T00:00:{place:02d}Z {line}\n" for place, line in enumerate(self.lines))
        if parts[-2] == "pods":
            metadata = {"name": parts[-1], "ownerReferences": [WORKFLOW | {"controller": True}]}
            return 200, {"metadata": metadata, "status": {"conditions": self.pod_conditions}}
        if "trainjobs" not in parts:
            return 404, failure(404, "NotFound", path)
        if method in self.forbidden:
            return 403, failure(403, "Forbidden", "trainjobs.trainer.kubeflow.org is forbidden")
        return self._job(method, parts, body)

    def _job(self, method: str, parts: list[str], body: bytes) -> tuple[int, Any]:
        if method == "POST":
            job = json.loads(body)
            name = job["metadata"]["name"]
            if name in self.jobs:
                return 409, failure(409, "AlreadyExists", name)
            job["metadata"] |= {"namespace": parts[-2], "creationTimestamp": STARTED, "uid": str(len(self.created))}
            self.jobs[name] = job
            self.created.append(job)
            if self.on_create is not None:
                self.on_create(job["spec"]["trainer"]["args"])
            return 201, job
        name = parts[-1]
        if name not in self.jobs:
            return 404, failure(404, "NotFound", name)
        if method == "DELETE":
            self.deleted.append(name)
            return 200, self.jobs.pop(name)
        return self._look(name)

    def _look(self, name: str) -> tuple[int, Any]:
        if self.on_look is not None:
            self.on_look()
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "down":
            return 503, failure(503, "ServiceUnavailable", "etcd is not there")
        if state == "cut":
            return 0, None
        if state == "gone":
            del self.jobs[name]
            return 404, failure(404, "NotFound", name)
        self.state = state
        kind = {"complete": "Complete", "failed": "Failed"} | dict.fromkeys(QUEUED, "Suspended")
        self.jobs[name].pop("status", None)
        if word := kind.get(state.partition(":")[0]):
            self.jobs[name]["status"] = {"conditions": [_condition(word, "True", f"it is {state}")]}
        return 200, self.jobs[name]

    def _workloads(self) -> list[dict[str, Any]]:
        if self.state == "created":
            return []
        quota = _condition("QuotaReserved", "False", NO_QUOTA)
        conditions = {
            "queued": [quota],
            "evicted": [quota, _condition("Evicted", "True", "Preempted to accommodate a workload (UID: 7)")],
        }.get(self.state, [_condition("Admitted", "True", "The workload is admitted")])
        return [{"metadata": {"name": "w", "creationTimestamp": STARTED}, "status": {"conditions": conditions}}]

    def _pods(self) -> list[dict[str, Any]]:
        if self.state in PODLESS or not self.created:
            return []
        return [_pod(node, self.state) for node in range(self.created[-1]["spec"]["trainer"]["numNodes"])]


def _condition(kind: str, status: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": "Because", "message": message, "lastTransitionTime": STARTED}


def _pod(node: int, state: str) -> dict[str, Any]:
    labels = {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": str(node)}
    container: dict[str, Any] = {"name": "node", "state": {"running": {"startedAt": STARTED}}}
    status: dict[str, Any] = {"phase": "Running", "conditions": [_condition("PodScheduled", "True", "")]}
    if state == "unschedulable":
        status = {"phase": "Pending", "conditions": [_condition("PodScheduled", "False", NO_NODE)]}
        container["state"] = {}
    elif state == "pulling":
        status["phase"] = "Pending"
        container["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": NO_IMAGE}}
    elif state.startswith("failed"):
        status["phase"] = "Failed"
        code = int(state.partition(":")[2] or "1") if node else 1
        container["state"] = {"terminated": {"exitCode": code}}
    metadata = {"name": f"job-node-0-{node}", "labels": labels, "creationTimestamp": STARTED}
    return {
        "metadata": metadata,
        "spec": {"nodeName": f"gpu-{node}"},
        "status": status | {"containerStatuses": [container]},
    }


def failure(code: int, reason: str, message: str) -> dict[str, Any]:
    """Kubernetes' own form of an error."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }


def _handler(server: KubernetesServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self._reply("POST")

        def do_DELETE(self) -> None:
            self._reply("DELETE")

        def _reply(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = server.answer(method, self.path.split("?")[0], body)
            if not status:
                self.close_connection = True
                return
            text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
