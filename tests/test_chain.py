"""The whole chain through DVC at the tiny recipe's sizes: killed, run again, scored, reported."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from msm.files import read_json_lines
from msm.pipeline.artifacts import read_manifest
from msm.training import read_log

ROOT = Path(__file__).parents[1]
PIPELINE = "pipelines/tiny/dvc.yaml"
STAGE = f"{PIPELINE}:pretrain-msm-1"


def project(folder: Path, steps: int) -> Path:
    """A project folder of its own: the code is linked, the recipe `tiny` is copied with more steps."""
    (folder / "recipes").mkdir(parents=True)
    for name in ("msm", "components", "dashboards"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "recipes" / "demo.yaml", folder / "recipes")
    path = Path("recipes/tiny.yaml")
    (folder / path).write_text((ROOT / path).read_text().replace("  steps: 20\n", f"  steps: {steps}\n"))
    subprocess.run([sys.executable, "-m", "msm", "recipe", "tiny", "--dvc"], cwd=folder, check=True)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    dvc(folder, "init", "-q").wait()
    return folder


def dvc(folder: Path, *words: str) -> subprocess.Popen[str]:
    # /bin/sh is the shell that stays between DVC and a stage, if any does.
    environment = os.environ | {"SHELL": "/bin/sh", "OMP_NUM_THREADS": "1"}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", *words], cwd=folder, env=environment, text=True, stdout=subprocess.DEVNULL
    )


def stage_processes(folder: Path) -> list[int]:
    processes = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder and b"pretrain" in (entry / "cmdline").read_bytes():
                processes.append(int(entry.name))
        except OSError:
            continue
    return processes


@pytest.mark.slow
def test_a_killed_repro_goes_on_and_gives_the_same_bits(tmp_path: Path) -> None:
    straight, again = project(tmp_path / "straight", 120), project(tmp_path / "killed", 120)
    assert dvc(straight, "repro", "-q", STAGE).wait() == 0
    process = dvc(again, "repro", "-q", STAGE)
    for _ in range(1200):
        logs = list(again.glob("work/tiny/pretrain/msm-1/*/log.jsonl"))
        if logs and len(read_log(logs[0])) >= 30:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(300):
        if not stage_processes(again):
            break
        time.sleep(0.1)
    assert not stage_processes(again), "the stage outlived dvc"
    assert not (again / "artifacts" / "tiny" / "pretrain" / "msm-1").exists()
    assert dvc(again, "repro", "-q", STAGE).wait() == 0
    out = Path("artifacts", "tiny", "pretrain", "msm-1")
    assert read_manifest(again / out)["facts"]["resumed_from"] >= 30
    first, second = (load_file(folder / out / "model" / "model.safetensors") for folder in (straight, again))
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.slow
def test_the_tiny_recipe_ends_in_a_report(tmp_path: Path) -> None:
    folder = project(tmp_path / "whole", 20)
    assert dvc(folder, "repro", "-q", PIPELINE).wait() == 0
    rows = [
        row for path in folder.glob("artifacts/tiny/score/*/scores/scores.jsonl") for _, row in read_json_lines(path)
    ]
    assert {row["model"] for row in rows} == {"untrained", "mlm", "msm", "bm25-words", "bm25-characters"}
    assert all(0 <= row["value"] <= 1 for row in rows if row["measure"] == "map@20")
    report = (folder / "artifacts" / "tiny" / "report" / "all" / "report" / "report.md").read_text()
    assert "msm" in report
    before = {path: path.stat().st_mtime_ns for path in folder.glob("artifacts/tiny/*/*/manifest.json")}
    assert dvc(folder, "repro", "-q", PIPELINE).wait() == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}, "finished work was done again"
    # What changes one objective runs only that row and what hangs on it.
    recipe = folder / "recipes" / "demo.yaml"
    recipe.write_text(recipe.read_text().replace("    mu: 0.5 ", "    mu: 0.3 "))
    assert dvc(folder, "repro", "-q", PIPELINE).wait() == 0
    names = {path.parent.name for path in before if path.stat().st_mtime_ns != before[path]}
    assert names == {"msm-1", "constructed-msm-1", "all"}
    shutil.rmtree(folder)
