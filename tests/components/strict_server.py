"""An API server in miniature that kubectl talks to: discovery, server-side apply judged by schemas, access reviews."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

from tests.components.schemas import Schemas

CLUSTER_WIDE = {"Namespace", "ClusterQueue", "ResourceFlavor", "Topology", "PriorityClass", "WorkloadPriorityClass"}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "scratch"}}
LOOSE = {
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "scheduling.k8s.io/v1": ["PriorityClass"],
    "authorization.k8s.io/v1": ["SelfSubjectAccessReview"],
}
"""Kinds that there is no schema for; anything passes."""


class StrictServer:
    """Knows the kinds of the schemas; `without` is an API group that it lacks."""

    def __init__(self, schemas: Schemas, without: str = "-") -> None:
        self.schemas = schemas
        self.groups: dict[str, list[str]] = {version: list(kinds) for version, kinds in LOOSE.items()}
        for version, kind in schemas.kinds:
            if not version.startswith(without) and not kind.endswith("List"):
                self.groups.setdefault(version, []).append(kind)
        self.roles: list[dict[str, Any]] = []
        self.granted_too_much: set[str] = set()
        """Resources that everybody may do everything with."""
        self.kept: list[str] = []
        """What was written and not only tried: method and path."""
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.host = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def kubeconfig(self) -> str:
        """To reach it."""
        context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
        cluster, user = {"name": "test", "cluster": {"server": self.host}}, {"name": "test", "user": {}}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "test", "contexts": [context]}
        return yaml.safe_dump(config | {"clusters": [cluster], "users": [user]})

    def close(self) -> None:
        """Stop listening."""
        self.http.shutdown()
        self.http.server_close()

    def answer(self, method: str, target: str, body: bytes, user: str) -> tuple[int, Any]:
        """Status and body."""
        path, _, query = target.partition("?")
        if method == "GET":
            return self._discovery(path)
        if path.endswith("selfsubjectaccessreviews"):
            return 201, self._review(json.loads(body), user)
        # kubectl speaks protobuf about kinds that it knows itself: here, the namespace that it creates.
        thing = NAMESPACE if body.startswith(b"k8s") else yaml.safe_load(body) if body else {}
        if "dryRun=All" not in query:
            self.kept.append(f"{method} {path}")
            self.roles += [thing] if thing.get("kind") == "Role" else []
        if method != "PATCH" or "kind" not in thing:
            return 200, NAMESPACE | thing
        known = (thing["apiVersion"], thing["kind"]) in self.schemas.kinds
        if known and (problems := self.schemas.problems(thing)):
            return 422, _status(422, "Invalid", "; ".join(problems))
        return 200, thing

    def _discovery(self, path: str) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"major": "1", "minor": "36", "gitVersion": "v1.36.0"}
        if path == "/api":
            return 200, {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            versions = [{"groupVersion": each, "version": each.split("/")[1]} for each in self.groups if "/" in each]
            groups = [
                {"name": each["groupVersion"].split("/")[0], "versions": [each], "preferredVersion": each}
                for each in versions
            ]
            return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version in self.groups:
            verbs = ["create", "delete", "get", "list", "patch"]
            resources = [
                {"name": _plural(kind), "kind": kind, "namespaced": kind not in CLUSTER_WIDE, "verbs": verbs}
                for kind in self.groups[version]
            ]
            return 200, {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        if path == "/openapi/v3":
            return 200, {"paths": {_prefix(each): {"serverRelativeURL": f"{path}/{each}"} for each in self.groups}}
        if path.startswith("/openapi/v3/"):
            return 200, self._openapi(path.removeprefix("/openapi/v3/"))
        if path.startswith("/api/v1/namespaces/"):
            return 200, NAMESPACE
        return 404, _status(404, "NotFound", path)

    def _openapi(self, version: str) -> dict[str, Any]:
        """No more than kubectl looks for: that the server itself validates fields, and can try without writing."""
        parameters = [{"name": name, "in": "query"} for name in ("fieldValidation", "dryRun")]
        group, _, number = version.rpartition("/")
        paths = {}
        for kind in self.groups[version]:
            names = {"group": group, "version": number, "kind": kind}
            patch = {"parameters": parameters, "x-kubernetes-group-version-kind": names, "responses": {}}
            paths[f"/{_prefix(version)}/{_plural(kind)}/{{name}}"] = {"patch": patch}
        return {"openapi": "3.0.0", "info": {"title": "small", "version": "1"}, "paths": paths}

    def _review(self, review: dict[str, Any], user: str) -> dict[str, Any]:
        wants = review["spec"]["resourceAttributes"]
        resource = "/".join(word for word in (wants["resource"], wants.get("subresource", "")) if word)
        rules = [rule for role in self.roles for rule in role["rules"]] if user.endswith(":msm-pipeline") else []
        is_allowed = resource in self.granted_too_much or any(
            wants["verb"] in rule["verbs"]
            and resource in rule["resources"]
            and wants.get("group", "") in rule["apiGroups"]
            and wants.get("name", "") in rule.get("resourceNames", [wants.get("name", "")])
            for rule in rules
        )
        return review | {"status": {"allowed": is_allowed}}


def _prefix(version: str) -> str:
    return f"apis/{version}" if "/" in version else f"api/{version}"


def _plural(kind: str) -> str:
    name = kind.lower()
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}es" if name.endswith("s") else f"{name}s"


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return said | {"reason": reason, "message": message, "code": code}


def _handler(server: StrictServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = server.answer(self.command, self.path, body, self.headers.get("Impersonate-User", ""))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def do_PATCH(self) -> None:
            self._reply()

        def do_DELETE(self) -> None:
            self._reply()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
