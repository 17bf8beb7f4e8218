"""A finished recipe shared by a commit and a remote: one model pulled elsewhere, an experiment run and compared."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msm import files
from msm.components.dvc_pipeline import render
from msm.pipeline import artifacts, recipes
from msm.pipeline.tasks import tasks

ROOT = Path(__file__).parents[2]
ROW = "constructed-msm-1"
SCORES = Path("artifacts/tiny/score", ROW, "scores")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of its own in git, with the recipe `tiny` run to its end and `dvc.lock` committed."""
    folder = tmp_path_factory.mktemp("finished")
    for name in ("msm", "components", "dashboards", "recipes", ".dvc/plots"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore"):
        shutil.copy(ROOT / name, folder / name)
    path = Path("recipes/tiny.yaml")
    (folder / "dvc.yaml").write_text(render(path, tasks(recipes.load(ROOT / path), "tiny")))
    git(folder, "init", "-q")
    commit(folder)
    dvc(folder, "repro", "-q")
    assert git(folder, "status", "--porcelain") == "?? dvc.lock\n", "the lock is all that a finished run adds"
    commit(folder)
    return folder


@pytest.fixture
def project(finished_project: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(finished_project, tmp_path / "project", symlinks=True)


def test_a_fresh_clone_pulls_one_model_and_evaluates_it(project: Path, bucket: str, tmp_path: Path) -> None:
    dvc(project, "push", "-q")
    assert (project / ".dvc" / "storage").is_dir(), "the default remote is a local folder"
    dvc(project, "remote", "add", "-q", "-d", "store", bucket)
    commit(project)
    dvc(project, "push", "-q")
    git(tmp_path, "clone", "-q", "project", "clone")
    clone = tmp_path / "clone"
    dvc(clone, "pull", "-q", "code", "sources-world", f"finetune-{ROW}")
    folders = {path.parent.relative_to(clone / "artifacts/tiny").as_posix() for path in clone.rglob("manifest.json")}
    assert folders == {"sources/world", f"finetune/{ROW}"}
    output = dvc(clone, "repro", "--single-item", f"retrieve-{ROW}", f"score-{ROW}")
    assert stages_run(output) == {f"retrieve-{ROW}", f"score-{ROW}"}
    assert artifacts.checksums(clone / SCORES) == artifacts.checksums(project / SCORES)
    assert git(clone, "status", "--porcelain") == " M dvc.lock\n", "seconds stand in the manifests"


def test_what_is_pulled_whole_is_not_run_again(project: Path, tmp_path: Path) -> None:
    dvc(project, "push", "-q")
    git(tmp_path, "clone", "-q", "project", "clone")
    clone = tmp_path / "clone"
    (project / ".dvc/storage").rename(clone / ".dvc/storage")
    dvc(clone, "pull", "-q")
    assert not stages_run(dvc(clone, "repro", "--single-item", f"score-{ROW}"))
    assert stages_run(dvc(clone, "repro")) == {"code"}
    assert git(clone, "status", "--porcelain") == ""
    assert json.loads(dvc(clone, "status", "--json")) == {"code": ["always changed"]}


def test_an_experiment_runs_what_depends_on_it_and_is_compared(project: Path) -> None:
    before = cells(project)
    output = dvc(project, "exp", "run", "-S", "recipes/demo.yaml:pretrain.msm.mu=0.3")
    after_training = {f"{stage}-{ROW}" for stage in ("finetune", "retrieve", "score")}
    assert stages_run(output) == {"code", "pretrain-msm-1", *after_training, "report-all"}
    assert git(project, "status", "--porcelain").split() == ["M", "dvc.lock", "M", "recipes/demo.yaml"]
    params = json.loads(dvc(project, "params", "diff", "--json"))["recipes/demo.yaml"]
    assert params == {"pretrain.msm.mu": {"old": 0.5, "new": 0.3, "diff": -0.2}}
    after = cells(project)
    (changes,) = json.loads(dvc(project, "metrics", "diff", "--all", "--json")).values()
    values_by_cell = {name.removeprefix(f"constructed.{ROW}."): values for name, values in changes.items()}
    for cell in before.keys() | after.keys():
        assert (values_by_cell[cell]["old"], values_by_cell[cell]["new"]) == (before[cell], after[cell])
    (plot,) = json.loads(dvc(project, "plots", "diff", "--json", "-o", "plots"))["data"].values()
    points = plot[0]["content"]
    bars = {(bar["rev"], bar["cell"]): float(bar["value"]) for bar in points["data"]["values"]}
    for revision, values in (("HEAD", before), ("workspace", after)):
        for cell, value in values.items():
            assert bars[revision, f"{ROW} {cell}"] == value
    assert points["encoding"]["y"]["axis"] == {"labelLimit": 0}, "drawn by the project's own template"


def cells(folder: Path) -> dict[str, float]:
    """The first measure of every language in the pool of all, under the names of `dvc metrics`."""
    rows = [row for _, row in files.read_json_lines(folder / SCORES / "scores.jsonl")]
    values = {
        f"{row['measure']} {row['query_language']}": row["value"]
        for row in rows
        if row["measure"] == "map@20"
        and row["candidate_language"] is None
        and row["query_language"] not in ("all", "mean")
    }
    assert len(values) == 3
    return values


def stages_run(output: str) -> set[str]:
    """Stages that DVC ran, in its own words."""
    return set(re.findall(r"^Running stage '(.+)':", output, flags=re.MULTILINE))


def commit(folder: Path) -> None:
    git(folder, "add", "-A", ".")
    git(folder, "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-q", "-m", "Finished")


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, text=True, stdout=subprocess.PIPE).stdout


def dvc(folder: Path, *words: str) -> str:
    """Run DVC on the project's own code; what it writes on stdout."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    start = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(start, cwd=folder, env=environment, check=True, text=True, stdout=subprocess.PIPE).stdout
