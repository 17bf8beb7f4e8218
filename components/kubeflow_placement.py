"""Gives the pod of a Kubeflow task its resources, its volume, its keys and its place in a cluster."""

from typing import Any

from kfp import kubernetes

from msm.components.clusters import (
    BATCH,
    GPU,
    NO_SIDECAR,
    PART_OF,
    PRIORITY,
    QUEUE,
    TOPOLOGY,
    WORK,
    Cluster,
    ResourceRequest,
)

S3_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")


def place(task: Any, needs: ResourceRequest, cluster: Cluster, priority: str = BATCH) -> None:
    """Set the needs of a task's pod in a cluster: resources, limits, retries, volumes, scheduling, keys.

    These are all rules of the `restricted` Pod Security Standard that kfp can set for a task. Kubeflow's compiler sets
    the others for the main container; its helper containers keep the rules of `baseline`.
    """
    task.set_cpu_request(str(needs.cpus)).set_cpu_limit(str(needs.cpus))
    task.set_memory_request(f"{needs.memory_gib}Gi").set_memory_limit(f"{needs.memory_gib}Gi")
    task.set_retry(needs.retries, backoff_duration="60s", backoff_factor=2.0, backoff_max_duration="3600s")
    kubernetes.set_timeout(task, needs.hours * 3600)
    kubernetes.mount_pvc(task, cluster.volume, WORK)
    kubernetes.use_secret_as_env(task, cluster.secret, {name: name for name in S3_NAMES}, optional=True)
    for label, value in (PART_OF | NO_SIDECAR | {QUEUE: cluster.queue, PRIORITY: priority}).items():
        kubernetes.add_pod_label(task, label, value)
    user = cluster.run_as_user
    kubernetes.set_security_context(task, run_as_user=user, run_as_group=user, run_as_non_root=True)
    if needs.shm_gib:
        kubernetes.empty_dir_mount(task, "shm", "/dev/shm", medium="Memory", size_limit=f"{needs.shm_gib}Gi")
    if needs.gpus:
        _place_on_gpus(task, needs.gpus, cluster)


def _place_on_gpus(task: Any, gpus: int, cluster: Cluster) -> None:
    task.set_accelerator_type(GPU).set_accelerator_limit(gpus)
    for key, value in cluster.node_selector.items():
        kubernetes.add_node_selector(task, key, value)
    if cluster.toleration:
        kubernetes.add_toleration(task, key=cluster.toleration, operator="Exists", effect="NoSchedule")
    if cluster.topology:
        kubernetes.add_pod_annotation(task, TOPOLOGY, cluster.topology)
