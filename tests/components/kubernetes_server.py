"""A small stand-in for the Kubernetes API: TrainJobs, their runtime, pods and logs, over HTTP."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STARTED = "2026-01-01T00:00:00Z"


class KubernetesServer:
    """Each GET of a job moves it one state on: suspended, created, running, evicted, complete, failed, gone."""

    def __init__(self, runtime: dict[str, Any], states: tuple[str, ...] = ("created", "running", "complete")) -> None:
        self.runtime = runtime
        self.states = list(states)
        self.jobs: dict[str, dict[str, Any]] = {}
        self.created: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.requests: list[tuple[str, str]] = []
        """Method and path of everything that was asked."""
        self.forbidden: set[str] = set()
        """Methods that are refused for TrainJobs."""
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
        """Status and body."""
        self.requests.append((method, path))
        parts = path.strip("/").split("/")
        if "trainingruntimes" in parts:
            return 200, self.runtime
        if parts[-1] == "pods":
            return 200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": self._pods()}
        if parts[-1] == "log":
            return 200, "step 1\nstep 2\n"
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
        if state == "gone":
            del self.jobs[name]
            return 404, failure(404, "NotFound", name)
        kinds = {"complete": "Complete", "failed": "Failed", "suspended": "Suspended", "evicted": "Suspended"}
        self.state = state
        self.jobs[name].pop("status", None)
        if state in kinds:
            condition = {"type": kinds[state], "status": "True", "reason": state.title(), "message": state}
            self.jobs[name]["status"] = {"conditions": [condition | {"lastTransitionTime": STARTED}]}
        return 200, self.jobs[name]

    def _pods(self) -> list[dict[str, Any]]:
        if self.state in ("created", "suspended", "evicted"):
            return []
        return [_pod(node) for node in range(self.created[-1]["spec"]["trainer"]["numNodes"])]


def _pod(node: int) -> dict[str, Any]:
    labels = {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": str(node)}
    container = {"name": "node", "image": "msm", "resources": {"limits": {"nvidia.com/gpu": "8"}}}
    metadata = {"name": f"job-node-0-{node}", "namespace": "msm", "labels": labels, "creationTimestamp": STARTED}
    return {"metadata": metadata, "spec": {"containers": [container]}, "status": {"phase": "Running"}}


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
            text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
