"""Makes a Kubernetes Job that runs a stage once, for folders that are needed before the first pipeline runs."""

from collections.abc import Sequence
from typing import Any

from msm.components.clusters import WORK, Cluster, request
from msm.components.jobs import EVICTED, Work, job
from msm.errors import BadInput
from msm.pipeline.stages import STAGES


def stage_job(words: Sequence[str], cluster: Cluster, image: str) -> dict[str, Any]:
    """Return the Job of one stage that needs no GPU.

    Args:
        words: words that follow `msm run`: the stage, its inputs, settings and `--out`, with paths on the volume.
        cluster: cluster that runs the Job.
        image: image of the project, by digest.

    Raises:
        BadInput: the stage does not exist, or needs GPUs.
    """
    stage = words[0] if words else ""
    if stage not in STAGES or STAGES[stage].gpus:
        cpu = [name for name, row in STAGES.items() if not row.gpus]
        raise BadInput(f"a Job runs a stage without GPUs, got {stage!r}; these are: {', '.join(cpu)}")
    needs = request(stage, cluster)
    whole = ["msm", "run", *words, "--work", f"{WORK}/scratch/{stage}-job"]
    bad = {"action": "FailJob", "onExitCodes": {"containerName": stage, "operator": "In", "values": [2]}}
    limits = {"backoffLimit": needs.retries, "podFailurePolicy": {"rules": [EVICTED, bad]}}
    return job(f"msm-{stage}", cluster, Work(stage, image, whole, needs), limits)
