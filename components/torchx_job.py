"""Any stage as a TorchX job: `torchx run -s SCHEDULER components/torchx_job.py:stage --name STAGE -- WORDS`.

TorchX reads this file by path, so it imports the installed packages only.
"""

from torchx import specs
from torchx.components import dist

from msm.components.clusters import WORK, find_cluster, request
from msm.errors import BadInput
from msm.pipeline.stages import STAGES


def stage(*words: str, name: str, j: str = "1x1", image: str = "", cluster: str = "a100") -> specs.AppDef:
    """Run one stage.

    Args:
        words: what follows `msm run STAGE`: inputs, settings, `--out DIR`.
        name: stage, as in `msm run --help`.
        j: nodes x processes of each node; a process that can use a GPU has one.
        image: the project's image; not used by local schedulers.
        cluster: overlay of manifests/ that is installed: a100, kind or openshift.

    Returns:
        The job, with the resources of the stage table.

    Raises:
        BadInput: no such stage.
    """
    if name not in STAGES:
        raise BadInput(f"unknown stage {name!r}; here are: {', '.join(STAGES)}")
    place = find_cluster(cluster)
    needs = request(name, place)
    job = dist.torchrun(
        "run",
        name,
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
    return job
