"""What trackers are told, read back from the tools' own files and from a tracking server."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2

from msm import tracking
from msm.errors import BadInput
from msm.files import read_json_lines
from msm.pipeline.artifacts import read_manifest
from msm.tracking import TrackedTask, tracked
from msm.training import read_log
from tests.reporting import made

ROOT = Path(__file__).parents[1]
ROW = "constructed-mlm-1"


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A score folder."""
    recipe = tmp_path_factory.mktemp("made") / "demo"
    made.write_recipe(recipe, models={"msm": [1]})
    return recipe / "score" / "lareqa-msm-1"


def test_tensorboard_reads_what_was_told(score: Path, tmp_path: Path) -> None:
    task = TrackedTask("demo", "score/lareqa-msm-1", "1" * 64, tmp_path)
    with tracked("tensorboard", task) as tracker:
        assert tracker is not None
        for step in (1, 2, 3):
            tracker.row({"step": step, "loss": 1 / step})
    with tracked("tensorboard", task) as tracker:
        assert tracker is not None
        # A run that goes on after step 2 takes the place of what was shown after it.
        tracker.row({"step": 3, "loss": 7.0})
        tracker.finish(read_manifest(score) | {"code": "", "device": "cpu", "seconds": 1.0}, score)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1.0), (2, 0.5), (3, 7.0)]
    for _, line in read_json_lines(score / "scores" / "scores.jsonl"):
        if line["candidate_language"] is None:
            (event,) = events.Scalars(f"{line['measure']}/multilingual/{line['query_language']}")
            assert event.value == pytest.approx(line["value"], rel=1e-6)


def test_a_task_has_the_name_of_its_scratch_folder() -> None:
    assert tracking.name_of(Path("work/demo/pretrain/msm-1"), "pretrain") == ("demo", "pretrain/msm-1")
    assert tracking.name_of(Path("/tmp/.mine.work"), "pretrain") == ("msm", "pretrain/mine")


def test_stages_without_numbers_are_not_shown(tmp_path: Path) -> None:
    with tracked("mlflow", TrackedTask("demo", "documents/ordered", "", tmp_path)) as tracker:
        assert tracker is None


def test_a_tool_that_would_ask_for_a_key_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(BadInput, match="set WANDB_API_KEY, or WANDB_MODE=offline"):
        tracking.check("wandb")


def test_a_tool_that_fails_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    with tracked("tensorboard", TrackedTask("demo", "pretrain/msm-1", "", tmp_path)) as tracker:
        assert tracker is not None
        for step in (1, 2):
            tracker.row({"step": step, "loss": 1.0})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("--log tensorboard: ")
    assert line.endswith("; the run goes on")


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a tracking server with `--mlflow PYTHON`; without, a database of the client's own."""
    python = request.config.getoption("--mlflow")
    if not python:
        yield f"file://{tmp_path / 'mlruns'}"
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{tmp_path}/db", "--artifacts-destination", str(tmp_path / "files")]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen([python, "-m", "mlflow", *words], stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(address, timeout=2)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("no server")


@pytest.mark.slow
def test_mlflow_gets_losses_scores_lineage_and_report(server: str, tmp_path: Path) -> None:
    """A row of a recipe, run with and without; the fingerprints are the same."""
    run_row(tmp_path, "mlflow", {"MLFLOW_TRACKING_URI": server, "MLFLOW_ALLOW_FILE_STORE": "true"})
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    client = mlflow.MlflowClient(server)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    root = tmp_path / "artifacts" / "tiny"
    assert runs.keys() == {"pretrain/mlm-1", f"finetune/{ROW}", f"score/{ROW}", "report/all"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for name, run in runs.items():
        manifest = read_manifest(root / str(name))
        assert run.data.tags["msm.identity"] == manifest["identity"] == run.data.params["identity"]
        assert run.data.params["fingerprint.values"] == manifest["fingerprint"]["values"]
        assert "recipe.yaml" in {file.path for file in client.list_artifacts(run.info.run_id)}
    for name in ("pretrain/mlm-1", f"finetune/{ROW}"):
        rows = read_log(root / name / "log.jsonl")
        history = client.get_metric_history(runs[name].info.run_id, "loss")
        assert [value.step for value in history] == [row["step"] for row in rows]
        assert [value.value for value in history] == pytest.approx([row["loss"] for row in rows], rel=1e-5)
    for _, line in read_json_lines(root / "score" / ROW / "scores" / "scores.jsonl"):
        if line["candidate_language"] is None and line["value"] is not None:
            name = f"{line['measure'].replace('@', '_at_')}/multilingual/{line['query_language']}"
            assert runs[f"score/{ROW}"].data.metrics[name] == line["value"]
    report = client.download_artifacts(runs["report/all"].info.run_id, "report.md", str(tmp_path))
    assert Path(report).read_text() == (root / "report/all/report/report.md").read_text()


@pytest.mark.slow
def test_wandb_keeps_an_offline_run(score: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    with tracked("wandb", TrackedTask("demo", "score/lareqa-msm-1", "1" * 64, tmp_path)) as tracker:
        assert tracker is not None
        tracker.finish(read_manifest(score) | {"code": "", "device": "cpu", "seconds": 1.0}, score)
        tracker.row({"step": 1, "loss": 2.5})
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    values = {"/".join(item.nested_key) or item.key: item.value_json for item in wandb_items(path)}
    assert float(values["loss"]) == 2.5
    for _, line in read_json_lines(score / "scores" / "scores.jsonl"):
        if line["candidate_language"] is None:
            assert float(values[f"{line['measure']}/multilingual/{line['query_language']}"]) == line["value"]


def wandb_items(path: Path) -> Iterator[wandb_internal_pb2.HistoryItem]:
    """Values in a run's own file: 7 bytes, then records in blocks of 32 KiB as LevelDB writes its log."""
    content, place, record = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        rest = (1 << 15) - place % (1 << 15)
        if rest < 7:
            place += rest
            continue
        size, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        record += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a whole record, or the last piece of one
            message = wandb_internal_pb2.Record.FromString(record)
            yield from message.history.item
            record = b""


def run_row(folder: Path, tool: str, environment: dict[str, str]) -> None:
    """Run the control of the recipe `tiny` and show it."""
    (folder / "recipes").symlink_to(ROOT / "recipes")
    whole = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    words = [sys.executable, "-m", "msm", "run", "tiny", "--rows", "mlm", "--log", tool]
    subprocess.run(words, cwd=folder, env=whole, check=True)
