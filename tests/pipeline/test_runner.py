"""Stage folders: whole or absent, reused when the same work was done, traceable."""

import dataclasses
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from msm.corpora.settings import Documents
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import artifacts, runner
from msm.settings import flattened
from tests.pretraining.made import settings as pretraining

SETTINGS = Documents(collections="texts", languages="all", document_overlap="all", reorder=0.0, seed=1)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    for language, text in (("en", "One two. Three four.\n\nFive six."), ("de", "Eins zwei. Drei vier.")):
        folder = tmp_path / "sources" / "texts" / language
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(text)
    return tmp_path / "sources"


def run(texts: Path, out: Path, settings: Documents = SETTINGS) -> dict:
    return runner.run_stage("documents", settings, {"sources": texts}, out, Execution(work=out.parent / "work"))


def test_the_manifest_says_what_made_the_folder(texts: Path, tmp_path: Path) -> None:
    manifest = run(texts, tmp_path / "out")
    assert manifest == json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["settings"] == dataclasses.asdict(SETTINGS)
    assert manifest["outputs"] == artifacts.checksums(tmp_path / "out" / "documents")
    assert {"commit", "versions", "device", "seconds", "command", "inputs"} <= manifest.keys()
    assert len(manifest["inputs"]["sources"]["checksum"]) == 64


def test_its_command_makes_it_again(texts: Path, tmp_path: Path) -> None:
    manifest = run(texts, tmp_path / "out")
    again = manifest["command"].replace(str(tmp_path / "out"), str(tmp_path / "again"))
    subprocess.run([sys.executable, "-m", *again.split()], check=True, capture_output=True)
    assert artifacts.read_manifest(tmp_path / "again")["outputs"] == manifest["outputs"]


def test_finished_work_is_reused_and_other_work_replaces_it(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(texts, out)
    before = (out / "manifest.json").stat().st_mtime_ns
    run(texts, out)
    assert (out / "manifest.json").stat().st_mtime_ns == before
    run(texts, out, dataclasses.replace(SETTINGS, languages="de"))
    assert [path.name for path in (out / "documents").glob("*.jsonl")] == ["de.jsonl"]
    (texts / "texts" / "de" / "a.txt").write_text("Neu eins. Neu zwei.")
    other = run(texts, out, dataclasses.replace(SETTINGS, languages="de"))
    assert "Neu" in (out / "documents" / "de.jsonl").read_text()
    assert other["outputs"] == artifacts.checksums(out / "documents")


def test_a_failed_stage_leaves_nothing(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="xx"):
        run(texts, tmp_path / "out", dataclasses.replace(SETTINGS, languages="xx"))
    assert not (tmp_path / "out").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"sources"}


def test_a_missing_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "msm", "run", "documents", "--sources", str(tmp_path / "nowhere")]
    for name, value in dataclasses.asdict(SETTINGS).items():
        words += [f"--{name}", str(value)]
    result = subprocess.run([*words, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "nowhere" in result.stderr


def test_a_stage_stops_when_its_parent_dies(units: Path, encoder: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "msm", "run", "pretrain", "--units", str(units), "--weights", str(encoder)]
    for name, value in flattened(pretraining(steps=100_000, checkpoint_steps=100_000)).items():
        words += [f"--{name}", str(value)]
    words += ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--stop_with_parent"]
    program = f"import subprocess; child = subprocess.Popen({words!r}); print(child.pid, flush=True); child.wait()"
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        wait_until(lambda: is_at_work(tmp_path / "work") or parent.poll() is not None, seconds=120)
        assert parent.poll() is None, "the stage ended before it was stopped"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: not Path(f"/proc/{child}").exists(), seconds=120)
        assert list((tmp_path / "work").glob("*/step-*.pt")), "it saved first"
    finally:
        parent.kill()
        if Path(f"/proc/{child}").exists():
            os.kill(child, signal.SIGKILL)


def is_at_work(work: Path) -> bool:
    """Whether a training has done a step."""
    return any(log.stat().st_size for log in work.glob("*/log.jsonl"))


def wait_until(is_so: Callable[[], bool], *, seconds: float) -> None:
    """Wait for a condition; a condition that does not come in time is an error."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"nothing happened for {seconds:g} seconds"
        time.sleep(0.1)


def test_no_folder_but_an_earlier_output_is_replaced(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for out, problem in (
        (tmp_path / "link", "a link"),
        (tmp_path / "file" / "below", "file: cannot be written"),
        (tmp_path / "mine", "holds files, but no manifest.json"),
        (tmp_path / "file", "cannot be written: a file"),
        (texts, "holds files"),
        (texts / "new", "neither may hold the other"),
    ):
        with pytest.raises(BadInput, match=problem):
            run(texts, out)
    (tmp_path / "empty").mkdir()
    run(texts, tmp_path / "empty")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert (texts / "texts" / "en" / "a.txt").is_file()


def test_altered_inputs_are_refused_by_name(texts: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "made", tmp_path / "out"
    run(texts, folder)
    english = folder / "documents" / "en.jsonl"
    status = english.stat()
    assert artifacts.altered(folder) == artifacts.altered(folder, whole=True) == []
    english.write_bytes(english.read_bytes().replace(b"Five", b"Nine"))
    assert artifacts.altered(folder) == ["en.jsonl"]
    with pytest.raises(BadInput, match=r"made: en\.jsonl: not what its manifest\.json says"):
        run(folder, out)
    with pytest.raises(BadInput, match=r"made: en\.jsonl: not what its manifest\.json says"):
        run(texts, folder)
    os.utime(english, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert artifacts.altered(folder) == [], "of the same size and time"
    assert artifacts.altered(folder, whole=True) == ["en.jsonl"]
    english.write_bytes(english.read_bytes().replace(b"Nine", b"Five"))
    assert artifacts.altered(folder) == [], "another time, the same bytes"
    (folder / "documents" / "new.jsonl").touch()
    (folder / "documents" / "de.jsonl").unlink()
    assert artifacts.altered(folder) == ["de.jsonl", "new.jsonl"]
    assert not out.exists()


def test_what_killed_runs_left_is_removed_and_what_others_write_stays(tmp_path: Path) -> None:
    remnant, other = tmp_path / f".out.{platform.node()}-999999999.partial", tmp_path / ".out.another-1.partial"
    for folder in (remnant, other):
        folder.mkdir()
    with artifacts.new_folder(tmp_path / "out") as partial:
        assert str(os.getpid()) in partial.name
        (partial / ".a.json.77.partial").touch()
        assert artifacts.checksums(partial) == {}
    assert not remnant.exists()
    assert other.exists()
    with runner.locked(tmp_path / "out"), pytest.raises(BadInput, match="another run is at work on it"):
        with runner.locked(tmp_path / "out"):
            pass
    assert not other.exists()
