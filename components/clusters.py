"""Clusters that pipeline tasks run in: the shape of their nodes, and the names of the objects of `manifests/`."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from msm.errors import BadInput
from msm.files import read_yaml
from msm.pipeline.places import processes
from msm.pipeline.stages import STAGES, Stage
from msm.settings import Settings

WORK = "/work"
"""Path of the shared volume in every pod, for scratch folders that outlive a pod."""
LAUNCHERS = ("pod", "trainjob")
GPU = "nvidia.com/gpu"
FILES = Path(__file__).parent / "cluster_files"
PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")
PART_OF = {"app.kubernetes.io/part-of": "msm"}
"""Label of every pod of this project, by which the network policies of `manifests/base` select pods."""
NO_SIDECAR = {"sidecar.istio.io/inject": "false"}
"""Label that keeps Istio's proxy out of a pod. The proxy never ends, so a finished task would run for ever."""
QUEUE = "kueue.x-k8s.io/queue-name"
PRIORITY = "kueue.x-k8s.io/priority-class"
TOPOLOGY = "kueue.x-k8s.io/podset-required-topology"
TRAINING, BATCH = "msm-training", "msm-batch"
"""Priority classes of `manifests/base`: stages that train on GPUs, and everything else."""


class Cluster(NamedTuple):
    """Limits of a pod, and names of objects, in one cluster; `components/cluster_files` has one for every overlay."""

    cpus: int
    """Largest number of CPUs of a pod: those of a node without those of kubelet and DaemonSets."""
    memory_gib: int
    """Largest memory of a pod in GiB, by the same rule."""
    gpus: int
    """Number of GPUs of a node; 0 runs all stages on CPUs."""
    node_selector: dict[str, str]
    """Labels of the nodes with GPUs."""
    toleration: str
    """Key of the taint that nodes with GPUs carry; empty for none."""
    topology: str
    """Label of Kueue's topology that stands for one node: Kueue then admits a task only when a single node has all
    of its GPUs free. Empty where the flavor has no topology."""
    start_minutes: int
    """Minutes that a TrainJob which Kueue has admitted may take to start on all of its nodes; then it is deleted, so
    that others get its quota. Longer than your cluster takes to add a node."""
    queue: str
    """Name of the LocalQueue of Kueue."""
    volume: str
    """Name of the PersistentVolumeClaim for scratch folders, which all pods share."""
    secret: str
    """Name of the Secret with the S3 keys."""
    run_as_user: int | None
    """Id of the image's user; null leaves the choice to the cluster (OpenShift)."""


def read_cluster(path: Path) -> Cluster:
    """Read a cluster from its YAML file.

    Raises:
        BadInput: the file cannot be read, or a field is missing, unknown or of the wrong type.
    """
    values = read_yaml(path)
    kinds = get_type_hints(Cluster)
    if not isinstance(values, dict) or values.keys() != kinds.keys():
        names = set(values) if isinstance(values, dict) else set()
        raise BadInput(f"{path}: must hold exactly {', '.join(kinds)}; differs in {sorted(names ^ kinds.keys())}")
    for name, kind in kinds.items():
        _check_type(path, name, values[name], dict if name == "node_selector" else kind)
    return Cluster(**values)


def _check_type(path: Path, name: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadInput(f"{path}: {name}: {value!r} is of the wrong type")
    if isinstance(value, int) and value < (0 if name == "gpus" else 1):
        raise BadInput(f"{path}: {name}: {value} is too small")


CLUSTERS = {path.stem: read_cluster(path) for path in sorted(FILES.glob("*.yaml"))}
"""The clusters that have an overlay in `manifests/overlays`, by its name."""
A100 = CLUSTERS["a100"]


class ResourceRequest(NamedTuple):
    """Resources that one task requests."""

    cpus: int
    memory_gib: int
    gpus: int
    shm_gib: int
    """Size of /dev/shm in GiB, for NCCL and data loading; it is part of the memory."""
    hours: int
    retries: int


def find_cluster(name: str) -> Cluster:
    """Return a cluster by the name of its overlay, or by the path of your own YAML file.

    Raises:
        BadInput: no overlay has this name, or the file does not describe a cluster.
    """
    if name.endswith((".yaml", ".yml")):
        return read_cluster(Path(name))
    if name not in CLUSTERS:
        raise BadInput(f"unknown cluster {name!r}; here are: {', '.join(CLUSTERS)}, or give a FILE.yaml")
    return CLUSTERS[name]


def check_pinned(image: str) -> str:
    """Return an image that is named by its digest. A tag may name another image later, and results would be mixed.

    Raises:
        BadInput: the name of the image has no digest.
    """
    if not PINNED.fullmatch(image):
        raise BadInput(f"--image must name a digest (NAME@sha256: and 64 hexadecimal digits), got {image!r}")
    return image


def request(stage: str, cluster: Cluster, settings: Settings | None = None) -> ResourceRequest:
    """Return the resources of a stage: those of the table, within a node's limits and what the settings can share."""
    row: Stage = STAGES[stage]
    memory = min(row.memory_gib, cluster.memory_gib)
    gpus = processes(settings, min(row.gpus, cluster.gpus))
    return ResourceRequest(
        cpus=min(row.cpus, cluster.cpus),
        memory_gib=memory,
        gpus=gpus,
        shm_gib=max(1, memory // 8) if row.gpus else 0,
        hours=row.hours,
        retries=row.retries,
    )


def _fits(settings: Settings, count: int) -> bool:
    return processes(settings, count) == count


class TrainJobPlace(NamedTuple):
    """Nodes and resources of a TrainJob. None of them decides a result."""

    namespace: str
    image: str
    nodes: int
    gpus: int
    cpus: int
    memory_gib: int
    queue: str
    start_minutes: float

    @classmethod
    def of(cls, cluster: Cluster, namespace: str, nodes: int, image: str) -> "TrainJobPlace":
        """Return whole nodes of a cluster."""
        return cls(
            namespace,
            image,
            nodes,
            cluster.gpus,
            cluster.cpus,
            cluster.memory_gib,
            cluster.queue,
            cluster.start_minutes,
        )

    def shared_by(self, settings: Settings) -> "TrainJobPlace":
        """Return the part of the place whose processes can share an update of training; all of it for other stages.

        Most processes come first, then fewest nodes; CPUs and memory of a node shrink with its GPUs.
        """
        most = max(1, self.gpus)
        shapes = [(nodes, gpus) for nodes in range(1, self.nodes + 1) for gpus in range(1, most + 1)]
        possible_shapes = [(nodes * gpus, gpus, nodes) for nodes, gpus in shapes if _fits(settings, nodes * gpus)]
        _, gpus, nodes = max(possible_shapes)
        return self._replace(
            nodes=nodes,
            gpus=min(gpus, self.gpus),
            cpus=max(1, self.cpus * gpus // most),
            memory_gib=max(1, self.memory_gib * gpus // most),
        )

    def as_json(self) -> str:
        """Return the place as one string, which a pipeline can pass on."""
        return json.dumps(self._asdict(), sort_keys=True)
