"""A stage as a TrainJob, against a stand-in for the Kubernetes API."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from msm.cli.main import main
from msm.components import trainjob
from msm.components.clusters import A100, TrainJobPlace
from msm.components.kubernetes_api import Api, ApiFailed
from msm.components.trainjob import TrainJobFailed, Watcher, job_name
from msm.errors import Preempted
from msm.execution import Execution
from msm.finetuning.settings import Finetune
from msm.pipeline import artifacts, recipes
from msm.pipeline.tasks import tasks as tasks_of
from tests.components.kubernetes_server import NO_IMAGE, NO_NODE, NO_QUOTA, WORKFLOW, KubernetesServer
from tests.components.schemas import Schemas

ROOT = Path(__file__).parents[2]
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64
PLACE = TrainJobPlace.of(A100, "msm", 2, IMAGE)
WORDS = ["msm", "run", "pretrain", "--seed", "1", "--out", "/work/out", "--gpus", "8"]
NAME = job_name("pretrain", WORDS, IMAGE)
HOUR = 3600
Start = Callable[..., tuple[KubernetesServer, Watcher]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes a server with these states of the job, and a watcher of it."""
    servers = []

    def made(*states: str, place: TrainJobPlace = PLACE) -> tuple[KubernetesServer, Watcher]:
        server = KubernetesServer(states)
        servers.append(server)
        configuration = client.Configuration(host=server.host)
        # The client itself would ask again, too, with pauses.
        configuration.retries = False  # pyright: ignore[reportAttributeAccessIssue]
        api = Api("msm", client.ApiClient(configuration))
        return server, Watcher(api, place, NAME, every=0.01)

    yield made
    for server in servers:
        server.close()


def phases(output: str) -> list[str]:
    """What was said of the job, without the time."""
    return [line.split(f"{NAME}: ", 1)[1] for line in output.splitlines() if NAME in line]


@pytest.mark.parametrize(
    ("batch_queries", "shape"),
    [(128, (2, 8, 80, 800)), (64, (1, 8, 80, 800)), (96, (2, 6, 60, 600)), (32, (1, 4, 40, 400)), (8, (1, 1, 10, 100))],
)
def test_a_job_asks_for_what_can_share_an_update(batch_queries: int, shape: tuple[int, ...]) -> None:
    recipe = recipes.load(ROOT / "recipes" / "paper.yaml")
    task_settings = next(task.settings for task in tasks_of(recipe, "paper") if task.stage == "finetune")
    assert isinstance(task_settings, Finetune)
    batches = replace(task_settings.batches, batch_queries=batch_queries, shard_queries=8, micro_queries=8)
    settings = replace(task_settings, batches=batches)
    assert settings.shares == batch_queries // 8
    place = PLACE._replace(cpus=80, memory_gib=800).shared_by(settings)
    assert (place.nodes, place.gpus, place.cpus, place.memory_gib) == shape


def test_a_job_runs_to_its_end(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server, watcher = start("created", "queued", "admitted", "running", "running", "complete")
    watcher.run(WORDS, HOUR)
    output = capsys.readouterr().err
    assert phases(output) == [
        "created",
        f"queued: {NO_QUOTA}",
        "admitted",
        "running: on gpu-0, gpu-1",
        "complete: it is complete",
    ]
    assert output.count("step 1\n") == output.count("step 2\n") == 1
    assert server.deleted == [NAME]


def test_the_log_is_shown_as_it_grows(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server, watcher = start("running", "running", "running", "complete")
    server.on_look = lambda: server.lines.append(f"step {len(server.lines) + 1}")
    watcher.run(WORDS, HOUR)
    output = capsys.readouterr().err
    assert [line for line in output.splitlines() if line.startswith("step")] == [f"step {n + 1}" for n in range(6)]


def test_the_job_is_valid_and_asks_for_whole_nodes(
    start: Start, schemas: Schemas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_POD_NAME", "matrix-x7k2p-system-container-impl-123")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.kubeflow:5000")
    server, watcher = start("complete")
    watcher.run(WORDS, HOUR)
    (job,) = server.created
    assert schemas.problems(job) == []
    trainer: dict[str, Any] = job["spec"]["trainer"]
    assert job["spec"]["runtimeRef"]["name"] == "msm-torch"
    assert job["spec"]["runtimeRef"]["kind"] == "TrainingRuntime"
    assert job["spec"]["activeDeadlineSeconds"] == HOUR
    assert trainer["numNodes"] == 2
    assert trainer["image"] == IMAGE
    sizes = {"cpu": str(A100.cpus), "memory": f"{A100.memory_gib}Gi", "nvidia.com/gpu": "8"}
    assert trainer["resourcesPerNode"] == {"requests": sizes, "limits": sizes}
    assert [*trainer["command"], *trainer["args"]] == WORDS
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "msm"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "msm-training"
    assert trainer["env"] == [{"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow.kubeflow:5000"}]
    assert job["metadata"]["ownerReferences"] == [WORKFLOW], "whoever deletes the run deletes the job"


def test_the_name_follows_from_words_and_image() -> None:
    assert job_name("pretrain", WORDS, IMAGE) == job_name("pretrain", list(WORDS), IMAGE)
    assert job_name("pretrain", WORDS, IMAGE) != job_name("pretrain", [*WORDS[:-1], "4"], IMAGE)
    assert job_name("pretrain", WORDS, IMAGE) != job_name("pretrain", WORDS, IMAGE.replace("0", "1"))
    assert len(NAME) < 50


@pytest.mark.parametrize(("state", "code"), [("failed:2", 2), ("failed:3", 3), ("failed:1", 1), ("failed:137", 1)])
def test_a_failed_job_ends_with_the_verdict_of_its_node(start: Start, state: str, code: int) -> None:
    server, watcher = start("running", state)
    with pytest.raises(TrainJobFailed, match="failed") as end:
        watcher.run(WORDS, HOUR)
    assert end.value.exit_code == code
    assert list(server.jobs) == [NAME], "it stays for whoever wants to look"


def test_a_retry_of_a_failed_job_starts_anew(start: Start) -> None:
    server, watcher = start("running", "failed:1")
    with pytest.raises(TrainJobFailed):
        watcher.run(WORDS, HOUR)
    server.states = ["failed:1", "running", "complete"]
    watcher.run(WORDS, HOUR)
    assert len(server.created) == 2


def test_a_job_that_kueue_suspends_and_resumes_is_waited_for(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server, watcher = start("running", "evicted", "evicted", "admitted", "running", "complete")
    watcher.run(WORDS, HOUR)
    assert len(server.created) == 1
    assert phases(capsys.readouterr().err) == [
        "running: on gpu-0, gpu-1",
        f"queued: Preempted to accommodate a workload (UID: 7); {NO_QUOTA}",
        "admitted",
        "running: on gpu-0, gpu-1",
        "complete: it is complete",
    ]


@pytest.mark.parametrize(("state", "words"), [("unschedulable", NO_NODE), ("pulling", f"ImagePullBackOff {NO_IMAGE}")])
def test_a_job_that_cannot_start_says_why_and_frees_its_quota(
    start: Start, capsys: pytest.CaptureFixture[str], state: str, words: str
) -> None:
    server, watcher = start("queued", "admitted", state, place=PLACE._replace(start_minutes=0.001))
    with pytest.raises(TrainJobFailed, match=r"had not started after 0\.001 minutes") as end:
        watcher.run(WORDS, HOUR)
    assert words in str(end.value)
    assert any(words in phase for phase in phases(capsys.readouterr().err))
    assert server.deleted == [NAME]


def test_a_queued_job_may_wait_for_ever(start: Start) -> None:
    """It holds no quota."""
    _, watcher = start(*["queued"] * 30, "running", "complete", place=PLACE._replace(start_minutes=0.001))
    watcher.run(WORDS, HOUR)


def test_the_watcher_survives_an_outage(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server, watcher = start("running", "down", "cut", "down", "running", "complete")
    watcher.run(WORDS, HOUR)
    assert len(server.created) == 1
    assert capsys.readouterr().err.count("trying again") == 3


def test_an_outage_that_does_not_end_is_told_and_the_job_goes_on(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainjob, "PATIENCE", 0.05)
    server, watcher = start("running", "down")
    with pytest.raises(TrainJobFailed, match="the job itself goes on"):
        watcher.run(WORDS, HOUR)
    assert server.deleted == []
    server.states = ["running", "complete"]
    watcher.run(WORDS, HOUR)
    assert len(server.created) == 1, "the next attempt follows it"


def test_a_retry_finds_the_job_again(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server, watcher = start("running", "running", "complete")
    watcher.api.create_job(trainjob.train_job(PLACE, NAME, WORDS, HOUR, None))
    watcher.run(WORDS, HOUR)
    assert len(server.created) == 1
    assert "is there already, and is followed" in capsys.readouterr().err


def test_a_job_deleted_elsewhere_is_told(start: Start) -> None:
    _, watcher = start("running", "gone")
    with pytest.raises(TrainJobFailed, match="is gone: somebody deleted it"):
        watcher.run(WORDS, HOUR)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_forbidden_names_the_role(start: Start, method: str) -> None:
    server, watcher = start("running")
    server.forbidden = {method}
    with pytest.raises(ApiFailed, match=r"403: .*msm-trainjobs.*is forbidden") as error:
        watcher.run(WORDS, HOUR)
    assert "\n" not in str(error.value)


def test_the_role_grants_what_the_watcher_asks_and_nothing_more(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_POD_NAME", "matrix-x7k2p-system-container-impl-123")
    server, watcher = start("running", "failed")
    with pytest.raises(TrainJobFailed):
        watcher.run(WORDS, HOUR)
    server.states = ["failed", "running", "complete"]
    watcher.run(WORDS, HOUR)
    requests = {rule_of(method, path) for method, path in server.requests}
    roles = yaml.safe_load_all((ROOT / "manifests" / "base" / "rbac.yaml").read_text())
    rules = next(role["rules"] for role in roles if role["metadata"]["name"] == "msm-trainjobs")
    assert requests == {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def rule_of(method: str, path: str) -> tuple[str, str, str]:
    """API group, resource and verb."""
    api, _, rest = path.strip("/").partition("/namespaces/")
    namespace, resource, *names = rest.split("/")
    assert namespace == "msm", "nothing is asked outside of the job's own namespace"
    verb = {"POST": "create", "DELETE": "delete", "GET": "get" if names else "list"}[method]
    return api.split("/")[1] if api.startswith("apis/") else "", "/".join([resource, *names[1:]]), verb


def test_without_a_cluster_it_says_so(tmp_path: Path) -> None:
    words = "from msm.components.kubernetes_api import Api; Api('msm')"
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, text=True, check=False)
    assert "msm.errors.BadInput: no cluster: this is no pod of one" in run.stderr


def test_cancelling_deletes_the_job(start: Start) -> None:
    server, watcher = start("running")
    before = signal.getsignal(signal.SIGTERM)
    server.on_look = lambda: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Preempted, match="checkpoints stay") as end:
        watcher.run(WORDS, HOUR)
    assert end.value.exit_code == 75
    assert server.deleted == [NAME]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("condition", ["DisruptionTarget", "TerminationTarget"])
def test_a_watcher_that_is_evicted_leaves_the_job_to_the_next_attempt(
    start: Start, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    monkeypatch.setenv("KFP_POD_NAME", "matrix-x7k2p-system-container-impl-123")
    server, watcher = start("running", "running", "complete")
    server.pod_conditions = [{"type": condition, "status": "True"}]
    server.on_look = lambda: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Preempted, match="the next attempt follows it"):
        watcher.run(WORDS, HOUR)
    assert server.deleted == []
    server.on_look = None
    watcher.run(WORDS, HOUR)
    assert len(server.created) == 1


def test_a_stage_runs_on_the_shared_volume(
    start: Start, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From artifacts to an artifact: inputs are copied to the volume, the job works there, the result comes back."""
    server, _ = start("complete")
    server.on_create = lambda words: main(["run", *words[: words.index("--gpus")]])
    write_kubeconfig(tmp_path, server.host)
    monkeypatch.setenv("HOME", str(tmp_path))
    tasks = tasks_of(recipes.load(ROOT / "recipes" / "tiny.yaml"), "tiny")
    task = next(task for task in tasks if task.stage == "encoder")
    folders = {"tokenizer": tiny / "tokenizer" / "ordered"}
    execution = Execution(work=tmp_path / "volume" / "encoder" / "ordered-1")

    def run(place: TrainJobPlace, name: str) -> None:
        out = tmp_path / name
        trainjob.train(place.as_json(), "encoder", task.settings, folders, out, execution)
        expected = artifacts.read_manifest(tiny / "encoder" / "ordered-1")["outputs"]
        assert artifacts.read_manifest(out)["outputs"] == artifacts.checksums(out / "model") == expected

    run(PLACE, "first")
    run(PLACE, "second")
    assert len(server.created) == 1, "what is finished on the volume is not done again"
    run(PLACE._replace(image=IMAGE.replace("0", "1")), "third")
    assert len(server.created) == 2, "but by another image it is"


def write_kubeconfig(home: Path, host: str) -> None:
    (home / ".kube").mkdir()
    context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "test", "contexts": [context]}
    config |= {"clusters": [{"name": "test", "cluster": {"server": host}}], "users": [{"name": "test", "user": {}}]}
    (home / ".kube" / "config").write_text(yaml.safe_dump(config))
