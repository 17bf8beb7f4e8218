"""Makes Kubernetes Jobs on demand.

Jobs are no part of the objects that are always applied, because the pods of a Job cannot be changed: applying a new
image would be refused.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from msm.components.clusters import BATCH, NO_SIDECAR, PART_OF, PRIORITY, QUEUE, WORK, Cluster, ResourceRequest

INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
EVICTED = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
"""Policy of pod failures: an evicted or preempted pod does not count against the limit of retries."""


class Work(NamedTuple):
    """The work of a Job's pods: image, command and resources."""

    name: str
    """Name of the container."""
    image: str
    words: list[str]
    """Words of the command; `$(INDEX)` stands for the number of the pod."""
    needs: ResourceRequest
    config_map: str = ""
    """Name of the ConfigMap that is mounted at /recipe; empty for none."""


def job(name: str, cluster: Cluster, work: Work, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Job, which Kueue starts when its queue has room.

    Args:
        name: name of the Job.
        cluster: cluster that runs the Job.
        work: work of each pod.
        spec: completions, parallelism and limits.
    """
    labels = PART_OF | NO_SIDECAR
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": PART_OF | {QUEUE: cluster.queue, PRIORITY: BATCH}},
        "spec": {
            "suspend": True,
            **spec,
            "ttlSecondsAfterFinished": 604800,
            "template": {"metadata": {"labels": labels}, "spec": _pod(cluster, work)},
        },
    }


def as_yaml(*objects: Mapping[str, Any]) -> str:
    """Return objects as text for `kubectl apply -f`."""
    return yaml.safe_dump_all(objects, sort_keys=False, width=120, allow_unicode=True)


def _pod(cluster: Cluster, work: Work) -> dict[str, Any]:
    user = cluster.run_as_user
    ids = {} if user is None else {"runAsUser": user, "runAsGroup": user, "fsGroup": user}
    recipe = [{"name": "recipe", "configMap": {"name": work.config_map}}] if work.config_map else []
    return {
        "serviceAccountName": "msm-stage",
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "fsGroupChangePolicy": "OnRootMismatch",
            **ids,
        },
        "containers": [_container(cluster, work)],
        "volumes": [
            {"name": "work", "persistentVolumeClaim": {"claimName": cluster.volume}},
            *recipe,
            {"name": "tmp", "emptyDir": {"sizeLimit": "20Gi"}},
        ],
    }


def _container(cluster: Cluster, work: Work) -> dict[str, Any]:
    sizes = {"cpu": str(work.needs.cpus), "memory": f"{work.needs.memory_gib}Gi"}
    recipe = [{"name": "recipe", "mountPath": "/recipe", "readOnly": True}] if work.config_map else []
    return {
        "name": work.name,
        "image": work.image,
        "command": work.words[:2],
        "args": work.words[2:],
        "env": [{"name": "INDEX", "valueFrom": {"fieldRef": {"fieldPath": INDEX}}}, {"name": "HOME", "value": "/tmp"}],
        "envFrom": [{"secretRef": {"name": cluster.secret, "optional": True}}],
        # Two dictionaries, because YAML would write the second one as a reference to the first.
        "resources": {"requests": sizes, "limits": {**sizes}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "work", "mountPath": WORK},
            *recipe,
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
