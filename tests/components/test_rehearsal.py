"""The rehearsal, by the real kubectl against a server in miniature that judges by the schemas of a real one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msm.components.rehearsal import Kubectl, rehearse
from msm.errors import BadInput
from tests.components.schemas import Schemas
from tests.components.strict_server import StrictServer

ROOT = Path(__file__).parents[2]
Start = Callable[..., tuple[StrictServer, Kubectl]]


@pytest.fixture
def start(schemas: Schemas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Makes a server and a kubectl that talks to it."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    # kubectl keeps what it has discovered of a server there.
    monkeypatch.setenv("HOME", str(tmp_path))
    servers = []

    def started(**options: str) -> tuple[StrictServer, Kubectl]:
        server = StrictServer(schemas, **options)
        servers.append(server)
        (tmp_path / "config").write_text(server.kubeconfig())
        return server, Kubectl(tmp_path / "config")

    yield started
    for server in servers:
        server.close()


@pytest.mark.slow
def test_everything_is_as_it_should_be(start: Start) -> None:
    server, kubectl = start()
    right, problems = rehearse(kubectl, ROOT / "manifests", ROOT / "recipes")
    assert problems == []
    assert right > 80
    kinds = {path.split("?")[0].split("/")[-2 if path.startswith("PATCH") else -1] for path in server.kept}
    assert {path.split()[0] for path in server.kept} == {"POST", "PATCH", "DELETE"}
    patched_kinds = {path.split("/")[-2] for path in server.kept if path.startswith("PATCH")}
    assert patched_kinds == {"serviceaccounts", "roles", "rolebindings", "namespaces"}, kinds
    assert server.kept[-1].startswith("DELETE /api/v1/namespaces/msm-rehearsal-")


@pytest.mark.slow
def test_problems_are_named(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server, kubectl = start(without="kueue.x-k8s.io")
    server.granted_too_much = {"secrets"}
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    service = tmp_path / "manifests" / "base" / "dashboard.yaml"
    service.write_text(service.read_text().replace("targetPort: http", "targetPrt: http"))
    _, problems = rehearse(kubectl, tmp_path / "manifests", ROOT / "recipes")
    assert len(problems) == 4, problems
    assert all("unknown field targetPrt" in problem and "Service" in problem for problem in problems[:3])
    assert problems[3] == "msm-pipeline may list secrets"
    assert "the cluster has no such kind: ClusterQueue (kueue.x-k8s.io/v1beta2)" in capsys.readouterr().out


def test_a_server_that_is_not_there_is_one_line(start: Start) -> None:
    server, kubectl = start()
    server.close()
    with pytest.raises(BadInput, match=r"kubectl create: .*refused") as error:
        rehearse(kubectl, ROOT / "manifests", ROOT / "recipes")
    assert "\n" not in str(error.value)
