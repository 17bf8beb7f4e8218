"""Uploads a compiled pipeline to Kubeflow, starts a run of it, and waits for its end."""

import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import kfp_server_api as api
import yaml
from urllib3.exceptions import HTTPError

from msm.errors import BadInput, CommandError

FINISHED = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
TIMEOUT = 60.0
"""Largest number of seconds of one request."""
HINTS = {
    401: "the token is missing or has expired; give a fresh one with --token-file",
    403: "this account may not do that in the namespace; see manifests/base/rbac.yaml",
}


class RunFailed(CommandError):
    """A run of a pipeline failed, or could not be started or watched."""

    exit_code = 1


class Server(NamedTuple):
    """Address and account of a server of Kubeflow Pipelines."""

    host: str
    """Address of its user interface or API, such as `https://kubeflow.example.org/pipeline`."""
    namespace: str = ""
    """Namespace of the runs; empty for an installation with a single user."""
    token_file: Path | None = None
    """File of the bearer token. It is read for every request, because projected tokens are renewed on disk."""

    def client(self) -> api.ApiClient:
        """Return a client with a fresh token.

        Raises:
            BadInput: the file of the token does not exist, or the address is malformed.
        """
        if not self.host.startswith(("http://", "https://")):
            raise BadInput(f"--host must begin with https:// (or http://), got {self.host!r}")
        configuration = api.Configuration(host=self.host.rstrip("/"))
        if self.token_file is not None:
            try:
                token = self.token_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise BadInput(f"{self.token_file}: cannot be read: {error.strerror}") from error
            configuration.api_key["authorization"] = token
            configuration.api_key_prefix["authorization"] = "Bearer"
        return api.ApiClient(configuration)


def submit(server: Server, package: Path, *, experiment: str, service_account: str) -> str:
    """Upload a version of a pipeline, unless it is there already, and start a run of it.

    Args:
        server: server of Kubeflow Pipelines.
        package: compiled pipeline. Its bytes give the version its name, so the same bytes are uploaded once.
        experiment: name of the experiment, which groups runs; it is made when it does not exist.
        service_account: service account of the pods.

    Returns:
        Id of the run.

    Raises:
        RunFailed: the server refuses or cannot be reached.
    """
    name = next(yaml.safe_load_all(package.read_text(encoding="utf-8")))["pipelineInfo"]["name"]
    version = f"{name}-{hashlib.sha256(package.read_bytes()).hexdigest()[:12]}"
    pipeline_id, version_id = _uploaded(server, package, name, version)
    body = api.V2beta1Run(
        experiment_id=_experiment(server, experiment),
        display_name=version,
        pipeline_version_reference=api.V2beta1PipelineVersionReference(
            pipeline_id=pipeline_id, pipeline_version_id=version_id
        ),
        service_account=service_account,
    )
    run = _call(server, lambda: _runs(server).run_service_create_run(body, _request_timeout=TIMEOUT))
    return str(run.run_id)


def address(server: Server, run_id: str) -> str:
    """Return the address of a run's page in the user interface of Kubeflow."""
    return f"{server.host.rstrip('/')}/#/runs/details/{run_id}"


def follow(server: Server, run_id: str, *, every: float = 15.0, patience: float = 900.0) -> None:
    """Wait for the end of a run, and print one line on stderr for every change of a task.

    Args:
        server: server of Kubeflow Pipelines.
        run_id: id of the run, from `submit`.
        every: seconds between two requests.
        patience: seconds that the server may be unreachable before waiting ends; the run itself continues.

    Raises:
        RunFailed: the run did not succeed, or the server stayed unreachable.
    """
    states: dict[str, str] = {}
    last_answer = time.monotonic()
    while True:
        try:
            run = _call(server, lambda: _runs(server).run_service_get_run(run_id, _request_timeout=TIMEOUT))
        except ServerUnreachable as error:
            if time.monotonic() - last_answer > patience:
                raise RunFailed(f"{error}; the run goes on: {address(server, run_id)}") from error
            sys.stderr.write(f"{error}; trying again\n")
            time.sleep(every)
            continue
        last_answer = time.monotonic()
        _tell(run, states)
        if run.state in FINISHED:
            break
        time.sleep(every)
    if run.state != "SUCCEEDED":
        failures = ", ".join(sorted(name for name, state in states.items() if state == "FAILED"))
        reason = f": {run.error.message}" if run.error and run.error.message else ""
        tasks = f"; failed tasks: {failures}" if failures else ""
        raise RunFailed(f"run {run_id} {str(run.state).lower()}{reason}{tasks}; {address(server, run_id)}")


class ServerUnreachable(RunFailed):
    """The network or the server failed for the moment; a later request may succeed."""


def _tell(run: Any, states: dict[str, str]) -> None:
    details = run.run_details.task_details if run.run_details else None
    for task in details or []:
        name, state = task.display_name or task.task_id, task.state or "PENDING"
        if states.get(name) != state:
            states[name] = state
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name}: {state.lower()}\n")


def _uploaded(server: Server, package: Path, name: str, version: str) -> tuple[str, str]:
    pipelines = api.PipelineServiceApi(server.client())
    uploads = api.PipelineUploadServiceApi(server.client())
    same_name = _call(
        server,
        lambda: pipelines.pipeline_service_list_pipelines(
            namespace=server.namespace, filter=_named(name), _request_timeout=TIMEOUT
        ),
    ).pipelines
    if not same_name:
        new = _call(
            server,
            lambda: uploads.upload_pipeline(
                str(package), name=name, namespace=server.namespace, _request_timeout=TIMEOUT
            ),
        )
        same_name = [new]
    pipeline_id = str(same_name[0].pipeline_id)
    versions = _call(
        server,
        lambda: pipelines.pipeline_service_list_pipeline_versions(
            pipeline_id, filter=_named(version), _request_timeout=TIMEOUT
        ),
    ).pipeline_versions
    if not versions:
        new = _call(
            server,
            lambda: uploads.upload_pipeline_version(
                str(package), name=version, pipelineid=pipeline_id, _request_timeout=TIMEOUT
            ),
        )
        versions = [new]
    return pipeline_id, str(versions[0].pipeline_version_id)


def _experiment(server: Server, name: str) -> str:
    experiments = api.ExperimentServiceApi(server.client())
    same_name = _call(
        server,
        lambda: experiments.experiment_service_list_experiments(
            namespace=server.namespace, filter=_named(name), _request_timeout=TIMEOUT
        ),
    ).experiments
    if not same_name:
        body = api.V2beta1Experiment(display_name=name, namespace=server.namespace or None)
        same_name = [
            _call(server, lambda: experiments.experiment_service_create_experiment(body, _request_timeout=TIMEOUT))
        ]
    return str(same_name[0].experiment_id)


def _runs(server: Server) -> api.RunServiceApi:
    return api.RunServiceApi(server.client())


def _named(name: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _call(server: Server, ask: Callable[[], Any]) -> Any:
    """Make one request; failures become errors of one line."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        return ask()
    except api.ApiException as error:
        hint = HINTS.get(error.status or 0)
        text = f"{server.host}: {error.status} {error.reason}: {hint or _message(error)}"
        raise (ServerUnreachable if (error.status or 0) >= 500 else RunFailed)(text) from error
    except (HTTPError, OSError) as error:
        raise ServerUnreachable(f"{server.host}: cannot be reached ({type(error).__name__})") from error


def _message(error: api.ApiException) -> str:
    try:
        return str(json.loads(error.body or "{}").get("message", ""))[:200]
    except (ValueError, AttributeError):
        return str(error.body)[:200]
