"""Training logs: live and finished, cut off and broken."""

import json
import os
import time
from pathlib import Path

import pytest

from msm.dashboards import training_logs
from msm.dashboards.folders import Folders
from msm.dashboards.training_logs import Tail


def write_log(path: Path, steps: int, tail: str = "") -> Path:
    path.parent.mkdir(parents=True)
    lines = [
        {"step": step, "loss": 1 / step, "tokens": 64} | ({"dev_mrr": 0.5} if step == 2 else {})
        for step in range(1, steps + 1)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + tail)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "artifacts", tmp_path / "results", tmp_path / "work")


def test_finished_and_live_runs_are_found(folders: Folders) -> None:
    write_log(folders.artifacts / "demo/pretrain/msm-1/log.jsonl", 3)
    write_log(folders.artifacts / "demo/finetune/lareqa-msm-1/log.jsonl", 3)
    write_log(folders.work / "demo/finetune/lareqa-msm-1/0123456789abcdef/log.jsonl", 2)
    runs = training_logs.runs(folders)
    assert [run.label for run in runs] == ["finetune/lareqa-msm-1 (running)", "pretrain/msm-1"]


def test_unfinished_run_that_is_silent_has_stopped(folders: Folders) -> None:
    log = write_log(folders.work / "demo/pretrain/msm-1/0123456789abcdef/log.jsonl", 2)
    os.utime(log, (time.time() - 2 * training_logs.SILENCE,) * 2)
    assert [run.label for run in training_logs.runs(folders)] == ["pretrain/msm-1 (stopped)"]


def test_growing_log_is_read_on_where_it_was_left(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a/log.jsonl", 3, tail='{"step": 4, "lo')
    tail = Tail(log)
    assert len(tail.curves()[0]) == 3
    with log.open("r+b") as file:
        file.write(b"#" * (tail.read - 1))  # what was read is not looked at again
        file.seek(0, 2)
        file.write(b'ss": 0.25}\n{"step": 5, "loss": 0.2}\nnull\n')
    frame, problem = tail.curves()
    assert list(frame["step"]) == [1, 2, 3, 4, 5]
    assert list(frame["loss"].iloc[3:]) == [0.25, 0.2]
    assert "log.jsonl:6" in problem


def test_log_begun_anew_is_read_anew(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a/log.jsonl", 9)
    tail = Tail(log)
    tail.curves()
    log.write_text('{"step": 1, "loss": 2}\n')
    assert list(tail.curves()[0]["loss"]) == [2]
    log.unlink()
    assert list(tail.curves()[0]["loss"]) == [2]


def test_no_folder_means_no_runs(folders: Folders) -> None:
    assert training_logs.runs(folders) == []


def test_curve_holds_only_what_was_logged(tmp_path: Path) -> None:
    frame, problem = Tail(write_log(tmp_path / "a/log.jsonl", 4)).curves()
    assert list(frame.columns) == ["step", "loss", "dev_mrr"]
    assert list(frame["loss"]) == [1, 1 / 2, 1 / 3, 1 / 4]
    assert frame["dev_mrr"].count() == 1
    assert problem == ""


def test_long_curve_is_thinned_to_means(tmp_path: Path) -> None:
    frame, _ = Tail(write_log(tmp_path / "a/log.jsonl", 1000)).curves()
    assert len(frame) <= training_logs.POINTS
    assert frame["step"].iloc[0] == pytest.approx(2.5)
    assert frame["loss"].iloc[0] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_line_being_written_is_passed_over(tmp_path: Path) -> None:
    frame, problem = Tail(write_log(tmp_path / "a/log.jsonl", 3, tail='{"step": 4, "lo')).curves()
    assert (len(frame), problem) == (3, "")


@pytest.mark.parametrize("tail", ["oops\n", "[1]\n", '{"loss": 1}\n', '{"step": "x"}\n', "null\n"])
def test_broken_line_is_named_and_ends_the_curve(tmp_path: Path, tail: str) -> None:
    frame, problem = Tail(write_log(tmp_path / "a/log.jsonl", 3, tail=tail)).curves()
    assert len(frame) == 3
    assert "log.jsonl:4" in problem


def test_empty_log_gives_an_empty_curve(tmp_path: Path) -> None:
    frame, problem = Tail(write_log(tmp_path / "a/log.jsonl", 0)).curves()
    assert (len(frame), problem) == (0, "")
