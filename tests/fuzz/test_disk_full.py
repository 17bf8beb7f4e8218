"""A disk that is full in the middle of any stage: one line, exit 2, and what was there stays."""

import json
import shutil
from pathlib import Path

import pytest

from msm.pipeline.artifacts import checksums
from msm.pipeline.tasks import Task
from tests.corpora.crawl.made import write_recipe
from tests.fuzz.cases import FIRST
from tests.fuzz.forked import run


@pytest.mark.slow
@pytest.mark.parametrize("task", FIRST.values(), ids=FIRST)
def test_a_full_disk(task: Task, chain: Path, tmp_path: Path) -> None:
    shutil.copytree(chain, tmp_path, dirs_exist_ok=True)
    out = tmp_path / task.out
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"identity": "made of something else"}))
    before = checksums(out.parent)
    sizes = sorted(path.stat().st_size for path in out.rglob("*") if path.is_file())
    for file_bytes in {100, sizes[-1] // 2, sizes[-1] * 9 // 10}:  # the last digits of a manifest vary
        end = run(["run", task.name, "--recipe", "tiny", "--processes", "1"], tmp_path, file_bytes=file_bytes)
        assert end.code == 2, end.stderr
        assert "Traceback" not in end.stderr
        assert end.stderr.splitlines()[-1].startswith("msm: ")
        assert checksums(out.parent) == before
        assert not list(out.parent.glob(".*"))
    end = run(["run", task.name, "--recipe", "tiny", "--processes", "1"], tmp_path)
    assert end.code == 0, end.stderr
    assert json.loads((out / "manifest.json").read_text())["outputs"] == manifest["outputs"]


@pytest.mark.slow
def test_a_full_disk_under_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    rows = [{"text": f"Text number {number} is about nothing. " * 30, "language": "en"} for number in range(50)]
    (tmp_path / "texts" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    inputs = [{"address": str(tmp_path / "texts"), "files": "*.jsonl", "format": "jsonl", "language": ""}]
    recipe = write_recipe(tmp_path / "recipe.yaml", inputs)
    words = ["corpus", str(recipe), "--out", "out", "--work", "work", "--workers", "1"]
    end = run(words, tmp_path, file_bytes=1000)
    assert end.code == 2, end.stderr
    assert "Traceback" not in end.stderr, "datatrove logs the errors of its tasks with their trace"
    assert end.stderr.splitlines()[-1].startswith("msm: ")
    assert run(words, tmp_path).code == 0
