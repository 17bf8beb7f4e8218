"""Where pipeline tasks run: the shape of a cluster's nodes and the names of what `manifests/` makes there."""

import json
from typing import NamedTuple

from msm.errors import BadInput
from msm.finetuning.settings import Finetune
from msm.pipeline.stages import STAGES, Stage
from msm.pretraining.settings import Pretrain
from msm.settings import Settings

WORK = "/work"
"""Where the shared volume is mounted: scratch folders that outlive a pod."""
LAUNCHERS = ("pod", "trainjob")
GPU = "nvidia.com/gpu"


class Cluster(NamedTuple):
    """Limits and names; every overlay of `manifests/` has one."""

    cpus: int
    """Most CPUs of one task."""
    memory_gib: int
    gpus: int
    """GPUs of a node; 0 runs everything on CPU."""
    node_selector: tuple[tuple[str, str], ...] = ()
    toleration: str = ""
    """Key of the taint that GPU nodes carry."""
    queue: str = "msm"
    """Kueue's LocalQueue."""
    volume: str = "msm-work"
    """PersistentVolumeClaim for scratch folders, shared by all pods."""
    secret: str = "msm-s3"
    """Secret with the S3 keys, by name only."""
    run_as_user: int | None = 10001
    """User of the image; None leaves the choice to the cluster (OpenShift)."""


A100 = Cluster(
    cpus=96,
    memory_gib=900,
    gpus=8,
    node_selector=(("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB"),),
    toleration=GPU,
)
CLUSTERS = {
    "a100": A100,
    "kind": Cluster(cpus=1, memory_gib=2, gpus=0),
    "openshift": A100._replace(run_as_user=None),
}


class Request(NamedTuple):
    """What one task asks for."""

    cpus: int
    memory_gib: int
    gpus: int
    shm_gib: int
    """Size of /dev/shm, for NCCL and data loading; part of the memory."""
    hours: int
    retries: int


def find_cluster(name: str) -> Cluster:
    """A cluster by the name of its overlay.

    Raises:
        BadInput: there is none of this name.
    """
    if name not in CLUSTERS:
        raise BadInput(f"unknown cluster {name!r}; here are: {', '.join(CLUSTERS)}")
    return CLUSTERS[name]


def request(stage: str, cluster: Cluster, settings: Settings | None = None) -> Request:
    """Resources of a stage: the row of the table, cut to what a node of the cluster has and the settings can share."""
    row: Stage = STAGES[stage]
    memory = min(row.memory_gib, cluster.memory_gib)
    gpus = processes(settings, min(row.gpus, cluster.gpus))
    return Request(
        cpus=min(row.cpus, cluster.cpus),
        memory_gib=memory,
        gpus=gpus,
        shm_gib=max(1, memory // 8) if row.gpus else 0,
        hours=row.hours,
        retries=row.retries,
    )


def processes(settings: Settings | None, most: int) -> int:
    """The largest number of processes, up to `most`, that can share an update of training; else `most` itself."""
    shares = settings.shares if isinstance(settings, Pretrain | Finetune) else 0
    return max((number for number in range(1, most + 1) if shares % number == 0), default=most)


class TrainJobPlace(NamedTuple):
    """Where a job runs; none of it decides a result."""

    namespace: str
    image: str
    nodes: int
    gpus: int
    cpus: int
    memory_gib: int
    queue: str

    @classmethod
    def of(cls, cluster: Cluster, namespace: str, nodes: int, image: str) -> "TrainJobPlace":
        """Whole nodes of a cluster."""
        return cls(namespace, image, nodes, cluster.gpus, cluster.cpus, cluster.memory_gib, cluster.queue)

    def as_json(self) -> str:
        """One string, as a pipeline carries it."""
        return json.dumps(self._asdict(), sort_keys=True)
