"""A verdict of one attempt ends the next ones of the same run, and of no other run."""

import sys
from pathlib import Path

import pytest

from msm.components import verdicts
from msm.errors import BadInput, Diverged, Preempted


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("KFP_POD_NAME", "matrix-x7k2p-retry-system-container-impl-1111")
    return monkeypatch


@pytest.mark.parametrize("error", [BadInput("no such file"), Diverged("step 3: loss nan")])
def test_it_stops_the_retries_of_its_run(run: pytest.MonkeyPatch, tmp_path: Path, error: BadInput | Diverged) -> None:
    path = tmp_path / "verdict.json"
    with pytest.raises(type(error)), verdicts.kept(path):
        raise error
    run.setenv("KFP_POD_NAME", "matrix-x7k2p-retry-system-container-impl-2222")
    with pytest.raises(verdicts.Repeated, match=str(error)) as end, verdicts.kept(path):
        pytest.fail("it began again")
    assert end.value.exit_code == error.exit_code
    run.setenv("KFP_POD_NAME", "matrix-zzzzz-retry-system-container-impl-3333")
    with verdicts.kept(path):
        pass


@pytest.mark.parametrize("code", [2, 3])
def test_a_verdict_of_torchruns_processes_counts(run: pytest.MonkeyPatch, tmp_path: Path, code: int) -> None:
    with pytest.raises(SystemExit), verdicts.kept(tmp_path / "verdict.json"):
        sys.exit(code)
    with pytest.raises(verdicts.Repeated), verdicts.kept(tmp_path / "verdict.json"):
        pytest.fail("it began again")


@pytest.mark.parametrize("error", [Preempted("stopped"), ConnectionError("a network"), SystemExit(75), SystemExit(1)])
def test_what_a_retry_may_mend_is_none(run: pytest.MonkeyPatch, tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), verdicts.kept(tmp_path / "verdict.json"):
        raise error
    with verdicts.kept(tmp_path / "verdict.json"):
        pass


def test_outside_of_a_cluster_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(BadInput), verdicts.kept(tmp_path / "verdict.json"):
        raise BadInput("no such file")
    assert not (tmp_path / "verdict.json").exists()
