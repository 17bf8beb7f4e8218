"""Makes a TorchX job of a task of a recipe, or of any stage.

`torchx run -s SCHEDULER components/torchx_job.py:task --name pretrain/msm-1 --recipe demo`, or
`torchx run -s SCHEDULER components/torchx_job.py:stage --name STAGE -- WORDS`. TorchX reads this file by path, so it
imports the installed packages only.
"""

from typing import Any

from torchx import specs
from torchx.components import dist
from torchx.specs.overlays import set_overlay

from msm.components.clusters import (
    BATCH,
    NO_SIDECAR,
    PART_OF,
    PRIORITY,
    QUEUE,
    TRAINING,
    WORK,
    Cluster,
    ResourceRequest,
    find_cluster,
    request,
)
from msm.errors import BadInput
from msm.pipeline import recipes
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import find_task, tasks
from msm.settings import suggestion


def task(*words: str, name: str, recipe: str, j: str = "1x1", image: str = "", cluster: str = "a100") -> specs.AppDef:
    """Run one task of a recipe, whose inputs must exist.

    Args:
        words: further options of `msm run TASK`.
        name: name of the task, such as `pretrain/msm-1`.
        recipe: name or file of the recipe, which must exist both here and where the job runs.
        j: nodes x processes of each node; a process that can use a GPU has one.
        image: image of the project; local schedulers do not use it.
        cluster: overlay of manifests/ that is installed: a100, kind or openshift.

    Returns:
        The job, with the resources of the table of stages.

    Raises:
        BadInput: the recipe or the task does not exist.
    """
    path = recipes.find(recipe)
    named_task = find_task(name, tasks(recipes.load(path), str(path)), str(path))
    place = find_cluster(cluster)
    needs = request(named_task.stage, place, named_task.settings)
    return _job(["run", name, "--recipe", recipe, *words], named_task.stage, needs, place, j, image)


def stage(*words: str, name: str, j: str = "1x1", image: str = "", cluster: str = "a100") -> specs.AppDef:
    """Run one stage by hand.

    Args:
        words: words that follow `msm run STAGE`: inputs, settings, `--out DIR`.
        name: name of the stage, as `msm run --help` lists it.
        j: nodes x processes of each node; a process that can use a GPU has one.
        image: image of the project; local schedulers do not use it.
        cluster: overlay of manifests/ that is installed (a100, kind, openshift), or a FILE.yaml of one's own.

    Returns:
        The job, with the resources of the table of stages.

    Raises:
        BadInput: the stage does not exist.
    """
    if name not in STAGES:
        raise BadInput(f"unknown stage {name!r}; here are: {', '.join(STAGES)}{suggestion(name, STAGES)}")
    place = find_cluster(cluster)
    return _job(["run", name, *words], name, request(name, place), place, j, image)


def _job(words: list[str], name: str, needs: ResourceRequest, place: Cluster, j: str, image: str) -> specs.AppDef:
    job = dist.torchrun(
        *words,
        m="msm",
        name=f"msm/{name}",
        image=image,
        j=j,
        cpu=needs.cpus,
        gpu=min(needs.gpus, int(j.split("x")[-1])),
        memMB=needs.memory_gib * 1024,
        max_retries=needs.retries,
        mounts=["type=volume", f"src={place.volume}", f"dst={WORK}"] if image else [],
    )
    job.roles[0].name = name
    set_overlay(job.roles[0], "kubernetes", "V1Pod", _pod_overlay(place, needs))
    return job


def _pod_overlay(cluster: Cluster, needs: ResourceRequest) -> dict[str, Any]:
    """Return changes to the pods of the scheduler `kubernetes`: their nodes, queue and user."""
    user = cluster.run_as_user
    ids = {} if user is None else {"runAsUser": user, "runAsGroup": user, "fsGroup": user}
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **ids}
    spec: dict[str, Any] = {"automountServiceAccountToken": False, "securityContext": security}
    if needs.gpus:
        spec["nodeSelector"] = dict(cluster.node_selector)
        spec["tolerations"] = [{"key": cluster.toleration, "operator": "Exists", "effect": "NoSchedule"}]
    priority = TRAINING if needs.gpus > 1 else BATCH
    labels = PART_OF | NO_SIDECAR | {QUEUE: cluster.queue, PRIORITY: priority}
    return {"metadata": {"labels": labels}, "spec": spec}
