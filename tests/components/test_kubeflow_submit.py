"""Submitting and following a run, against a stand-in for the Kubeflow Pipelines API."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msm.cli.main import main
from msm.components import kubeflow_submit
from msm.components.kubeflow_submit import RunFailed, Server, address, follow, submit
from tests.components.kubeflow_server import KubeflowServer

ROOT = Path(__file__).parents[2]
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text("pipelineInfo: {name: msm-benchmark-tiny}\n")
    return path


@pytest.fixture
def kubeflow() -> Iterator[KubeflowServer]:
    server = KubeflowServer()
    yield server
    server.close()


def start(kubeflow: KubeflowServer, package: Path, token_file: Path | None = None) -> str:
    server = Server(kubeflow.host, "msm", token_file)
    return submit(server, package, experiment="trials", service_account="msm-pipeline")


def test_first_submit_uploads_and_starts(kubeflow: KubeflowServer, package: Path) -> None:
    assert start(kubeflow, package) == "run-0"
    assert list(kubeflow.pipelines) == ["msm-benchmark-tiny"]
    assert list(kubeflow.experiments) == ["trials"]
    assert kubeflow.runs[0]["service_account"] == "msm-pipeline"
    assert kubeflow.runs[0]["experiment_id"] == kubeflow.experiments["trials"]


def test_the_same_bytes_are_uploaded_once(kubeflow: KubeflowServer, package: Path) -> None:
    start(kubeflow, package)
    start(kubeflow, package)
    assert len(kubeflow.versions) == 1
    package.write_text(package.read_text() + "# changed\n")
    start(kubeflow, package)
    assert len(kubeflow.versions) == 2
    assert len(kubeflow.pipelines) == 1
    assert len(kubeflow.runs) == 3


def test_the_command_uploads_starts_follows_and_ends_by_the_outcome(
    kubeflow: KubeflowServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("right\n")
    kubeflow.token = "right"
    words = ["pipeline", "submit", "benchmark", "--recipe", str(ROOT / "recipes" / "tiny.yaml"), "--image", IMAGE]
    words += ["--host", kubeflow.host, "--namespace", "team-nine", "--token-file", str(tmp_path / "token")]
    main([*words, "--experiment", "trials", "--wait", "--every", "0.01"])
    output = capsys.readouterr()
    assert output.out == f"{kubeflow.host}/#/runs/details/run-0\n"
    assert output.err.count("pretrain/msm-1: running") == output.err.count("pretrain/msm-1: succeeded") == 1
    kubeflow.states = ["RUNNING", "FAILED"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--wait", "--every", "0.01"])
    assert end.value.code == 1
    output = capsys.readouterr()
    assert output.out == f"{kubeflow.host}/#/runs/details/run-1\n"
    assert output.err.splitlines()[-1].startswith("msm: run run-1 failed: pod was OOMKilled")
    assert len(kubeflow.versions) == 1, "the same recipe and image are the same version"
    assert list(kubeflow.experiments) == ["trials", "msm"]


def test_unauthorised_says_what_to_do(package: Path, tmp_path: Path) -> None:
    kubeflow = KubeflowServer(token="right")
    token = tmp_path / "token"
    token.write_text("wrong\n")
    with pytest.raises(RunFailed, match=r"401 Unauthorized: .*--token-file"):
        start(kubeflow, package, token)
    token.write_text("right\n")
    assert start(kubeflow, package, token) == "run-0"
    kubeflow.close()


def test_follow_tells_every_change_once(kubeflow: KubeflowServer, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow.states = ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    follow(Server(kubeflow.host), "run-0", every=0.01)
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["pretrain/msm-1: pending", "pretrain/msm-1: running", "pretrain/msm-1: succeeded"]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_run_that_ends_badly_is_an_error(kubeflow: KubeflowServer, state: str) -> None:
    kubeflow.states = ["RUNNING", state]
    with pytest.raises(RunFailed) as error:
        follow(Server(kubeflow.host), "run-0", every=0.01)
    assert state.lower() in str(error.value)
    assert address(Server(kubeflow.host), "run-0") in str(error.value)
    if state == "FAILED":
        assert "pod was OOMKilled; failed tasks: pretrain/msm-1" in str(error.value)
    assert error.value.exit_code == 1


def test_a_lost_network_is_waited_for(kubeflow: KubeflowServer, capsys: pytest.CaptureFixture[str]) -> None:
    kubeflow.broken = 6
    follow(Server(kubeflow.host), "run-0", every=0.01)
    assert "cannot be reached" in capsys.readouterr().err


def test_an_unreachable_server_ends_in_one_line(package: Path) -> None:
    kubeflow = KubeflowServer()
    kubeflow.close()
    with pytest.raises(kubeflow_submit.ServerUnreachable, match="cannot be reached") as error:
        start(kubeflow, package)
    assert "\n" not in str(error.value)
    with pytest.raises(RunFailed, match="the run goes on"):
        follow(Server(kubeflow.host), "run-0", every=0.01, patience=0.05)
