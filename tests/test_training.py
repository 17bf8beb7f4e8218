"""Resuming: in steps, after a kill, past a damaged checkpoint; always the same bits as one straight run."""

import json
import resource
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import get_linear_schedule_with_warmup

from msm import checkpoints
from msm.errors import BadInput
from msm.training import Plan, read_log
from tests.pretraining.processes import finish, same, start, wait_for_step, weights


@pytest.fixture(scope="module")
def straight(units: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("straight") / "out"
    finish(start(units, encoder, out))
    return out


def test_killed_and_run_again_gives_the_same_bits(units: Path, encoder: Path, straight: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(units, encoder, out)
    wait_for_step(tmp_path / "work-out", 12)
    process.send_signal(signal.SIGKILL)
    finish(process, -signal.SIGKILL)
    assert not out.exists()
    finish(start(units, encoder, out))
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["facts"]["resumed_from"] >= 10
    assert manifest["device"].endswith(" cores, 1 thread")
    assert same(straight, out)
    columns = ("step", "loss", "mlm_loss", "msm_loss", "gradient_norm")
    rows = [[row[column] for column in columns] for row in read_log(out / "log.jsonl")]
    assert rows == [[row[column] for column in columns] for row in read_log(straight / "log.jsonl")]


@pytest.mark.slow
def test_checkpoints_by_the_clock_lose_little_and_change_nothing(
    units: Path, encoder: Path, straight: Path, tmp_path: Path
) -> None:
    out, seldom = tmp_path / "out", {"checkpoint_steps": 1000}
    process = start(units, encoder, out, options=["--checkpoint_seconds", "0"], **seldom)
    wait_for_step(tmp_path / "work-out", 8)
    process.send_signal(signal.SIGKILL)
    finish(process, -signal.SIGKILL)
    (work,) = (path for path in (tmp_path / "work-out").iterdir() if path.is_dir())
    (work / ".step-000000099.pt.77.partial").write_bytes(b"as a kill leaves it")
    # The step of the checkpoint is a setting, so that the same words go on; how often the clock saves is none.
    process = start(units, encoder, out, **seldom)
    wait_for_step(tmp_path / "work-out", 12)
    assert not list(work.glob("*.partial"))
    finish(process)
    assert json.loads((out / "manifest.json").read_text())["facts"]["resumed_from"] >= 7
    assert same(straight, out)


@pytest.mark.slow
def test_sigterm_checkpoints_and_exits_with_its_own_code(
    units: Path, encoder: Path, straight: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(units, encoder, out)
    wait_for_step(tmp_path / "work-out", 7)
    process.send_signal(signal.SIGTERM)
    assert "the same command goes on" in finish(process, 75)
    finish(start(units, encoder, out))
    assert json.loads((out / "manifest.json").read_text())["facts"]["resumed_from"] >= 7
    assert same(straight, out)


def test_divergence_names_step_documents_and_checkpoint(units: Path, encoder: Path, tmp_path: Path) -> None:
    error = finish(start(units, encoder, tmp_path / "out", learning_rate=1e30, clip=0.0, checkpoint_steps=1), 3)
    last = error.splitlines()[-1]
    assert "step " in last
    assert "told/" in last, "the documents of the batch"
    assert "the last good checkpoint is" in last
    assert not (tmp_path / "out").exists()


def test_two_processes_give_the_losses_of_one(units: Path, encoder: Path, tmp_path: Path) -> None:
    changes = {"steps": 6}
    one, two = tmp_path / "one", tmp_path / "two"
    finish(start(units, encoder, one, **changes))
    finish(start(units, encoder, two, processes=2, **changes))
    for first, second in zip(read_log(one / "log.jsonl"), read_log(two / "log.jsonl"), strict=True):
        for column in ("loss", "mlm_loss", "msm_loss", "accuracy", "alpha", "gradient_norm", "tokens"):
            assert first[column] == pytest.approx(second[column], abs=1e-5), column
    assert all(torch.allclose(weights(one)[name], weight, atol=1e-5) for name, weight in weights(two).items())


@pytest.mark.slow
def test_two_processes_go_on_as_one_and_back(units: Path, encoder: Path, straight: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for processes, step in ((2, 7), (1, 13), (2, 0)):
        options = ["--checkpoint_seconds", "0"]  # a checkpoint after every step
        process = start(units, encoder, out, processes, options)
        if step:
            wait_for_step(tmp_path / "work-out", step)
            process.send_signal(signal.SIGTERM)
        finish_any(process)
    assert json.loads((out / "manifest.json").read_text())["facts"]["resumed_from"] >= 13
    for first, second in zip(read_log(straight / "log.jsonl"), read_log(out / "log.jsonl"), strict=True):
        assert first["loss"] == pytest.approx(second["loss"], abs=1e-4), first["step"]
    assert all(torch.allclose(weights(straight)[name], weight, atol=1e-4) for name, weight in weights(out).items())


def finish_any(process: subprocess.Popen[str]) -> None:
    """Wait for the end of a process, whatever its exit code: torchrun itself ends with 1 when it is stopped."""
    process.communicate(timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize(("gather", "processes"), [("grad", 2), ("no_grad", 2), ("no_grad", 4)])
def test_a_softmax_over_processes(units: Path, encoder: Path, tmp_path: Path, gather: str, processes: int) -> None:
    # Without heads, whose BatchNorm sees the local batch, and without dropout, drawn by each process.
    changes = {"steps": 4, "projector": "none", "softmax_documents": 4, "clip": 0.0, "document_dropout": 0.0}
    plain = tmp_path / "plain"
    shutil.copytree(encoder, plain)
    config = json.loads((plain / "config.json").read_text())
    (plain / "config.json").write_text(
        json.dumps(config | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    )
    one, more = tmp_path / "one", tmp_path / "more"
    finish(start(units, plain, one, **changes))
    finish(start(units, plain, more, processes=processes, gather=gather, **changes))
    for first, second in zip(read_log(one / "log.jsonl"), read_log(more / "log.jsonl"), strict=True):
        assert first["msm_loss"] == pytest.approx(second["msm_loss"], abs=1e-3)
        assert first["gradient_norm"] == pytest.approx(second["gradient_norm"], rel=1e-3)


@pytest.mark.slow
def test_ccp_resumes_with_its_memory(units: Path, encoder: Path, tmp_path: Path) -> None:
    changes = {"objective": "ccp", "memory_keys": 100}
    straight, out = tmp_path / "straight", tmp_path / "out"
    finish(start(units, encoder, straight, **changes))
    process = start(units, encoder, out, **changes)
    wait_for_step(tmp_path / "work-out", 8)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finish(start(units, encoder, out, **changes))
    assert same(straight, out)


PLAN = Plan(
    steps=30,
    learning_rate=1e-4,
    warmup_steps=0,
    schedule="linear",
    schedule_steps=0,
    betas=(0.9, 0.999),
    epsilon=1e-8,
    weight_decay=0.0,
    clip=1.2,
    checkpoint_steps=1,
)


@pytest.mark.parametrize("schedule_steps", [0, 40])
def test_the_cosine_schedule_is_that_of_torch(schedule_steps: int) -> None:
    plan = replace(PLAN, warmup_steps=9, schedule="cosine", schedule_steps=schedule_steps)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)
    rising = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=9)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=(schedule_steps or 30) - 9)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [rising, falling], milestones=[9])
    for step in range(30):
        assert plan.rate(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6, abs=1e-12), step
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("warmup_steps", [0, 1, 9])
def test_the_linear_schedule_is_that_of_transformers_with_a_warm_up_counted_from_1(warmup_steps: int) -> None:
    plan = replace(PLAN, warmup_steps=warmup_steps)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup_steps, 30)
    rates = []
    for _ in range(31):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = rates[1 : warmup_steps + 1] + rates[warmup_steps:30]
    assert [plan.rate(step) for step in range(30)] == pytest.approx(expected, rel=1e-6)
    assert rates[30] == 0


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, step, {"step": step, "weight": torch.ones(100) * step})
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["step-000000002.pt", "step-000000003.pt"]
    newest = tmp_path / "step-000000003.pt"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    state = checkpoints.load(tmp_path)
    assert state is not None
    assert state["step"] == 2
    assert "damaged" in caplog.text


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, 1, {"step": 1})
    # A limit on the size of files fails a write the way a full disk does.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(BadInput, match=r"cannot write the checkpoint.*step-000000001"):
            checkpoints.save(tmp_path, 2, {"step": 2, "weight": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    state = checkpoints.load(tmp_path)
    assert state is not None
    assert state["step"] == 1
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".pt", ".sha256"]
