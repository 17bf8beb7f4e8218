"""Pipelines from the table: the right tasks, typed artifacts, everything a pod needs, the same bytes every time."""

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from msm import tracking
from msm.cli.main import main
from msm.components import kubeflow_task
from msm.components.clusters import A100, CLUSTERS, request
from msm.components.kubeflow_components import component, kind_of
from msm.components.kubeflow_pipeline import PipelineOptions, as_json, build, compile_to, select
from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder, save_encoder
from msm.errors import BadInput
from msm.pipeline import recipes
from msm.pipeline.artifacts import read_manifest
from msm.pipeline.stages import PAYLOADS, STAGES
from msm.pipeline.tasks import Task
from msm.pipeline.tasks import tasks as tasks_of
from msm.settings import flat
from tests.pipeline.made import RECIPES
from tests.pretraining.made import settings

ROOT = Path(__file__).parents[2]
TINY = ROOT / "recipes" / "tiny.yaml"
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return tasks_of(recipes.load(TINY), "tiny")


@pytest.fixture(scope="module")
def pipelines(tasks: list[Task], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    path = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    compile_to(build("matrix", "tiny", select("matrix", tasks), PipelineOptions(IMAGE, cluster=A100)), path)
    return list(yaml.safe_load_all(path.read_text()))


def test_selections(tasks: list[Task]) -> None:
    def names(pipeline: str, model: str = "") -> set[str]:
        return {"/".join(task.out.split("/")[2:]) for task in select(pipeline, tasks, model)}

    assert len(select("matrix", tasks)) == len(tasks)
    assert {"pretrain/msm-1", "score/constructed-msm-1", "report/all"} < names("benchmark")
    assert not {"pretrain/mlm-1", "score/constructed-bm25-words"} & names("benchmark")
    assert not any(name.startswith(("pretrain", "encoder")) for name in names("benchmark", "bm25-words"))
    assert {"pretrain/mlm-1", "pretrain/msm-1", "score/constructed-untrained-1"} < names("ablations")
    assert not any("bm25" in name for name in names("ablations"))
    paper = tasks_of(recipes.load(ROOT / "recipes" / "paper.yaml"), "paper")
    with pytest.raises(BadInput, match="--model: say which one; the recipe studies msm, crop, ict"):
        select("benchmark", paper)
    with pytest.raises(BadInput, match="no model 'gpt' in the recipe; here are: untrained, mlm, msm, bm25-words"):
        select("benchmark", tasks, "gpt")


@pytest.mark.slow
def test_compiling_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("first", "second"):
        words = ["pipeline", "compile", "matrix", "--recipe", "tiny", "--image", IMAGE, "--out", str(tmp_path / name)]
        main(words)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_an_image_without_digest_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "pipeline",
        "compile",
        "matrix",
        "--recipe",
        str(TINY),
        "--image",
        "msm:latest",
        "--out",
        str(tmp_path / "x"),
    ]
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "must name a digest" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--launcher", "trainjob", "--nodes", "2"], "--nodes 2: no training of the recipe can use more than 1"),
        (["--nodes", "0"], "--nodes must be 1, or more with --launcher trainjob, got 0"),
        (["--nodes", "2"], "--nodes must be 1, or more with --launcher trainjob, got 2"),
        (["--log", "mlflow"], "--tracking-uri is for --log mlflow, which needs it, and wandb; got ''"),
        (["--tracking-uri", "http://m"], "and wandb; got 'http://m' with ''"),
        (["--model", "msm"], "a model is chosen for the pipeline benchmark only"),
    ],
)
def test_what_a_cluster_could_not_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    words = ["pipeline", "compile", "matrix", "--recipe", str(TINY), "--image", IMAGE, "--out", str(tmp_path / "x")]
    with pytest.raises(SystemExit) as end:
        main([*words, *more])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_every_task_carries_the_settings_and_reads_of_the_recipe(
    pipelines: list[dict[str, Any]], tasks: list[Task]
) -> None:
    dag = pipelines[0]["root"]["dag"]["tasks"]
    by_name = {value(task, "name"): task for task in dag.values()}
    assert by_name.keys() == {"/".join(task.out.split("/")[2:]) for task in tasks}
    key_of = {value(task, "name"): key for key, task in dag.items()}
    for task in tasks:
        node = by_name["/".join(task.out.split("/")[2:])]
        assert value(node, "settings") == as_json(task)
        assert node["cachingOptions"] == {"enableCache": True}
        for input_name, path in task.reads.items():
            if task.stage == "report":
                continue
            source = node["inputs"]["artifacts"][input_name]["taskOutputArtifact"]["producerTask"]
            assert source == key_of["/".join(path.split("/")[2:])]
    scores = {name for name in by_name if name.startswith("score/")}
    assert key_of["score/constructed-bm25-words"] == "score-constructed-bm25-words", "named for its row everywhere"
    assert {key_of[name] for name in scores} == set(by_name["report/all"]["dependentTasks"])


def test_parts_of_a_retrieval_share_its_passages_and_are_joined(tasks: list[Task], tmp_path: Path) -> None:
    selection = select("benchmark", tasks, "msm")
    compile_to(
        build("benchmark", "tiny", selection, PipelineOptions(IMAGE, cluster=A100, parts=2)), tmp_path / "two.yaml"
    )
    dag = next(yaml.safe_load_all((tmp_path / "two.yaml").read_text()))["root"]["dag"]["tasks"]
    for task in (task for task in selection if task.stage == "retrieve"):
        names = [f"retrieve-{task.row}-part-{number}-2" for number in (1, 2)]
        join = dag[f"retrieve-{task.row}"]
        assert set(names) < set(join["dependentTasks"])
        for number, name in enumerate(names, start=1):
            assert value(dag[name], "part") == f"{number}/2"
            for parameter in ("name", "settings", "work"):
                assert value(dag[name], parameter) == value(join, parameter)
            assert dag[name]["inputs"]["artifacts"] == join["inputs"]["artifacts"]


def test_what_can_be_watched_is_told_its_server_and_keys(tasks: list[Task], tmp_path: Path) -> None:
    options = PipelineOptions(IMAGE, cluster=A100, log="mlflow", tracking_uri="http://mlflow.kubeflow:5000")
    compile_to(build("benchmark", "tiny", select("benchmark", tasks, "msm"), options), tmp_path / "watched.yaml")
    spec, pods = yaml.safe_load_all((tmp_path / "watched.yaml").read_text())
    executors, keys = (
        spec["deploymentSpec"]["executors"],
        pods["platforms"]["kubernetes"]["deploymentSpec"]["executors"],
    )
    variables = [{"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow.kubeflow:5000"}]
    for task in spec["root"]["dag"]["tasks"].values():
        name = task["componentRef"]["name"].replace("comp-", "exec-")
        is_watched = value(task, "name").startswith(("pretrain/", "finetune/", "score/", "report/"))
        assert executors[name]["container"].get("env") == (variables if is_watched else None)
        assert ("log" in task["inputs"]["parameters"]) == is_watched
        assert not is_watched or value(task, "log") == "mlflow"
        names = {pair["secretKey"] for entry in keys[name]["secretAsEnv"] for pair in entry["keyToEnv"]}
        assert (set(tracking.KEYS) <= names) == is_watched
        assert {(entry["secretName"], entry["optional"]) for entry in keys[name]["secretAsEnv"]} == {("msm-s3", True)}


def test_a_task_joins_what_its_parts_have_found(tiny: Path, tasks: list[Task], encoder: Path, tmp_path: Path) -> None:
    task = next(task for task in tasks if task.name == "retrieve/constructed-untrained-1")
    model = tmp_path / "model"
    model.mkdir()
    save_encoder(new_encoder(encoder, EncoderForm("mean", "cosine", 24, 48)), model)
    reads = {"sources": artifact(tiny / "sources" / "world", "sources/world"), "model": artifact(model, "finetune/new")}
    work = str(tmp_path / "work")
    for part in ("2/2", "1/2"):
        kubeflow_task.run_part("retrieve", task.name, as_json(task), reads, part, work=work)
    records = {path.name for path in Path(work).rglob("shard-*.npz")}
    assert records
    out = artifact(tmp_path / "joined", "")
    kubeflow_task.run("retrieve", task.name, as_json(task), reads, out, work=work)
    kubeflow_task.run("retrieve", task.name, as_json(task), reads, artifact(tmp_path / "whole", ""), work=f"{work}-2")
    union, whole = (read_manifest(tmp_path / name)["outputs"] for name in ("joined", "whole"))
    assert union == whole


def artifact(path: Path, name: str) -> SimpleNamespace:
    return SimpleNamespace(path=str(path), metadata={"name": name})


def value(task: dict[str, Any], parameter: str) -> str:
    return task["inputs"]["parameters"][parameter]["runtimeValue"]["constant"]


def test_artifacts_are_typed(pipelines: list[dict[str, Any]]) -> None:
    kinds = {
        (name.split("-")[1], output): artifact["artifactType"]["schemaTitle"]
        for name, component in pipelines[0]["components"].items()
        for output, artifact in component["outputDefinitions"]["artifacts"].items()
    }
    assert kinds["pretrain", "out"] == kinds["finetune", "out"] == kinds["encoder", "out"] == "system.Model"
    assert kinds["units", "out"] == kinds["retrieve", "out"] == "system.Dataset"
    assert kinds["score", "metrics"] == "system.Metrics"
    assert kinds["report", "summary"] == "system.Markdown"


def test_pods_get_what_the_table_says(pipelines: list[dict[str, Any]]) -> None:
    executors = pipelines[0]["deploymentSpec"]["executors"]
    platform = pipelines[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors.keys() == platform.keys()
    for name, executor in executors.items():
        row, pod = STAGES[executor["container"]["args"][-1]], platform[name]
        resources = executor["container"]["resources"]
        assert executor["container"]["image"] == IMAGE
        assert resources["resourceCpuRequest"] == resources["resourceCpuLimit"] == str(row.cpus)
        assert resources["resourceMemoryLimit"] == f"{row.memory_gib}Gi"
        # No update of this recipe can be cut into more than two parts.
        counts = ("1", "2") if row.gpus > 1 else (str(row.gpus) if row.gpus else None,)
        assert resources.get("accelerator", {}).get("resourceCount") in counts
        assert ("nodeSelector" in pod) == ("tolerations" in pod) == ("emptyDirMounts" in pod) == bool(row.gpus)
        assert int(pod["activeDeadlineSeconds"]) == row.hours * 3600
        assert pod["podMetadata"]["labels"] == {
            "kueue.x-k8s.io/queue-name": "msm",
            "kueue.x-k8s.io/priority-class": "msm-training" if row.gpus > 1 else "msm-batch",
            "app.kubernetes.io/part-of": "msm",
            "sidecar.istio.io/inject": "false",
        }
        topology = {"kueue.x-k8s.io/podset-required-topology": "kubernetes.io/hostname"} if row.gpus else None
        assert pod["podMetadata"].get("annotations") == topology
        assert pod["pvcMount"][0]["mountPath"] == "/work"
        assert pod["securityContext"] == {"runAsNonRoot": True, "runAsUser": "10001", "runAsGroup": "10001"}
        assert pod["secretAsEnv"][0]["secretName"] == "msm-s3"
    retries = {key: task["retryPolicy"]["maxRetryCount"] for key, task in pipelines[0]["root"]["dag"]["tasks"].items()}
    assert retries["pretrain-msm-1"] == STAGES["pretrain"].retries


def test_no_program_is_inlined(pipelines: list[dict[str, Any]]) -> None:
    for executor in pipelines[0]["deploymentSpec"]["executors"].values():
        source = executor["container"]["command"][-1]
        (function,) = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
        kinds = [type(node).__name__ for node in function.body if not isinstance(node, ast.Assign)]
        assert kinds == ["Expr", "ImportFrom", "Expr"], "what it is, an import, a call"
        assert "pip install" not in json.dumps(executor)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "report"])
def test_components_agree_with_the_table(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row, spec = STAGES[stage], component(stage, f"{stage}/row", 0, IMAGE).component_spec
    artifacts = {name: each for name, each in spec.inputs.items() if each.type.startswith("system.")}
    assert {name: each.type.split("@")[0] for name, each in artifacts.items()} == {
        input_name: f"system.{kind_of(PAYLOADS[input_name])}" for input_name in row.reads
    }
    parameters = {"name", "settings", "work", "published"}
    parameters |= {"launcher"} if row.gpus > 1 else set()
    parameters |= {"log"} if stage in tracking.STAGES else set()
    parameters |= set() if row.reads else {"mirror"}
    assert spec.inputs.keys() - artifacts.keys() == parameters
    assert spec.outputs["out"].type.split("@")[0] == f"system.{kind_of(row.payload)}"
    descriptions = [spec.description, *(each.description for each in [*spec.inputs.values(), *spec.outputs.values()])]
    assert all(text and text[0].isupper() and text.rstrip()[-1] in ".;" for text in descriptions), descriptions
    texts = spec.inputs["settings"].description.splitlines()[1:]
    assert [text.partition(":")[0] for text in texts] == [setting.name for setting in flat(row.settings)]
    arguments: dict[str, Any] = {}

    def run(name: str, row_name: str, settings: str, reads: dict[str, str], out: str, **options: str) -> None:
        arguments.update(stage=name, name=row_name, settings=settings, out=out, **reads, **options)

    monkeypatch.setattr(kubeflow_task, "run", run)
    words = {name: f"the {name}" for name in [*spec.inputs, *spec.outputs]}
    component(stage, f"{stage}/row", 0, IMAGE).python_func(**words)
    assert arguments == words | {"stage": stage}, "what comes in is passed on under its name"


@pytest.mark.parametrize(
    ("change", "gpus"),
    [
        ({"batch_documents": 64, "softmax_documents": 8}, 8),
        ({"batch_documents": 24, "softmax_documents": 4}, 6),
        ({"batch_documents": 8, "softmax_documents": 8}, 1),
        ({"batch_documents": 8, "softmax_documents": 8, "gather": "grad"}, 8),
    ],
)
def test_a_pod_gets_as_many_gpus_as_can_share_an_update(change: dict[str, Any], gpus: int) -> None:
    new_settings = settings(**{"batch_blocks": 64 * 24} | change)
    assert request("pretrain", CLUSTERS["a100"], new_settings).gpus == gpus
    assert request("pretrain", CLUSTERS["kind"], new_settings).gpus == 0


def test_a_small_cluster_cuts_requests_only(tasks: list[Task], tmp_path: Path) -> None:
    compile_to(build("matrix", "tiny", tasks, PipelineOptions(IMAGE, cluster=CLUSTERS["kind"])), tmp_path / "kind.yaml")
    first = next(yaml.safe_load_all((tmp_path / "kind.yaml").read_text()))
    assert "nvidia" not in (tmp_path / "kind.yaml").read_text()
    all_settings = {value(task, "settings") for task in first["root"]["dag"]["tasks"].values()}
    assert all_settings == {as_json(task) for task in tasks}
    assert request("pretrain", CLUSTERS["kind"])[:3] == (1, 2, 0)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_ablations_of_any_recipe(path: Path) -> None:
    tasks = tasks_of(recipes.load(path), path.name)
    if not any(task.stage == "pretrain" for task in tasks):
        with pytest.raises(BadInput, match="pre-trains nothing"):
            select("ablations", tasks)
        return
    outs = {task.out for task in select("ablations", tasks)}
    assert {task.out for task in tasks if task.stage == "report"} <= outs
    for task in tasks:
        if task.out in outs and task.stage != "report":
            assert set(task.reads.values()) <= outs


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_ablations_of_any_recipe_compile(path: Path, tmp_path: Path) -> None:
    tasks = tasks_of(recipes.load(path), path.name)
    if not any(task.stage == "pretrain" for task in tasks):
        pytest.skip("the recipe pre-trains nothing")
    selection = select("ablations", tasks)
    compile_to(
        build("ablations", path.stem, selection, PipelineOptions(IMAGE, cluster=A100)), tmp_path / "pipeline.yaml"
    )
    spec = next(yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text()))
    assert len(spec["root"]["dag"]["tasks"]) == len(selection)
