"""Makes a Kubernetes Job that gives a fresh shared volume to the user of the image.

Pipeline tasks run as that user and cannot change an owner, and Kubeflow Pipelines sets no `fsGroup`. The pod of this
Job is the only one that runs as root: for one command, with the capability `CHOWN` only, on the volume only.
"""

from typing import Any

from msm.components.clusters import WORK, Cluster, ResourceRequest
from msm.components.jobs import EVICTED, Work, job
from msm.errors import BadInput

NEEDS = ResourceRequest(cpus=1, memory_gib=1, gpus=0, shm_gib=0, hours=1, retries=1)


def volume_job(cluster: Cluster, image: str) -> dict[str, Any]:
    """Return the Job.

    Raises:
        BadInput: the cluster chooses user ids itself, and gives volumes to them by itself.
    """
    if (user := cluster.run_as_user) is None:
        raise BadInput("run_as_user is null: such a cluster (OpenShift) gives volumes to its users by itself")
    work = Work("chown", image, ["chown", f"{user}:{user}", WORK], NEEDS)
    manifest = job("msm-volume", cluster, work, {"backoffLimit": 1, "podFailurePolicy": {"rules": [EVICTED]}})
    pod = manifest["spec"]["template"]["spec"]
    pod["securityContext"] = {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = pod["containers"]
    container["securityContext"]["capabilities"]["add"] = ["CHOWN"]
    del container["env"], container["envFrom"]
    return manifest
