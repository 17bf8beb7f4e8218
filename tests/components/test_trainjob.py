"""A stage as a TrainJob, against a stand-in for the Kubernetes API."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.trainer import TrainerClient
from kubernetes.client import Configuration

from msm.cli.main import main
from msm.components import trainjob
from msm.components.clusters import A100, TrainJobPlace
from msm.components.trainjob import TrainJobFailed, job_name
from msm.errors import Preempted
from msm.pipeline import artifacts, recipes
from tests.components.kubernetes_server import STARTED, KubernetesServer
from tests.components.schemas import Schemas

ROOT = Path(__file__).parents[2]
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64
PLACE = TrainJobPlace.of(A100, "msm", 2, IMAGE)
WORDS = ["msm", "run", "pretrain", "--seed", "1", "--out", "/work/out"]
Start = Callable[..., tuple[KubernetesServer, TrainerClient]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes a server with these states of the job, and a client of it."""
    servers = []

    def made(*states: str) -> tuple[KubernetesServer, TrainerClient]:
        runtime = yaml.safe_load((ROOT / "manifests" / "base" / "training-runtime.yaml").read_text())
        runtime["metadata"] |= {"namespace": "msm", "creationTimestamp": STARTED}
        server = KubernetesServer(runtime, states)
        servers.append(server)
        configuration = Configuration(host=server.host)
        return server, TrainerClient(KubernetesBackendConfig(namespace="msm", client_configuration=configuration))

    yield made
    for server in servers:
        server.close()


def run(client: TrainerClient) -> None:
    trainjob.run(client, PLACE, WORDS, every=0.01)


def test_a_job_runs_to_its_end(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server, client = start("suspended", "created", "running", "running", "complete")
    run(client)
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[-1] for line in told if line.startswith("msm-pretrain")] == [
        "created",
        "running",
        "complete",
    ]
    assert told.count("step 1") == told.count("step 2") == 1
    assert server.deleted == [job_name(WORDS)]


def test_the_job_is_valid_and_asks_for_whole_nodes(start: Start, schemas: Schemas) -> None:
    server, client = start("complete")
    run(client)
    (job,) = server.created
    assert schemas.problems(job) == []
    trainer: dict[str, Any] = job["spec"]["trainer"]
    assert job["spec"].keys() == {"runtimeRef", "trainer"}, "everything else of the pods is the runtime's"
    assert job["spec"]["runtimeRef"]["name"] == "msm-torch"
    assert job["spec"]["runtimeRef"]["kind"] == "TrainingRuntime"
    assert trainer["numNodes"] == 2
    assert trainer["image"] == IMAGE
    assert trainer["resourcesPerNode"]["limits"] == {"cpu": "96", "memory": "900Gi", "nvidia.com/gpu": "8"}
    assert [*trainer["command"], *trainer["args"]] == ["torchrun", "--no-python", *WORDS]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "msm"


def test_the_name_follows_from_the_words() -> None:
    assert job_name(WORDS) == job_name(list(WORDS))
    assert job_name(WORDS) != job_name([*WORDS[:-1], "/work/other"])
    assert len(job_name(WORDS)) < 50


def test_a_failed_job_is_an_error_and_a_retry_starts_anew(start: Start) -> None:
    server, client = start("running", "failed")
    with pytest.raises(TrainJobFailed, match="failed"):
        run(client)
    assert list(server.jobs) == [job_name(WORDS)]
    server.states = ["failed", "running", "complete"]
    run(client)
    assert len(server.created) == 2


def test_an_evicted_job_is_waited_for(start: Start) -> None:
    server, client = start("running", "evicted", "evicted", "running", "complete")
    run(client)
    assert len(server.created) == 1


def test_a_retry_finds_the_job_again(start: Start) -> None:
    server, client = start("running", "running", "complete")
    trainjob.start(client, PLACE, WORDS)
    run(client)
    assert len(server.created) == 1


def test_a_job_deleted_elsewhere_is_told(start: Start) -> None:
    _, client = start("running", "gone")
    with pytest.raises(TrainJobFailed, match="404: is gone: somebody deleted it"):
        run(client)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_forbidden_names_the_role(start: Start, method: str) -> None:
    server, client = start("running")
    server.forbidden = {method}
    with pytest.raises(TrainJobFailed, match=r"403: .*msm-trainjobs") as error:
        run(client)
    assert "\n" not in str(error.value)


def test_the_role_grants_what_the_client_asks_and_nothing_more(start: Start) -> None:
    server, client = start("running", "failed")
    with pytest.raises(TrainJobFailed):
        run(client)
    server.states = ["failed", "running", "complete"]
    run(client)
    asked = {rule for method, path in server.requests if (rule := rule_of(method, path))}
    roles = yaml.safe_load_all((ROOT / "manifests" / "base" / "rbac.yaml").read_text())
    rules = next(role["rules"] for role in roles if role["metadata"]["name"] == "msm-trainjobs")
    assert asked == {
        (group, resource, verb, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def rule_of(method: str, path: str) -> tuple[str, str, str, str] | None:
    """API group, resource, verb, and name where the role names one; None outside the job's own namespace.

    There the client only looks for Trainer's version, and does without it.
    """
    api, _, rest = path.strip("/").partition("/namespaces/")
    namespace, resource, *names = rest.split("/")
    if namespace != "msm":
        return None
    verb = {"POST": "create", "DELETE": "delete", "GET": "get" if names else "list"}[method]
    group = api.split("/")[1] if api.startswith("apis/") else ""
    return group, "/".join([resource, *names[1:]]), verb, names[0] if resource == "trainingruntimes" else ""


def test_cancelling_deletes_the_job(start: Start) -> None:
    server, client = start("running")
    server.on_look = lambda: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Preempted, match="checkpoints stay") as end:
        run(client)
    assert end.value.exit_code == 75
    assert server.deleted == [job_name(WORDS)]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_stage_runs_on_the_shared_volume(
    start: Start, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From artifacts to an artifact: inputs are copied to the volume, the job works there, the result comes back."""
    server, _ = start("complete")
    server.on_create = lambda words: main(words[words.index("msm") + 1 :])
    write_kubeconfig(tmp_path, server.host)
    monkeypatch.setenv("HOME", str(tmp_path))
    tasks = recipes.tasks(recipes.load(ROOT / "recipes" / "tiny.yaml"), "tiny")
    task = next(task for task in tasks if task.stage == "encoder")
    folders = {"tokenizer": tiny / "tokenizer" / "ordered"}
    for name in ("first", "second"):
        out = tmp_path / name
        trainjob.train(
            PLACE.as_json(), "encoder", task.settings, folders, "encoder/ordered-1", out, tmp_path / "volume"
        )
        expected = artifacts.read_manifest(tiny / "encoder" / "ordered-1")["outputs"]
        assert artifacts.read_manifest(out)["outputs"] == artifacts.checksums(out / "model") == expected
    assert len(server.created) == 1, "what is finished on the volume is not done again"


def write_kubeconfig(home: Path, host: str) -> None:
    (home / ".kube").mkdir()
    context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "test", "contexts": [context]}
    config |= {"clusters": [{"name": "test", "cluster": {"server": host}}], "users": [{"name": "test", "user": {}}]}
    (home / ".kube" / "config").write_text(yaml.safe_dump(config))
