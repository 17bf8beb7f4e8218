"""Flavors, taints, tolerations, selectors and quotas agree: GPU work gets GPU nodes, CPU work never does.

`flavors_for` follows Kueue's own rule: the taints of a flavor must be tolerated by the pod or by the flavor itself,
selectors count for the labels that the flavors name, a flavor with a topology takes pods that ask for one, and the
first flavor with enough quota is taken.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from msm.components.clusters import CLUSTERS, TrainJobPlace, find_cluster, request
from msm.components.corpus_job import CorpusPlan
from msm.components.corpus_job import indexed_job as corpus_job
from msm.components.kubeflow_pipeline import PipelineOptions, build, compile_to
from msm.components.units_job import UnitsPlan, settings_of
from msm.components.units_job import indexed_job as units_job
from msm.components.volume_job import volume_job
from msm.errors import BadInput
from msm.pipeline import recipes
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import tasks as tasks_of

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "recipes"
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64
GIB = {"Gi": 1, "Ti": 1024, "Mi": 1 / 1024}
Overlay = tuple[str, list[dict[str, Any]]]
Pipelines = tuple[dict[str, Any], dict[str, Any]]
Pod = dict[str, Any]
"""`spec` and `annotations` of a pod."""


@pytest.fixture(scope="module", params=sorted(path.name for path in (ROOT / "manifests" / "overlays").iterdir()))
def overlay(request: pytest.FixtureRequest) -> Overlay:
    """Name and objects."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    words = ["kubectl", "kustomize", str(ROOT / "manifests" / "overlays" / request.param)]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return request.param, list(yaml.safe_load_all(text))


def amount(text: str) -> float:
    """CPUs, GPUs or GiB."""
    return next((float(text[:-2]) * scale for unit, scale in GIB.items() if text.endswith(unit)), None) or float(text)


def tolerates(taint: dict[str, str], tolerations: list[dict[str, str]]) -> bool:
    return any(
        each["key"] == taint["key"] and each.get("effect", taint["effect"]) == taint["effect"] for each in tolerations
    )


def flavors_for(objects: list[dict[str, Any]], pod: Pod) -> list[str]:
    """Names of the flavors that could hold one pod when the cluster is empty."""
    flavors = {
        thing["metadata"]["name"]: thing.get("spec", {}) for thing in objects if thing["kind"] == "ResourceFlavor"
    }
    (queue,) = [thing["spec"] for thing in objects if thing["kind"] == "ClusterQueue"]
    keys = {key for flavor in flavors.values() for key in flavor.get("nodeLabels", {})}
    fitting = []
    for quota in queue["resourceGroups"][0]["flavors"]:
        flavor, spec = flavors[quota["name"]], pod["spec"]
        tolerations = spec.get("tolerations", []) + flavor.get("tolerations", [])
        selector = {key: value for key, value in spec.get("nodeSelector", {}).items() if key in keys}
        most = {each["name"]: amount(each["nominalQuota"]) for each in quota["resources"]}
        wants = {name: amount(str(value)) for name, value in spec["containers"][0]["resources"]["requests"].items()}
        if (
            all(tolerates(taint, tolerations) for taint in flavor.get("nodeTaints", []))
            and selector.items() <= flavor.get("nodeLabels", {}).items()
            and ("topologyName" in flavor) == any("podset" in name for name in pod["annotations"])
            and all(value <= most.get(name, 0) for name, value in wants.items())
        ):
            fitting.append(quota["name"])
    return fitting


@pytest.fixture(scope="module")
def pipelines(overlay: Overlay, tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    """The compiled pipeline for the cluster of the overlay, and what it says for Kubernetes alone."""
    path = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    tasks = tasks_of(recipes.load(RECIPES / "tiny.yaml"), "tiny")
    compile_to(build("matrix", "tiny", tasks, PipelineOptions(IMAGE, cluster=CLUSTERS[overlay[0]])), path)
    spec, platform = yaml.safe_load_all(path.read_text())
    return spec["deploymentSpec"]["executors"], platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def task_pod(stage: str, pipelines: Pipelines) -> Pod:
    """The pod of a pipeline task."""
    containers = {name: value["container"] for name, value in pipelines[0].items()}
    name = next(name for name, container in containers.items() if container["args"][-1] == stage)
    resources = containers[name]["resources"]
    requests = {"cpu": resources["resourceCpuRequest"], "memory": resources["resourceMemoryRequest"]}
    if "accelerator" in resources:
        requests["nvidia.com/gpu"] = resources["accelerator"]["resourceCount"]
    extra = pipelines[1][name]
    pod = {
        "containers": [{"resources": {"requests": requests}}],
        "nodeSelector": extra.get("nodeSelector", {}).get("labels", {}),
        "tolerations": extra.get("tolerations", []),
    }
    return {"spec": pod, "annotations": extra["podMetadata"].get("annotations", {})}


def training_pod(objects: list[dict[str, Any]], place: TrainJobPlace) -> Pod:
    """A node of a TrainJob: the runtime's pod with the resources of the job."""
    (runtime,) = [thing for thing in objects if thing["kind"] == "TrainingRuntime"]
    template = runtime["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    requests = {"cpu": str(place.cpus), "memory": f"{place.memory_gib}Gi"}
    requests |= {"nvidia.com/gpu": str(place.gpus)} if place.gpus else {}
    spec = template["spec"] | {"containers": [{"resources": {"requests": requests}}]}
    return {"spec": spec, "annotations": template["metadata"].get("annotations", {})}


def test_training_gets_the_gpu_nodes(overlay: Overlay, pipelines: Pipelines) -> None:
    name, objects = overlay
    flavor = "msm-a100" if CLUSTERS[name].gpus else "msm-cpu"
    place = TrainJobPlace.of(CLUSTERS[name], "msm", 1, IMAGE)
    assert flavors_for(objects, training_pod(objects, place)) == [flavor]
    for stage in ("pretrain", "finetune", "retrieve"):
        assert flavors_for(objects, task_pod(stage, pipelines)) == [flavor], stage


def test_cpu_work_cannot_take_them(overlay: Overlay, pipelines: Pipelines) -> None:
    name, objects = overlay
    cluster = CLUSTERS[name]
    units = UnitsPlan(settings_of(RECIPES / "tiny.yaml"), "/work/d", "/work/t", "/work/u", 4, cluster, IMAGE)
    corpus = CorpusPlan(RECIPES / "corpus" / "common_crawl.yaml", "s3://b/c", "/work/t", 2, cluster, IMAGE)
    jobs = [units_job(units), corpus_job(corpus)] + ([volume_job(cluster, IMAGE)] if cluster.run_as_user else [])
    for job in jobs:
        assert flavors_for(objects, {"spec": job["spec"]["template"]["spec"], "annotations": {}}) == ["msm-cpu"]
    for stage in ("world", "documents", "units", "encoder", "score", "report"):
        assert not STAGES[stage].gpus
        assert flavors_for(objects, task_pod(stage, pipelines)) == ["msm-cpu"], stage


def test_a_task_that_is_most_of_a_node_fits_its_quota(overlay: Overlay) -> None:
    """A request larger than the quota would wait for ever without an event."""
    name, objects = overlay
    cluster = CLUSTERS[name]
    for stage in STAGES:
        needs = request(stage, cluster)
        requests = {"cpu": str(needs.cpus), "memory": f"{needs.memory_gib}Gi"}
        requests |= {"nvidia.com/gpu": str(needs.gpus)} if needs.gpus else {}
        tolerations = [{"key": cluster.toleration}] if needs.gpus else []
        pod = {"containers": [{"resources": {"requests": requests}}], "tolerations": tolerations}
        annotations = {"podset": "x"} if needs.gpus and cluster.topology else {}
        assert flavors_for(objects, {"spec": pod, "annotations": annotations}), stage


def test_the_cluster_file_names_what_the_overlay_makes(overlay: Overlay) -> None:
    name, objects = overlay
    cluster = CLUSTERS[name]
    assert {("LocalQueue", cluster.queue), ("PersistentVolumeClaim", cluster.volume)} <= {
        (thing["kind"], thing["metadata"]["name"]) for thing in objects
    }
    gpus = [thing["spec"] for thing in objects if thing["kind"] == "ResourceFlavor" and thing.get("spec")]
    assert bool(gpus) == bool(cluster.gpus)
    for flavor in gpus:
        assert flavor["nodeLabels"] == cluster.node_selector
        assert [taint["key"] for taint in flavor["nodeTaints"]] == [cluster.toleration]
        assert "tolerations" not in flavor, "Kueue would lend them to CPU work"
        (topology,) = [thing for thing in objects if thing["kind"] == "Topology"]
        assert flavor["topologyName"] == topology["metadata"]["name"]
        assert {"nodeLabel": cluster.topology} in topology["spec"]["levels"]


@pytest.mark.parametrize("name", ["a100", "openshift"])
def test_requests_leave_room_for_kubelet_and_daemonsets(name: str) -> None:
    """95,690m is what kubelet leaves of a node with 96 CPUs; the rest is for device plugin, exporters and network."""
    assert CLUSTERS[name].cpus <= 92
    assert CLUSTERS[name].memory_gib <= 1100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("cpus: many", "cpus: 'many' is of the wrong type"),
        ("cpus: 0", "cpus: 0 is too small"),
        ("gpu: 8", "differs in ['gpu']"),
        ("cpus: [", "not YAML"),
    ],
)
def test_a_cluster_file_of_ones_own(change: str, message: str, tmp_path: Path) -> None:
    text = (ROOT / "components" / "cluster_files" / "a100.yaml").read_text()
    path = tmp_path / "ours.yaml"
    path.write_text(text.replace("cpus: 88", "cpus: 60"))
    assert find_cluster(str(path)) == CLUSTERS["a100"]._replace(cpus=60)
    path.write_text(text + change + "\n")
    with pytest.raises(BadInput) as error:
        find_cluster(str(path))
    assert message in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)
