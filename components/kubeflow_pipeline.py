"""Renders recipes as Kubeflow pipelines, with one component for each stage and one task for each row."""

import json
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from kfp import compiler, dsl, kubernetes

from msm import tracking
from msm.components.clusters import (
    BATCH,
    TRAINING,
    WORK,
    Cluster,
    request,
)
from msm.components.dvc_pointers import Pointer
from msm.components.kubeflow_components import component, getter, inputs, kind_of, part_component, putter
from msm.components.kubeflow_placement import place
from msm.errors import BadInput
from msm.files import new_file
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import Task
from msm.retrieval.parts import refusal
from msm.settings import Settings, as_values, listed, suggestion

PIPELINES = {
    "benchmark": "sources to report for one model",
    "matrix": "every model on every benchmark with every seed",
    "ablations": "every pre-training row, with the controls that the report compares with",
}
PUSHED = ("finetune", "score")
"""Names of the stages whose outputs `push` sends to the DVC remote."""


class PipelineOptions(NamedTuple):
    """Options of the way in which a pipeline runs. None of them decides a result."""

    image: str
    work: str = WORK
    published: str = ""
    """Folder on the volume that gets finished stages for the dashboard; empty for none."""
    mirror: str = ""
    launcher: str = ""
    """A `TrainJobPlace` as JSON for stages with several GPUs; empty to run them in the pod of the task."""
    pointers: Mapping[str, Pointer] = MappingProxyType({})
    """Outputs that are fetched from the DVC remote instead of being made."""
    remote: str = ""
    """Address of the DVC remote."""
    push: bool = False
    """Whether fine-tuned models and score files are pushed to the remote."""
    log: str = ""
    """Tool that shows losses and scores, see `msm.tracking`; empty for none."""
    tracking_uri: str = ""
    """Address of the tool's server; empty for its own."""
    parts: int = 1
    """Number of pods that share the passages of every retrieval that can be split."""
    cluster: Cluster | None = None
    """Cluster that the pipeline is for; None leaves out all properties of a cluster."""


def select(name: str, tasks: Sequence[Task], model: str = "", pointers: Collection[str] = ()) -> list[Task]:
    """Select the tasks of a recipe that a pipeline runs, in their order.

    Args:
        name: name of the pipeline, see `PIPELINES`.
        tasks: all tasks of the recipe.
        model: name of the model, for `benchmark`; empty for the only trained model that is no control of the report.
        pointers: outputs that DVC holds; tasks that only they need are not run.

    Raises:
        BadInput: a pipeline, model or output does not exist, a model is given for a pipeline that runs several, or none
            is given where the recipe has more than one.
    """
    if model and name != "benchmark":
        raise BadInput(f"a model is chosen for the pipeline benchmark only, got {model!r} for {name}")
    scores = [task for task in tasks if task.stage == "score"]
    models = {task.out: str(vars(task.settings)["model"]) for task in scores}
    if name == "benchmark":
        trained_models = [models[task.out] for task in scores if _stages_behind(task, tasks) & {"finetune"}]
        chosen_models = {model or _studied(trained_models, tasks)}
    elif name == "matrix":
        chosen_models = set(models.values())
    elif name == "ablations":
        chosen_models = _controls(tasks) | {
            models[task.out] for task in scores if _stages_behind(task, tasks) & {"pretrain"}
        }
    else:
        raise BadInput(f"unknown pipeline {name!r}; here are: {', '.join(PIPELINES)}")
    if name == "ablations" and not any(task.stage == "pretrain" for task in tasks):
        raise BadInput("ablations: the recipe pre-trains nothing, so there is nothing to compare")
    if not chosen_models & set(models.values()):
        here = list(dict.fromkeys(models.values()))
        raise BadInput(f"no model {model!r} in the recipe; here are: {', '.join(here)}{suggestion(model, here)}")
    outs = {task.out for task in scores if models[task.out] in chosen_models}
    for task in reversed(tasks):
        if task.out in outs and task.out not in pointers:
            outs |= set(task.reads.values())
    if stray := set(pointers) - outs:
        raise BadInput(f"nothing in the pipeline reads {sorted(stray)[0]}")
    return [task for task in tasks if task.out in outs or task.stage == "report"]


def _studied(trained_models: Sequence[str], tasks: Sequence[Task]) -> str:
    names = [name for name in dict.fromkeys(trained_models) if name not in _controls(tasks)]
    if len(names) != 1:
        raise BadInput(f"--model: say which one; the recipe studies {', '.join(names) or 'none but its controls'}")
    return names[0]


def _controls(tasks: Sequence[Task]) -> set[str]:
    reports = [vars(task.settings)["controls"] for task in tasks if task.stage == "report"]
    return {name for text in reports for name in listed(text)}


def _stages_behind(task: Task, tasks: Sequence[Task]) -> set[str]:
    by_out = {other.out: other for other in tasks}
    above = [by_out[path] for path in task.reads.values() if path in by_out]
    return {task.stage}.union(*(_stages_behind(other, tasks) for other in above))


def build(name: str, recipe: str, tasks: Sequence[Task], options: PipelineOptions) -> Callable[..., Any]:
    """Build a pipeline, whose output is the report.

    Args:
        name: name of the pipeline.
        recipe: name of the recipe.
        tasks: tasks from `select`.
        options: options of the way in which it runs.
    """

    @dsl.pipeline(name=f"msm-{name}-{recipe}", description=f"{PIPELINES[name]}; recipe {recipe}")
    def pipeline() -> dsl.Dataset:
        outputs: dict[str, Any] = {}
        for task in tasks:
            outputs[task.out] = (
                _fetched(task, options) if task.out in options.pointers else _task(task, outputs, options)
            )
            if options.push and task.stage in PUSHED:
                _pushed(task, outputs[task.out], options)
        return outputs[tasks[-1].out]

    return pipeline


def _task(task: Task, outputs: Mapping[str, Any], options: PipelineOptions) -> Any:
    reads = {
        read_name: [outputs[out] for out in outputs if _within(out, path)] for read_name, path in task.reads.items()
    }
    arguments = {"name": task.name, "work": options.work, "settings": as_json(task)}
    arguments["published"] = options.published
    if task.stage in tracking.STAGES:
        arguments["log"] = options.log
    if not task.reads:
        arguments["mirror"] = options.mirror
    if STAGES[task.stage].gpus > 1:
        arguments["launcher"] = options.launcher
    for read_name, artifacts in reads.items():
        arguments |= dict(zip(inputs(read_name, task.stage, len(artifacts)), artifacts, strict=True))
    count = max((len(folders) for folders in reads.values()), default=0)
    parts = _parts(task, arguments, options)
    step = component(task.stage, arguments["name"], count, options.image)(**arguments)
    if parts:
        step.after(*parts)
    _place(step, arguments["name"], task.stage, options, task.settings)
    return step.outputs["out"]


def _parts(task: Task, arguments: Mapping[str, Any], options: PipelineOptions) -> list[Any]:
    """Make the tasks that do the parts of a task, which then joins them; none where it is not split."""
    if options.parts == 1 or refusal(task.settings):
        return []
    names = ("name", "settings", "work", *STAGES[task.stage].reads)
    tasks = []
    for number in range(1, options.parts + 1):
        part = f"{number}/{options.parts}"
        component = part_component(task.stage, task.name, part, options.image)
        step = component(**{name: arguments[name] for name in names}, part=part)
        _place(step, f"{task.name} part {part}", task.stage, options, task.settings)
        tasks.append(step)
    return tasks


def _fetched(task: Task, options: PipelineOptions) -> Any:
    name = task.name
    get = getter(kind_of(STAGES[task.stage].payload), name, options.image)
    step = get(name=name, pointer=options.pointers[task.out].as_json(), remote=options.remote)
    _place(step, f"dvc_get {name}", "download", options)
    return step.outputs["out"]


def _pushed(task: Task, folder: Any, options: PipelineOptions) -> None:
    name = task.name
    component = putter(kind_of(STAGES[task.stage].payload), name, options.image)
    step = component(path=task.out, remote=options.remote, folder=folder)
    _place(step, f"dvc_put {name}", "download", options)


def _place(
    step: Any, display_name: str, stage: str, options: PipelineOptions, settings: Settings | None = None
) -> None:
    step.set_display_name(display_name)
    if options.cluster is not None:
        needs = request(stage, options.cluster, settings)
        if options.launcher and STAGES[stage].gpus > 1:
            # The TrainJob gets the GPUs, while this pod waits for it.
            needs = needs._replace(cpus=1, memory_gib=min(4, needs.memory_gib), gpus=0, shm_gib=0)
        place(step, needs, options.cluster, TRAINING if STAGES[stage].gpus > 1 else BATCH)
        if stage in tracking.STAGES and options.log in tracking.ADDRESSES:
            _watch(step, options, options.cluster)


def _watch(step: Any, options: PipelineOptions, cluster: Cluster) -> None:
    """Give a task the address and the keys of the server that shows losses and scores."""
    if options.tracking_uri:
        step.set_env_variable(tracking.ADDRESSES[options.log], options.tracking_uri)
    kubernetes.use_secret_as_env(step, cluster.secret, {name: name for name in tracking.KEYS}, optional=True)


def as_json(task: Task) -> str:
    """Return settings as one string, because Kubeflow's number type would turn every integer into a float."""
    return json.dumps(as_values(task.settings), sort_keys=True)


def _within(out: str, path: str) -> bool:
    return out == path or out.startswith(f"{path}/")


def compile_to(pipeline: Any, path: Path) -> None:
    """Write a pipeline for Kubeflow. The same recipe and options give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(target))
        with new_file(path) as file:
            file.write(target.read_text(encoding="utf-8"))
