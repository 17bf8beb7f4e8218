"""One table, three launchers: DVC, Kubeflow and TorchX run the same stages, with the same settings and resources."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from msm.cli.run import stage_parser
from msm.components.clusters import A100
from msm.components.dvc_pipeline import render
from msm.components.kubeflow_pipeline import PipelineOptions, build, compile_to
from msm.components.torchx_job import task
from msm.pipeline import artifacts, recipes
from msm.pipeline.runner import command
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import tasks as tasks_of
from msm.settings import flat, make, nested

ROOT = Path(__file__).parents[2]
TINY = ROOT / "recipes" / "tiny.yaml"
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with a `dvc.yaml` of the recipe `tiny` at its root, without git, as in a pod."""
    for name in ("msm", "components", "recipes", "dashboards"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    path = Path("recipes/tiny.yaml")
    (tmp_path / "dvc.yaml").write_text(render(path, tasks_of(recipes.load(ROOT / path), "tiny")))
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def test_three_launchers_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tasks with the same settings, from the same function, and the same resources."""
    monkeypatch.chdir(ROOT)
    tasks = tasks_of(recipes.load(TINY), "tiny")
    compile_to(build("matrix", "tiny", tasks, PipelineOptions(IMAGE, cluster=A100)), tmp_path / "pipeline.yaml")
    spec = next(yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text()))
    kubeflow = {}
    for node in spec["root"]["dag"]["tasks"].values():
        values = {name: value["runtimeValue"]["constant"] for name, value in node["inputs"]["parameters"].items()}
        kubeflow[values["name"]] = node["componentRef"]["name"], json.loads(values["settings"])
    dvc = [stage["cmd"].split() for stage in yaml.safe_load(render(TINY, tasks))["stages"].values()][1:]
    assert kubeflow.keys() == {task.name for task in tasks} == {words[3] for words in dvc}
    for one, words in zip(tasks, dvc, strict=True):
        component, settings = kubeflow[one.name]
        assert make(STAGES[one.stage].settings, settings, one.name) == one.settings
        container = spec["deploymentSpec"]["executors"][component.replace("comp-", "exec-")]["container"]
        assert container["args"][-1] == one.stage, "the function that is run"
        gpus = int(container["resources"].get("accelerator", {}).get("resourceCount", 0))
        job = task(name=one.name, recipe="tiny", image=IMAGE, j=f"1x{gpus or 1}")
        run = shlex.split(job.roles[0].args[-1])
        assert run[run.index("run") :] == ["run", one.name, "--recipe", "tiny"]
        assert words[:6] == ["exec", "msm", "run", one.name, "--recipe", str(TINY)]
        resource = job.roles[0].resource
        assert container["resources"]["resourceCpuLimit"] == str(resource.cpu)
        assert container["resources"]["resourceMemoryLimit"] == f"{resource.memMB // 1024}Gi"
        assert gpus == resource.gpu


def test_a_stages_command_gives_its_settings_back() -> None:
    for one in tasks_of(recipes.load(TINY), "tiny"):
        words = command(one.stage, one.settings, {name: Path(path) for name, path in one.reads.items()}, Path(one.out))
        arguments = vars(stage_parser(one.stage).parse_args(words[3:]))
        values = {setting.name: arguments[setting.name] for setting in flat(STAGES[one.stage].settings)}
        settings = {name: value for name, value in values.items() if value is not None}
        assert make(STAGES[one.stage].settings, nested(settings), "again") == one.settings


@pytest.mark.slow
def test_kubeflow_and_dvc_give_the_same_scores(project: Path) -> None:
    """Every pipeline in `kfp.local`, and `dvc repro`, byte for byte; a later pipeline takes what one before it made."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=project, env=environment, check=True)

    def run(name: str) -> set[str]:
        """Tasks that were run."""
        before = set((project / "kubeflow").glob("*/*/out"))
        words = ["pipeline", "run", name, "--recipe", str(TINY), "--root", "kubeflow"]
        subprocess.run([sys.executable, "-m", "msm", *words], cwd=project, env=environment, check=True)
        return {path.parent.name for path in set((project / "kubeflow").glob("*/*/out")) - before}

    rows = {name: f"constructed-{name}-1" for name in ("untrained", "mlm", "msm")}
    output = run("benchmark")
    assert {"sources-world", "pretrain-msm-1", f"score-{rows['msm']}", "report-all"} < output
    assert not any("mlm" in task or "untrained" in task for task in output)
    assert run("benchmark") == set()
    names = {f"{stage}-{rows[name]}" for stage in ("finetune", "retrieve", "score") for name in ("untrained", "mlm")}
    assert run("ablations") == {"pretrain-mlm-1", "report-all"} | names
    words = {f"{stage}-constructed-bm25-{kind}" for stage in ("lexical", "score") for kind in ("words", "characters")}
    assert run("matrix") == {"report-all"} | words
    for folder in (project / "artifacts" / "tiny" / "score").iterdir():
        (kubeflow,) = (project / "kubeflow").glob(f"*/score-{folder.name}/out")
        assert artifacts.checksums(kubeflow / "scores") == artifacts.checksums(folder / "scores")
    report = artifacts.checksums(project / "artifacts" / "tiny" / "report" / "all" / "report")
    (kubeflow,) = (project / "kubeflow").glob("msm-matrix-*/report-all/out/report")
    assert artifacts.checksums(kubeflow)["scores.csv"] == report["scores.csv"]
