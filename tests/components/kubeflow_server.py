"""A small stand-in for the Kubeflow Pipelines API (v2beta1), over HTTP, with the faults a test asks for."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse


class KubeflowServer:
    """Keeps pipelines, versions, experiments and runs; each GET of a run moves it one state on."""

    def __init__(self, *, token: str = "", states: tuple[str, ...] = ("PENDING", "RUNNING", "SUCCEEDED")) -> None:
        self.token = token
        self.states = list(states)
        self.pipelines: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.experiments: dict[str, str] = {}
        self.runs: list[dict[str, Any]] = []
        self.broken = 0
        """So many of the next requests break off without an answer."""
        self.requests: list[str] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.host = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.http.shutdown()
        self.http.server_close()

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        parts = path.removeprefix("/apis/v2beta1/").split("/")
        self.requests.append(f"{method} {'/'.join(parts)}")
        match method, parts:
            case "GET", ["pipelines"]:
                return 200, {"pipelines": _matching(self.pipelines, query, "pipeline_id")}
            case "GET", ["pipelines", _, "versions"]:
                return 200, {"pipeline_versions": _matching(self.versions, query, "pipeline_version_id")}
            case "GET", ["experiments"]:
                return 200, {"experiments": _matching(self.experiments, query, "experiment_id")}
            case "POST", ["pipelines", "upload"]:
                assert b"pipelineInfo" in body
                return self._add(self.pipelines, query["name"], "pipeline_id")
            case "POST", ["pipelines", "upload_version"]:
                assert query["pipelineid"] in self.pipelines.values()
                return self._add(self.versions, query["name"], "pipeline_version_id")
            case "POST", ["experiments"]:
                return self._add(self.experiments, json.loads(body)["display_name"], "experiment_id")
            case "POST", ["runs"]:
                run = json.loads(body)
                assert run["pipeline_version_reference"]["pipeline_version_id"] in self.versions.values()
                self.runs.append(run | {"run_id": f"run-{len(self.runs)}"})
                return 200, self.runs[-1]
            case "GET", ["runs", number]:
                return 200, {"run_id": number, **self._state()}
        return 404, {"code": 5, "message": f"no such path: {path}"}

    def _add(self, things: dict[str, str], name: str, key: str) -> tuple[int, dict[str, Any]]:
        if name in things:
            return 409, {"code": 6, "message": f"Already exist {name}"}
        things[name] = f"{key}-{len(things)}"
        return 200, {key: things[name], "display_name": name}

    def _state(self) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        tasks = [{"display_name": "pretrain/msm-1", "state": state}]
        error = {"code": 13, "message": "pod was OOMKilled"} if state == "FAILED" else None
        return {"state": state, "error": error, "run_details": {"task_details": tasks}}


def _matching(things: dict[str, str], query: dict[str, str], key: str) -> list[dict[str, str]]:
    name = json.loads(query["filter"])["predicates"][0]["stringValue"]
    return [{key: things[name], "display_name": name}] if name in things else []


def _handler(server: KubeflowServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self._reply("POST")

        def _reply(self, method: str) -> None:
            if server.broken:
                server.broken -= 1
                self.close_connection = True
                self.connection.close()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            url = urlparse(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            status, answer = 401, {"code": 16, "message": "Unauthenticated"}
            if not server.token or self.headers.get("authorization") == f"Bearer {server.token}":
                status, answer = server.answer(method, url.path, query, body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
