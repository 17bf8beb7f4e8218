"""Folders to and from a DVC remote without a checkout: a local folder, and S3 as moto's server plays it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kfp import dsl, local

from msm.cli.main import main
from msm.components import dvc_steps
from msm.components.dvc_pointers import Pointer, default_remote, find_pointer
from msm.components.kubeflow_components import getter, putter
from msm.components.kubeflow_local import image
from msm.components.kubeflow_pipeline import select
from msm.errors import BadInput, CommandError
from msm.pipeline import artifacts, recipes
from msm.pipeline.tasks import tasks as tasks_of

ROOT = Path(__file__).parents[2]
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64
PATH = "artifacts/tiny/encoder/ordered-1"


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_there_and_back_through_a_folder(tiny: Path, tmp_path: Path) -> None:
    folder = tiny / "encoder" / "ordered-1"
    pointer = dvc_steps.put(folder, PATH, str(tmp_path / "remote"))
    dvc_steps.get(pointer, str(tmp_path / "remote"), tmp_path / "back" / "out")
    assert artifacts.checksums(tmp_path / "back" / "out") == artifacts.checksums(folder)
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["out"]
    assert pointer.files == len(artifacts.checksums(folder))


def test_the_checksum_is_dvcs_own(tmp_path: Path) -> None:
    """What `dvc add` writes for the same folder."""
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("some\n")
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "model"], cwd=tmp_path, check=True)
    (out,) = yaml.safe_load((tmp_path / "model.dvc").read_text())["outs"]
    pointer = dvc_steps.put(tmp_path / "model", "artifacts/tiny/encoder/x", str(tmp_path / "remote"))
    assert pointer == Pointer("artifacts/tiny/encoder/x", out["md5"], out["size"], out["nfiles"])


def test_a_missing_folder_is_told_in_one_line(tmp_path: Path) -> None:
    pointer = Pointer(PATH, "0" * 32 + ".dir", 1, 1)
    with pytest.raises(CommandError, match=r"DVC: artifacts/tiny/encoder/ordered-1 from ") as error:
        dvc_steps.get(pointer, str(tmp_path / "remote"), tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_kubeflow_steps_push_to_s3_and_fetch_from_it(bucket: str, tiny: Path, tmp_path: Path) -> None:
    """`dvc_put` and `dvc_get` as tasks of a local pipeline, each a process of its own."""
    folder = tiny / "encoder" / "ordered-1"
    pointer = dvc_steps.put(folder, PATH, bucket)

    @dsl.pipeline(name="there-and-back")
    def pipeline() -> str:
        fetch = getter("Model", "encoder/ordered-1", image())(
            name="encoder/ordered-1", pointer=pointer.as_json(), remote=bucket
        )
        push = putter("Model", "encoder/ordered-1", image())
        return push(path=PATH, remote=f"{bucket}/again", folder=fetch.outputs["out"]).output

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    again = Pointer(**json.loads(pipeline().output))
    assert again == pointer
    (out,) = (tmp_path / "root").glob("*/dvc-get-encoder-ordered-1/out")
    assert artifacts.checksums(out) == artifacts.checksums(folder)
    (output,) = (tmp_path / "root").glob("*/dvc-get-encoder-ordered-1/executor_output.json")
    (artifact,) = json.loads(output.read_text())["artifacts"]["out"]["artifacts"]
    assert artifact["metadata"]["dvc"] == {**pointer._asdict(), "remote": bucket}
    assert artifact["metadata"]["stage"] == "encoder"
    assert dvc_steps.unpushed(pointer, f"{bucket}/again", tmp_path / "cache") == []
    assert dvc_steps.unpushed(pointer, f"{bucket}/elsewhere", tmp_path / "cache")


def lock(root: Path, pointer: Pointer) -> None:
    out = {"path": pointer.path, "hash": "md5", "md5": pointer.md5, "size": pointer.size, "nfiles": pointer.files}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"encoder@0": {"outs": [out]}}}))


@pytest.mark.parametrize(
    ("remote", "message"),
    [("s3://models/dvc", "are not in s3://models/dvc; run `dvc push` first"), ("here", "which no pod sees")],
)
def test_submit_refuses_what_pods_could_not_fetch(
    remote: str,
    message: str,
    bucket: str,
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    lock(tmp_path, dvc_steps.put(tiny / "encoder" / "ordered-1", PATH, "elsewhere"))
    words = ["pipeline", "submit", "benchmark", "--recipe", str(ROOT / "recipes" / "tiny.yaml"), "--image", IMAGE]
    words += ["--host", "http://127.0.0.1:9", "--tracked", "encoder/ordered-1", "--remote", remote]
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_tracked_outputs_replace_what_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = tasks_of(recipes.load(ROOT / "recipes" / "tiny.yaml"), "tiny")
    out = "artifacts/tiny/pretrain/msm-1"
    selection = select("benchmark", tasks, pointers=[out])
    assert [task.stage for task in selection] == ["world", "pretrain", "finetune", "retrieve", "score", "report"]
    monkeypatch.chdir(tmp_path)
    lock(tmp_path, Pointer(out, "0" * 32 + ".dir", 1, 1))
    words = ["pipeline", "compile", "benchmark", "--recipe", str(ROOT / "recipes" / "tiny.yaml"), "--image", IMAGE]
    words += ["--cluster", "kind", "--tracked", "pretrain/msm-1", "--remote", "s3://models/dvc", "--push"]
    main([*words, "--out", "pipeline.yaml"])
    dag = next(yaml.safe_load_all(Path("pipeline.yaml").read_text()))["root"]["dag"]["tasks"]
    row = "constructed-msm-1"
    stages = {"sources-world", "dvc-get-pretrain-msm-1", f"finetune-{row}", f"retrieve-{row}", f"score-{row}"}
    assert dag.keys() == stages | {"report-all", f"dvc-put-finetune-{row}", f"dvc-put-score-{row}"}
    source = dag[f"finetune-{row}"]["inputs"]["artifacts"]["weights"]["taskOutputArtifact"]
    assert source["producerTask"] == "dvc-get-pretrain-msm-1"
    with pytest.raises(BadInput, match="nothing in the pipeline reads artifacts/tiny/pretrain/mlm-1"):
        select("benchmark", tasks, pointers=["artifacts/tiny/pretrain/mlm-1"])


def test_pointers_are_found_where_dvc_keeps_them(tmp_path: Path) -> None:
    pointer = Pointer(PATH, "1" * 32 + ".dir", 5, 2)
    with pytest.raises(BadInput, match="DVC tracks no such output"):
        find_pointer(PATH, tmp_path)
    (tmp_path / "pipelines" / "tiny").mkdir(parents=True)
    lock(tmp_path / "pipelines" / "tiny", pointer)
    assert find_pointer(PATH, tmp_path) == pointer


def test_the_default_remote_is_a_local_folder(tmp_path: Path) -> None:
    assert default_remote(tmp_path) == str(tmp_path / ".dvc" / "storage")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    add = ["remote", "add", "-q", "-d", "store", "s3://bucket/folder"]
    subprocess.run([sys.executable, "-m", "dvc", *add], cwd=tmp_path, check=True)
    assert default_remote(tmp_path) == "s3://bucket/folder"
    (tmp_path / ".dvc" / "config").write_text((ROOT / ".dvc" / "config").read_text())
    assert default_remote(tmp_path) == str(tmp_path / ".dvc" / "storage")
