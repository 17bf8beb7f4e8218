"""Jobs that are rendered on demand: valid, admitted by Kueue, their words what the program itself reads."""

from pathlib import Path

import pytest
import yaml

from msm.cli.main import main
from msm.cli.run import stage_parser
from msm.components.clusters import CLUSTERS
from msm.components.volume_job import volume_job
from msm.errors import BadInput
from tests.components.schemas import Schemas

IMAGE = "registry.example.org/msm@sha256:" + "0" * 64


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_units_job(cluster: str, tmp_path: Path, schemas: Schemas) -> None:
    path = tmp_path / "job.yaml"
    main(["units-job", "tiny", "--parts", "16", "--image", IMAGE, "--cluster", cluster, "--job", str(path)])
    job = yaml.safe_load(path.read_text())
    assert schemas.problems(job) == []
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "msm"
    assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (16, 4)
    template = job["spec"]["template"]
    assert template["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    (container,) = template["spec"]["containers"]
    assert container["command"] == ["msm", "run"] and container["args"][0] == "units"
    arguments = vars(
        stage_parser("units").parse_args([word.replace("$(INDEX)", "7") for word in container["args"][1:]])
    )
    assert arguments["documents"] == Path("/work/corpus/documents/7") and arguments["out"] == Path(
        "/work/corpus/units/7"
    )
    assert arguments["processes"] == int(container["resources"]["limits"]["cpu"])


def test_volume_job(tmp_path: Path, schemas: Schemas) -> None:
    path = tmp_path / "job.yaml"
    main(["volume-job", "--image", IMAGE, "--job", str(path)])
    job = yaml.safe_load(path.read_text())
    assert schemas.problems(job) == []
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] + container["args"] == ["chown", "10001:10001", "/work"]
    # `baseline` allows root and this capability; nothing more is taken.
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]},
    }
    with pytest.raises(BadInput, match="OpenShift"):
        volume_job(CLUSTERS["openshift"], IMAGE)


TOKENIZER = ["tokenizer", "--documents", "/app/recipes", "--name", "FacebookAI/xlm-roberta-base", "--pieces", "0"]
TOKENIZER += ["--character_coverage", "1.0", "--language_sentences", "1", "--out", "/work/corpus/tokenizer"]


def test_stage_job(tmp_path: Path, schemas: Schemas) -> None:
    """The words of docs/cluster.md for the tokenizer of 108 languages."""
    path = tmp_path / "job.yaml"
    main(["stage-job", "--image", IMAGE, "--job", str(path), "--", *TOKENIZER])
    job = yaml.safe_load(path.read_text())
    assert schemas.problems(job) == []
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] + container["args"][:-2] == ["msm", "run", *TOKENIZER]
    assert vars(stage_parser("tokenizer").parse_args(container["args"][1:]))["out"] == Path("/work/corpus/tokenizer")
    with pytest.raises(SystemExit):
        main(["stage-job", "--image", IMAGE, "--job", str(path), "--", "pretrain"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["units-job", "tiny", "--parts", "0", "--image", IMAGE], "--parts must be at least 1, got 0"),
        (["units-job", "tiny", "--parts", "2", "--image", "msm:1"], "must name a digest"),
        (["volume-job", "--image", "msm:1"], "must name a digest"),
        (["volume-job", "--image", IMAGE, "--cluster", "openshift"], "OpenShift"),
    ],
)
def test_bad_input(words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*words, "--job", str(tmp_path / "job.yaml")])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "job.yaml").exists()
