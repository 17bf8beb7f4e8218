"""`msm corpus` in a cluster: a Kubernetes Indexed Job, or a Kubeflow pipeline; both run the same words.

The pods of the Job do their share of every step and wait for each other, so all of them have to run at the same time:
Kueue admits the Job as a whole. The pipeline has a task for every step and pod, and waits between steps; none of its
pods waits for another one.
"""

from pathlib import Path
from typing import Any, NamedTuple

from kfp import dsl, kubernetes

from msm.components.clusters import WORK, Cluster, Request, request
from msm.components.jobs import EVICTED, Work, as_yaml, job
from msm.components.kubeflow_pipeline import place
from msm.corpora.crawl.settings import read_recipe

LIKE = "units"
"""Stage whose resources a pod gets."""
MOUNTED = "/recipe"
STEPS = ("read", "duplicates", "clean", "match", "choose", "sentences", "plan", "write", "manifest")
LAST = STEPS[-1]
ALONE = ("choose", "plan", LAST)
"""Steps of one unit: one pod does them."""


class CorpusPlan(NamedTuple):
    """What a cluster is to make; where it runs changes none of it."""

    recipe: Path
    out: str
    """Address of the shards."""
    tokenizer: str
    """Folder on the shared volume."""
    pods: int
    cluster: Cluster
    image: str

    @property
    def name(self) -> str:
        """Of the Job, the pipeline and, behind it, of the recipe's ConfigMap."""
        return f"msm-corpus-{self.recipe.stem.replace('_', '-')}"

    @property
    def needs(self) -> Request:
        """Of every pod."""
        return request(LIKE, self.cluster)


def words(plan: CorpusPlan, pod: str, step: str = "") -> list[str]:
    """The command of a pod: as many tasks as it has CPUs.

    Args:
        plan: what is to be made.
        pod: its number, or where a Job finds it.
        step: the only one that is done; empty for all of them.
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
    """The recipe, as pods read it.

    Raises:
        BadInput: it is none.
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
    """One pod an index, all at once; what is done is done once, however often a pod is started again."""
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
    """The recipe and the Job, as `kubectl apply -f` takes them."""
    return as_yaml(config_map(plan), indexed_job(plan))


def steps(plan: CorpusPlan) -> list[str]:
    """The steps that the recipe asks for, in order."""
    corpus = read_recipe(plan.recipe).corpus
    idle = {"duplicates": corpus.paragraph_duplicates, "match": corpus.near_duplicates}
    return [step for step in STEPS if idle.get(step) != "keep"]


def pipeline(plan: CorpusPlan) -> Any:
    """The Kubeflow pipeline; its output is the manifest of shards."""

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
        kept = ["--manifest", f"{shards.path}/shards.json"]
        return dsl.ContainerSpec(image=plan.image, command=command[:2], args=[*command[2:], *kept])

    task = finish if step == LAST else work
    task.__name__ = f"{step}_{pod}"
    started: Any = dsl.container_component(task)()
    started.set_display_name(f"{step} {pod + 1} of {plan.pods}").after(*before)
    # What is done is known by the marks on the volume; Kubeflow does not see when somebody removes them.
    started.set_caching_options(False)
    place(started, plan.needs, plan.cluster)
    kubernetes.use_config_map_as_volume(started, f"{plan.name}-recipe", MOUNTED)
    return started
