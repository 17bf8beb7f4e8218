"""Makes a Kubernetes Indexed Job that runs the stage `units` over the parts of a corpus: index N packs part N.

An index whose folder is finished is not repeated. No pod waits for another one, so the Job may be preempted at any
time.
"""

from pathlib import Path
from typing import Any, NamedTuple

from msm.components.clusters import WORK, Cluster, ResourceRequest, request
from msm.components.jobs import EVICTED, Work, job
from msm.errors import BadInput
from msm.pipeline import recipes
from msm.pipeline.runner import command
from msm.pipeline.tasks import tasks
from msm.settings import Settings

STAGE = "units"


class UnitsPlan(NamedTuple):
    """A corpus whose parts are packed, and the cluster that packs them."""

    settings: Settings
    """Settings of the stage `units`."""
    documents: str
    """Folder on the shared volume that holds the folders 0, 1, ... of the parts."""
    tokenizer: str
    """Folder of the tokenizer on the shared volume."""
    out: str
    """Folder on the shared volume that gets a folder of units for every part."""
    parts: int
    cluster: Cluster
    image: str

    @property
    def needs(self) -> ResourceRequest:
        """Resources of every pod."""
        return request(STAGE, self.cluster)


def settings_of(path: Path) -> Settings:
    """Read the settings of the stage `units` from a recipe.

    Raises:
        BadInput: the recipe has no such stage.
    """
    for task in tasks(recipes.load(path), str(path)):
        if task.stage == STAGE:
            return task.settings
    raise BadInput(f"{path}: no task of this recipe runs the stage {STAGE}")


def indexed_job(plan: UnitsPlan) -> dict[str, Any]:
    """Return the Job: one index for each part, as many at a time as Kueue's quota of CPUs is likely to hold."""
    reads = {"documents": Path(plan.documents, "$(INDEX)"), "tokenizer": Path(plan.tokenizer)}
    words = command(STAGE, plan.settings, reads, Path(plan.out, "$(INDEX)"))
    words += ["--work", f"{WORK}/scratch/units-job/$(INDEX)", "--processes", str(plan.needs.cpus)]
    bad = {"action": "FailIndex", "onExitCodes": {"containerName": STAGE, "operator": "In", "values": [2]}}
    limits = {
        "completionMode": "Indexed",
        "completions": plan.parts,
        "parallelism": min(4, plan.parts),
        "backoffLimitPerIndex": plan.needs.retries,
        "maxFailedIndexes": max(1, plan.parts // 8),
        "podFailurePolicy": {"rules": [EVICTED, bad]},
    }
    return job("msm-units", plan.cluster, Work(STAGE, plan.image, words, plan.needs), limits)
