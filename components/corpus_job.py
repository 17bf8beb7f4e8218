"""Runs `msm corpus` in a cluster, as a Kubernetes Indexed Job or as a Kubeflow pipeline.

The pods of the Job do their shares of every step and wait for each other, so all of them must run at the same time, and
Kueue admits the Job as a whole. The pipeline has a task for every step and pod, and waits between steps; no pod waits
for another one.
"""

from pathlib import Path
from typing import Any, NamedTuple

from kfp import dsl, kubernetes

from msm.components.clusters import WORK, Cluster, ResourceRequest, request
from msm.components.jobs import EVICTED, Work, as_yaml, job
from msm.components.kubeflow_placement import place
from msm.corpora.crawl.settings import read_recipe

LIKE = "units"
"""Name of the stage whose resources a pod gets."""
MOUNTED = "/recipe"
TOKENIZER = "/work/corpus/tokenizer"
"""Usual folder of the tokenizer on the shared volume."""
STEPS = ("read", "duplicates", "clean", "match", "choose", "sentences", "plan", "write", "manifest")
LAST = STEPS[-1]
ALONE = ("choose", "plan", LAST)
"""Names of the steps that one pod does alone."""


class CorpusPlan(NamedTuple):
    """The corpus that a cluster makes, and the cluster."""

    recipe: Path
    out: str
    """Address of the shards."""
    tokenizer: str
    """Folder of the tokenizer on the shared volume."""
    pods: int
    cluster: Cluster
    image: str

    @property
    def name(self) -> str:
        """Name of the Job and the pipeline, and the beginning of that of the recipe's ConfigMap."""
        return f"msm-corpus-{self.recipe.stem.replace('_', '-')}"

    @property
    def needs(self) -> ResourceRequest:
        """Resources of every pod."""
        return request(LIKE, self.cluster)


def words(plan: CorpusPlan, pod: str, step: str = "") -> list[str]:
    """Return the command of a pod, which does as many tasks as it has CPUs.

    Args:
        plan: corpus and cluster.
        pod: number of the pod, or the variable that holds it in a Job.
        step: name of the only step to do; empty for all steps.
    """
    tasks = plan.needs.cpus
    return [
        *("msm", "corpus", f"{MOUNTED}/{plan.recipe.name}"),
        *("--out", plan.out),
        *("--tokenizer", plan.tokenizer),
        *("--work", f"{WORK}/corpus/{plan.recipe.stem}"),
        *("--tasks", str(plan.pods * tasks)),
        *("--local_tasks", str(tasks)),
        *("--workers", str(tasks)),
        *("--pod", pod),
        *(("--step", step) if step else ()),
    ]


def config_map(plan: CorpusPlan) -> dict[str, Any]:
    """Return the ConfigMap of the recipe, which pods read.

    Raises:
        BadInput: the file is not a corpus recipe.
    """
    read_recipe(plan.recipe)
    text = plan.recipe.read_text(encoding="utf-8")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{plan.name}-recipe"},
        "data": {plan.recipe.name: text},
    }


def indexed_job(plan: CorpusPlan) -> dict[str, Any]:
    """Return the Job: one pod for each index, all at the same time. A pod that restarts repeats no finished work."""
    bad = {"action": "FailJob", "onExitCodes": {"containerName": "corpus", "operator": "In", "values": [2]}}
    limits = {
        "completionMode": "Indexed",
        "completions": plan.pods,
        "parallelism": plan.pods,
        "backoffLimit": plan.needs.retries * plan.pods,
        "activeDeadlineSeconds": 30 * 86400,
        "podFailurePolicy": {"rules": [EVICTED, bad]},
    }
    work = Work("corpus", plan.image, words(plan, "$(INDEX)"), plan.needs, f"{plan.name}-recipe")
    return job(plan.name, plan.cluster, work, limits)


def job_text(plan: CorpusPlan) -> str:
    """Return the ConfigMap and the Job as text for `kubectl apply -f`."""
    return as_yaml(config_map(plan), indexed_job(plan))


def steps(plan: CorpusPlan) -> list[str]:
    """Return the names of the steps that the recipe needs, in order."""
    corpus = read_recipe(plan.recipe).corpus
    idle = {"duplicates": corpus.paragraph_duplicates, "match": corpus.near_duplicates}
    return [step for step in STEPS if idle.get(step) != "keep"]


def pipeline(plan: CorpusPlan) -> Any:
    """Return the Kubeflow pipeline, whose output is the manifest of shards."""

    @dsl.pipeline(name=plan.name, description=f"crawled files to token shards; recipe {plan.recipe.name}")
    def corpus() -> dsl.Dataset:
        before: list[Any] = []
        for step in steps(plan):
            pods = 1 if step in ALONE else plan.pods
            before = [_task(plan, step, pod, before) for pod in range(pods)]
        return before[0].outputs["shards"]

    return corpus


def _task(plan: CorpusPlan, step: str, pod: int, before: list[Any]) -> Any:
    command: list[Any] = words(plan, str(pod), step)

    def work() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image=plan.image, command=command[:2], args=command[2:])

    def finish(shards: dsl.Output[dsl.Dataset]) -> dsl.ContainerSpec:
        """Write the manifest of shards.

        Returns:
            shards: Manifest of the token shards: address, checksum and counts of each.
        """
        arguments = ["--manifest", f"{shards.path}/shards.json"]
        return dsl.ContainerSpec(image=plan.image, command=command[:2], args=[*command[2:], *arguments])

    task = finish if step == LAST else work
    task.__name__ = f"{step}_{pod}"
    container: Any = dsl.container_component(task)()
    container.set_display_name(f"{step} {pod + 1} of {plan.pods}").after(*before)
    # Marks on the volume show finished work. Kubeflow's cache would not notice that somebody removed them.
    container.set_caching_options(False)
    place(container, plan.needs, plan.cluster)
    kubernetes.use_config_map_as_volume(container, f"{plan.name}-recipe", MOUNTED)
    return container
