"""Finds the component of a task, one of the functions in `kubeflow_data`, `kubeflow_models` and `kubeflow_dvc`.

They are lightweight components, the only kind that runs both in a cluster and in `kfp.local`. Only the report is
written here, because it has an input for every score folder of the recipe.
"""

import copy
import linecache
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from kfp import dsl

from msm.components import kubeflow_data, kubeflow_dvc, kubeflow_models
from msm.pipeline.stages import STAGES
from msm.settings import flat

MODELS = ("model", "tokenizer")
"""Names of the payloads that Kubeflow shows as a Model; all others are a Dataset."""
REPORT = '''\
def report({signature}) -> None:
    """Tables, pictures and lineage of all scores.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        log: Tool that shows losses and scores: tensorboard, mlflow or wandb; empty for none.
{arguments}

    Returns:
        out: Report with its tables and pictures.
        summary: Report as Markdown.
    """
    from msm.components import kubeflow_task

    reads = {{"scores": [{scores}]}}
    kubeflow_task.run("report", name, settings, reads, out, work=work, published=published, log=log, summary=summary)
'''


def inputs(input_name: str, stage: str, count: int) -> list[str]:
    """Return the names of the inputs of one read; only the report reads several folders."""
    return [f"{input_name}_{number}" for number in range(count)] if stage == "report" else [input_name]


def component(stage: str, name: str, count: int, image: str) -> Any:
    """Return the component of a stage.

    Args:
        stage: name of the stage in the table of stages.
        name: name of the task, FAMILY/ROW.
        count: number of score folders that a report reads; any number for other stages.
        image: image of the project.
    """
    component_of_stage = (
        _report(count) if stage == "report" else getattr(kubeflow_data, stage, None) or getattr(kubeflow_models, stage)
    )
    own_copy = _named(component_of_stage, name, image)
    own_copy.component_spec.inputs["settings"].description = settings_text(stage)
    return own_copy


@cache
def settings_text(stage: str) -> str:
    """Return the text that the user interface of Kubeflow shows for the settings of a stage: a sentence for each."""
    lines = ["Settings of the stage, as a JSON object."]
    for setting in flat(STAGES[stage].settings):
        meaning = " ".join(setting.meaning.split()).partition(". ")[0].rstrip(".")
        lines.append(f"{setting.name}: {meaning}.")
    return "\n".join(lines)


def part_component(stage: str, name: str, part: str, image: str) -> Any:
    """Return the component of a part, I/N, of a task FAMILY/ROW."""
    return _named(getattr(kubeflow_models, f"{stage}_part"), f"{name} part {part}", image)


def getter(kind: str, name: str, image: str) -> Any:
    """Return the component that fetches a tracked Model or Dataset, FAMILY/ROW."""
    return _named(getattr(kubeflow_dvc, f"dvc_get_{kind.lower()}"), f"dvc_get {name}", image)


def putter(kind: str, name: str, image: str) -> Any:
    """Return the component that pushes a Model or Dataset, FAMILY/ROW."""
    return _named(getattr(kubeflow_dvc, f"dvc_put_{kind.lower()}"), f"dvc_put {name}", image)


def kind_of(payload: str) -> str:
    """Return Kubeflow's type of a payload."""
    return "Model" if payload in MODELS else "Dataset"


def _named(original: Any, name: str, image: str) -> Any:
    """Copy a component under the name of its row.

    Kubeflow would number the tasks of one function, and its local cache uses their names. A task with the name of its
    row is found in the cache by another pipeline too.
    """
    renamed_copy = copy.deepcopy(original)
    renamed_copy.component_spec.name = re.sub("[^a-z0-9]+", "-", name.lower())
    renamed_copy.component_spec.implementation.container.image = image
    return renamed_copy


def _report(count: int) -> Any:
    scores = inputs("scores", "report", count)
    signature = [f"{parameter}: str" for parameter in ("name", "settings", "work", "published", "log")]
    signature += [f"{score}: Input[Dataset]" for score in scores]
    signature += ["out: Output[Dataset]", "summary: Output[Markdown]"]
    arguments = "\n".join(f"        {score}: Scores of one model on one benchmark." for score in scores)
    source = REPORT.format(signature=", ".join(signature), scores=", ".join(scores), arguments=arguments)
    return dsl.component(
        _function("report", source), base_image="msm", packages_to_install=[], install_kfp_package=False
    )


def _function(name: str, source: str) -> Callable[..., Any]:
    """Make a function whose source can be read, because Kubeflow sends the source to the pod."""
    file = f"<component {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = {kind: getattr(dsl, kind) for kind in ("Input", "Output", "Dataset", "Markdown")}
    scope["__name__"] = __name__
    exec(compile(source, file, "exec"), scope)
    return scope[name]
