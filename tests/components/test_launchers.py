"""One table, three launchers: DVC, Kubeflow and TorchX run the same stages, with the same settings and resources."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from msm.cli.main import _stage_parser
from msm.components.clusters import A100
from msm.components.kubeflow_pipeline import Options, build, compile_to
from msm.components.torchx_job import stage
from msm.pipeline import artifacts, recipes
from msm.pipeline.runner import command
from msm.pipeline.stages import STAGES
from msm.settings import hints

ROOT = Path(__file__).parents[2]
TINY = ROOT / "recipes" / "tiny.yaml"
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with the recipe `tiny` active, without git, as in a pod."""
    for name in ("msm", "components"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(TINY, tmp_path / "params.yaml")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def settings_of(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Stage and settings of `msm run STAGE ...`, as the program itself reads them."""
    start = words.index("run")
    given = vars(_stage_parser(words[start + 1]).parse_args(words[start + 2 :]))
    return words[start + 1], {name: given[name] for name in hints(STAGES[words[start + 1]].settings)}


def test_three_launchers_agree(project: Path, tmp_path: Path) -> None:
    tasks = recipes.tasks(recipes.load(TINY), "tiny")
    compile_to(build("matrix", "tiny", tasks, Options(IMAGE, cluster=A100)), tmp_path / "pipeline.yaml")
    spec = next(yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text()))
    kubeflow = {}
    for node in spec["root"]["dag"]["tasks"].values():
        values = {name: value["runtimeValue"]["constant"] for name, value in node["inputs"]["parameters"].items()}
        kubeflow[f"artifacts/tiny/{values['name']}"] = node["componentRef"]["name"], json.loads(values["settings"])
    stages = Repo(str(project)).index.stages
    dvc = {str(stage.outs[0]): settings_of(shlex.split(stage.cmd, comments=True)) for stage in stages}
    dvc = {str(Path(out).relative_to(project) if Path(out).is_absolute() else out): value for out, value in dvc.items()}
    assert dvc.keys() == kubeflow.keys() == {task.out for task in tasks}
    for task in tasks:
        reads = {name: Path(path) for name, path in task.reads.items()}
        words = command(task.stage, task.settings, reads, Path(task.out))
        component, settings = kubeflow[task.out]
        container = spec["deploymentSpec"]["executors"][component.replace("comp-", "exec-")]["container"]
        resources = container["resources"]
        gpus = int(resources.get("accelerator", {}).get("resourceCount", 0))
        job = stage(*words[3:], name=task.stage, image=IMAGE, j=f"1x{gpus or 1}")
        torchx = settings_of(shlex.split(job.roles[0].args[-1]))
        assert torchx == dvc[task.out] == (task.stage, vars(task.settings))
        assert container["args"][-1] == task.stage, "the function that is run"
        assert settings == vars(task.settings)
        asked = job.roles[0].resource
        assert resources["resourceCpuLimit"] == str(asked.cpu)
        assert resources["resourceMemoryLimit"] == f"{asked.memMB // 1024}Gi"
        assert gpus == asked.gpu


def test_a_changed_value_reaches_its_stage_only(project: Path) -> None:
    """`dvc exp run -S pretrain.mu=0.3`: no other command changes, so DVC reruns these and what reads them."""

    def commands() -> dict[str, str]:
        return {stage.name: stage.cmd for stage in Repo(str(project)).index.stages}

    before = commands()
    text = TINY.read_text()
    assert "  mu: 0.5\n" in text
    (project / "params.yaml").write_text(text.replace("  mu: 0.5\n", "  mu: 0.3\n"))
    after = commands()
    changed = {name for name, words in after.items() if words != before[name]}
    assert changed == {name for name in before if name.startswith("pretrain@")}
    assert changed


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
    made = run("benchmark")
    assert {"sources-world", "pretrain-msm-1", f"score-{rows['msm']}", "report-all"} < made
    assert not any("mlm" in task or "untrained" in task for task in made)
    assert run("benchmark") == set()
    trained = {f"{stage}-{rows[name]}" for stage in ("finetune", "retrieve", "score") for name in ("untrained", "mlm")}
    assert run("ablations") == {"pretrain-mlm-1", "report-all"} | trained
    words = {f"{stage}-constructed-bm25-{kind}" for stage in ("lexical", "score") for kind in ("words", "characters")}
    assert run("matrix") == {"report-all"} | words
    for folder in (project / "artifacts" / "tiny" / "score").iterdir():
        (kubeflow,) = (project / "kubeflow").glob(f"*/score-{folder.name}/out")
        assert artifacts.checksums(kubeflow / "scores") == artifacts.checksums(folder / "scores")
    report = artifacts.checksums(project / "artifacts" / "tiny" / "report" / "all" / "report")
    (kubeflow,) = (project / "kubeflow").glob("msm-matrix-*/report-all/out/report")
    assert artifacts.checksums(kubeflow)["scores.csv"] == report["scores.csv"]
