"""The stage table as Kubeflow pipelines: one lightweight component a stage, one task a row of the recipe.

The components are written from the table: a signature of typed artifacts and a body of one line that calls
`components.kubeflow_task`. Only lightweight components run both in a cluster and in `kfp.local`.
"""

import dataclasses
import json
import linecache
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kfp import compiler, dsl, kubernetes

from components.clusters import GPU, WORK, Cluster, request
from msm.artifacts import new_file
from msm.errors import BadInput
from msm.recipes import Task
from msm.stages import PAYLOADS, STAGES

PIPELINES = {
    "benchmark": "sources to report for one model",
    "matrix": "every model on every benchmark with every seed",
    "ablations": "every pre-training row, with the controls that the report compares with",
}
MODELS = ("model", "tokenizer")
"""Payloads that are a Model in the Kubeflow UI; everything else is a Dataset."""
S3_KEYS = {name: name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION")}
TEMPLATE = '''\
def {stage}({signature}) -> None:
    """{purpose}."""
    from components import kubeflow_task; kubeflow_task.run("{stage}", name, settings, {{{reads}}}, out, {options})
'''


class Options(NamedTuple):
    """How a pipeline runs; none of it decides a result."""

    image: str
    work: str = WORK
    published: str = ""
    """Folder of finished stages for the dashboard, on the volume; empty for none."""
    mirror: str = ""
    launcher: str = ""
    """Empty for the task's own pod, else a `TrainJobPlace` as JSON, for the stages with several GPUs."""
    cluster: Cluster | None = None
    """None leaves out everything that only a cluster knows."""


def select(name: str, tasks: Sequence[Task], model: str = "") -> list[Task]:
    """The tasks of a recipe that a pipeline runs, in their order.

    Args:
        name: of the pipeline, see `PIPELINES`.
        tasks: of the whole recipe.
        model: for `benchmark`; empty takes the last one of the recipe.

    Raises:
        BadInput: no such pipeline or model.
    """
    scores = [task for task in tasks if task.stage == "score"]
    models = {task.out: str(vars(task.settings)["model"]) for task in scores}
    if name == "benchmark":
        trained = [models[task.out] for task in scores if task.family == "score"]
        chosen = {model or trained[-1]}
    elif name == "matrix":
        chosen = set(models.values())
    elif name == "ablations":
        chosen = _controls(tasks) | {models[task.out] for task in scores if _stages_behind(task, tasks) & {"pretrain"}}
    else:
        raise BadInput(f"unknown pipeline {name!r}; here are: {', '.join(PIPELINES)}")
    if not chosen & set(models.values()):
        raise BadInput(f"no model {model!r} in the recipe; here are: {', '.join(dict.fromkeys(models.values()))}")
    wanted = {task.out for task in scores if models[task.out] in chosen}
    for task in reversed(tasks):
        if task.out in wanted:
            wanted |= set(task.reads.values())
    return [task for task in tasks if task.out in wanted or task.stage == "report"]


def _controls(tasks: Sequence[Task]) -> set[str]:
    reports = [vars(task.settings)["controls"] for task in tasks if task.stage == "report"]
    return {name.strip() for text in reports for name in text.split(",")}


def _stages_behind(task: Task, tasks: Sequence[Task]) -> set[str]:
    by_out = {other.out: other for other in tasks}
    above = [by_out[path] for path in task.reads.values() if path in by_out]
    return {task.stage}.union(*(_stages_behind(other, tasks) for other in above))


def build(name: str, recipe: str, tasks: Sequence[Task], options: Options) -> Callable[..., Any]:
    """The pipeline; its output is the report.

    Args:
        name: of the pipeline.
        recipe: name of the recipe.
        tasks: as `select` gives them.
        options: how it runs.
    """

    @dsl.pipeline(name=f"msm-{name}-{recipe}", description=f"{PIPELINES[name]}; recipe {recipe}")
    def pipeline() -> dsl.Dataset:
        made: dict[str, Any] = {}
        for task in tasks:
            made[task.out] = _task(task, made, options)
        return made[tasks[-1].out]

    return pipeline


def _task(task: Task, made: Mapping[str, Any], options: Options) -> Any:
    reads = {read: [made[out] for out in made if _within(out, path)] for read, path in task.reads.items()}
    given = {"name": "/".join(Path(task.out).parts[-2:]), "work": options.work, "settings": as_json(task)}
    given["published"] = options.published
    if not task.reads:
        given["mirror"] = options.mirror
    if STAGES[task.stage].gpus > 1:
        given["launcher"] = options.launcher
    for read, artifacts in reads.items():
        given |= dict(zip(_inputs(read, task.stage, len(artifacts)), artifacts, strict=True))
    started = component(task.stage, max((len(found) for found in reads.values()), default=0), options.image)(**given)
    started.set_display_name(given["name"])
    if options.cluster is not None:
        place(started, task.stage, options.cluster)
    return started.outputs["out"]


def as_json(task: Task) -> str:
    """Settings as one string: Kubeflow's own number type would turn every integer into a float."""
    return json.dumps(dataclasses.asdict(task.settings), sort_keys=True)


def _within(out: str, path: str) -> bool:
    return out == path or out.startswith(f"{path}/")


def _inputs(read: str, stage: str, count: int) -> list[str]:
    """Names of the inputs behind one read: the report alone reads many folders."""
    return [f"{read}_{number}" for number in range(count)] if stage == "report" else [read]


def component(stage: str, count: int, image: str) -> Any:
    """The component of a stage, written from the table.

    Args:
        stage: name in the table.
        count: how many score folders a report reads; any number for other stages.
        image: the project's image.
    """
    row = STAGES[stage]
    inputs = {read: _inputs(read, stage, count) for read in row.reads}
    parameters = [
        "name",
        "settings",
        "work",
        "published",
        *([] if row.reads else ["mirror"]),
        *(["launcher"] if row.gpus > 1 else []),
    ]
    extras = {"score": {"metrics": "Metrics"}, "report": {"summary": "Markdown"}}.get(stage, {})
    signature = [f"{name}: str" for name in parameters]
    signature += [f"{name}: Input[{_kind(PAYLOADS[read])}]" for read, names in inputs.items() for name in names]
    signature += [f"out: Output[{_kind(row.payload)}]", *(f"{name}: Output[{kind}]" for name, kind in extras.items())]
    source = TEMPLATE.format(
        stage=stage,
        signature=", ".join(signature),
        purpose=row.purpose[0].upper() + row.purpose[1:],
        reads=", ".join(f'"{read}": {_value(names, stage)}' for read, names in inputs.items()),
        options=", ".join(f"{name}={name}" for name in [*parameters[2:], *extras]),
    )
    return dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)(_function(stage, source))


def _kind(payload: str) -> str:
    return "Model" if payload in MODELS else "Dataset"


def _value(names: Sequence[str], stage: str) -> str:
    return f"[{', '.join(names)}]" if stage == "report" else names[0]


def _function(name: str, source: str) -> Callable[..., None]:
    """A function whose source can be looked up, which is what Kubeflow ships to the pod."""
    file = f"<component {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = {kind: getattr(dsl, kind) for kind in ("Input", "Output", "Dataset", "Model", "Metrics")}
    scope |= {"Markdown": dsl.Markdown, "__name__": __name__}
    exec(compile(source, file, "exec"), scope)
    return scope[name]


def place(task: Any, stage: str, cluster: Cluster) -> None:
    """Everything a task's pod needs in a cluster: resources, limits, retries, volumes, scheduling, keys."""
    needs = request(stage, cluster)
    task.set_cpu_request(str(needs.cpus)).set_cpu_limit(str(needs.cpus))
    task.set_memory_request(f"{needs.memory_gib}Gi").set_memory_limit(f"{needs.memory_gib}Gi")
    task.set_retry(needs.retries, backoff_duration="60s", backoff_factor=2.0, backoff_max_duration="3600s")
    kubernetes.set_timeout(task, needs.hours * 3600)
    kubernetes.mount_pvc(task, cluster.volume, WORK)
    kubernetes.use_secret_as_env(task, cluster.secret, S3_KEYS, optional=True)
    kubernetes.add_pod_label(task, "kueue.x-k8s.io/queue-name", cluster.queue)
    kubernetes.set_security_context(task, run_as_user=cluster.run_as_user, run_as_non_root=True)
    if needs.shm_gib:
        kubernetes.empty_dir_mount(task, "shm", "/dev/shm", medium="Memory", size_limit=f"{needs.shm_gib}Gi")
    if needs.gpus:
        task.set_accelerator_type(GPU).set_accelerator_limit(needs.gpus)
        for key, value in cluster.node_selector:
            kubernetes.add_node_selector(task, key, value)
        if cluster.toleration:
            kubernetes.add_toleration(task, key=cluster.toleration, operator="Exists", effect="NoSchedule")


def compile_to(pipeline: Any, path: Path) -> None:
    """Write the pipeline for Kubeflow; the same recipe and options give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(compiled))
        with new_file(path) as file:
            file.write(compiled.read_text(encoding="utf-8"))
