"""A stage as a TorchX job: two processes give what one gives; a dry run shows what a cluster would be asked for."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from torchx.runner import get_runner

from msm import files
from msm.components.clusters import CLUSTERS, request
from msm.components.torchx_job import stage
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import artifacts, recipes, runner
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import tasks as tasks_of

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torchx")

IMAGE = "registry.example.org/msm@sha256:" + "0" * 64


@pytest.mark.parametrize("name", STAGES)
def test_kubernetes_dry_run_asks_for_what_the_table_says(name: str) -> None:
    with get_runner() as torchx:
        settings = {"queue": "msm", "namespace": "msm", "service_account": "msm-pipeline", "validate_spec": False}
        job = stage("--out", "/work/out", name=name, image=IMAGE, j="2x8")
        resource = torchx.dryrun(job, "kubernetes", settings).request.resource
    needs = request(name, CLUSTERS["a100"])
    assert resource["kind"] == "Job"
    assert resource["spec"]["queue"] == "msm"
    assert len(resource["spec"]["tasks"]) == 2
    for task in resource["spec"]["tasks"]:
        pod = task["template"].spec
        container = pod.containers[0]
        assert container.image == IMAGE
        assert container.resources.limits["cpu"] == f"{needs.cpus * 1000}m"
        assert container.resources.limits["memory"] == f"{needs.memory_gib * 1024}M"
        assert container.resources.limits.get("nvidia.com/gpu") == (str(needs.gpus) if needs.gpus else None)
        assert {mount.mount_path for mount in container.volume_mounts} == {"/dev/shm", "/work"}
        assert task["maxRetry"] == needs.retries
        assert pod.node_selector == (CLUSTERS["a100"].node_selector if needs.gpus else {})
        assert [each.key for each in pod.tolerations or []] == (["nvidia.com/gpu"] if needs.gpus else [])
        assert pod.security_context.run_as_non_root and pod.security_context.run_as_user == 10001
        labels = task["template"].metadata.labels
        assert labels["kueue.x-k8s.io/queue-name"] == "msm"
        assert labels["sidecar.istio.io/inject"] == "false"
        words = shlex.split(container.command[-1])
        assert words[0] == "torchrun"
        assert words[words.index("-m") :] == ["-m", "msm", "run", name, "--out", "/work/out"]


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(BadInput, match="unknown stage 'train'"):
        stage(name="train")


@pytest.mark.slow
def test_two_processes_here(tiny: Path, tmp_path: Path) -> None:
    """`torchx run -s local_cwd ... -j 1x2` pre-trains; the loss is that of one process up to rounding."""
    tasks = tasks_of(recipes.load(ROOT / "recipes" / "tiny.yaml"), "tiny")
    task = next(task for task in tasks if task.out.endswith("pretrain/msm-1"))
    reads = {name: tiny / Path(path).relative_to("artifacts/tiny") for name, path in task.reads.items()}
    runner.run_stage("pretrain", task.settings, reads, tmp_path / "one", Execution(work=tmp_path / "work"))
    words = runner.command("pretrain", task.settings, reads, tmp_path / "two")[3:]
    start = [str(Path(sys.executable).with_name("torchx"))]
    start += ["run", "-s", "local_cwd", "components/torchx_job.py:stage", "--name", "pretrain", "-j", "1x2", "--"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    subprocess.run([*start, *words, "--device", "cpu"], cwd=ROOT, env=environment, check=True, timeout=300)
    manifest = json.loads((tmp_path / "two" / artifacts.MANIFEST).read_text())
    assert manifest["processes"] == 2
    logs = [[line for _, line in files.read_json_lines(tmp_path / name / artifacts.LOG)] for name in ("one", "two")]
    assert [line.get("step") for line in logs[0]] == [line.get("step") for line in logs[1]]
    for one, two in zip(*logs, strict=True):
        for name in ("msm", "mlm", "loss"):
            if name in one:
                assert two[name] == pytest.approx(one[name], rel=1e-3)
