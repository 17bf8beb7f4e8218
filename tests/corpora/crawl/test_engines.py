"""The corpus on the engines of clusters, run for real: Ray, Slurm, the pods of an Indexed Job.

Each has two workers, of which one is killed in the middle; the shards are those of one task on this machine, bit for
bit. Ray comes from `pip install ray`, Slurm from Debian's `slurm-wlm` and `munge`; without them a test is skipped.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from msm.components.clusters import A100
from msm.components.corpus_job import MOUNTED, CorpusPlan, words
from tests.corpora.crawl.made import digests

IMAGE = "registry.example.org/msm@sha256:" + "0" * 64
WAIT = 900
CONF = """
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmctldPort={port}
SlurmdPort={other_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
JobCompType=jobcomp/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def wait_for(folder: Path, marks: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Until so many units of work are done."""
    for _ in range(WAIT * 20):
        if len(list(folder.glob("*/*/[0-9]*.json"))) >= marks:
            return
        assert process is None or process.poll() is None, "it ended before"
        time.sleep(0.05)
    raise AssertionError(f"{marks} marks never came")


@pytest.mark.slow
def test_ray(wet: Path, tokenizer: str, one_task: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        workers = [cluster.add_node(num_cpus=1, memory=3 * 2**30) for _ in range(2)]
        command = [sys.executable, "-m", "msm", "corpus", str(wet), "--out", str(tmp_path / "out")]
        command += ["--work", str(tmp_path / "work"), "--tokenizer", tokenizer, "--executor", "ray", "--tasks", "4"]
        environment = os.environ | {"RAY_ADDRESS": cluster.address}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(tmp_path / "work", 3, process)
        cluster.remove_node(workers[0], allow_graceful=False)
        assert process.wait(timeout=WAIT) == 0, "Ray gives the tasks of the lost worker to the other one"
    finally:
        cluster.shutdown()
    assert digests(tmp_path / "out") == digests(one_task)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Slurm of one node with two CPUs, on loopback."""
    daemons = ("munged", "slurmctld", "slurmd")
    if not all(shutil.which(name) for name in daemons) or os.geteuid():
        pytest.skip("Slurm is not installed, or its daemons may not be started")
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = {"port": one.getsockname()[1], "other_port": other.getsockname()[1]}
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=socket.gethostname(), folder=folder, **ports))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    munge = ["--force", f"--key-file={key}", f"--socket={folder}/munge.sock", f"--pid-file={folder}/munged.pid"]
    munge += [f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed"]
    try:
        subprocess.run(["munged", *munge], check=True, timeout=30)
        for name in daemons[1:]:
            subprocess.run([name, "-f", str(conf)], check=True, timeout=30)
        yield
    finally:
        for name in reversed(daemons):
            pid = folder / f"{name}.pid"
            if pid.is_file():
                os.kill(int(pid.read_text()), signal.SIGTERM)


def queue() -> str:
    """What waits or runs."""
    return subprocess.run(["squeue", "--noheader", "--format=%T %r"], capture_output=True, text=True, check=True).stdout


def wait_for_the_queue() -> None:
    """Until it is empty."""
    for _ in range(WAIT):
        if not queue():
            return
        time.sleep(1)
    raise AssertionError(f"still there: {queue()}")


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_slurm(wet: Path, tokenizer: str, one_task: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "msm", "corpus", str(wet), "--out", str(tmp_path / "out")]
    command += ["--work", str(tmp_path / "work"), "--tokenizer", tokenizer, "--executor", "slurm", "--tasks", "2"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def hand_in() -> str:
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=WAIT)
        assert run.returncode == 0, run.stderr
        return run.stdout

    hand_in()
    wait_for(tmp_path / "work", 3)
    worker = next(iter(children_of_slurm()))
    os.kill(worker, signal.SIGKILL)
    wait_for_the_queue()
    assert not list((tmp_path / "out").glob("shards.json")), "the steps after the one that failed did not run"
    hand_in()
    wait_for_the_queue()
    assert digests(tmp_path / "out") == digests(one_task)
    assert "shards" in hand_in(), "everything is done: it says what came out, and hands in nothing"
    assert queue() == ""


def children_of_slurm() -> Iterator[int]:
    """Processes that run a task now."""
    for _ in range(WAIT * 5):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue
            if b"launch_pickled_pipeline" in words and b"python" in words and b"srun" not in words:
                yield int(path.parent.name)
        time.sleep(0.2)


@pytest.mark.slow
def test_the_pods_of_an_indexed_job(wet: Path, tokenizer: str, one_task: Path, tmp_path: Path) -> None:
    """The words of the rendered Job, as two pods run them; one is killed and started again by its index."""
    plan = CorpusPlan(wet, str(tmp_path / "out"), tokenizer, 2, A100._replace(cpus=2), IMAGE)
    paths = {f"{MOUNTED}/{wet.name}": str(wet), f"/work/corpus/{wet.stem}": str(tmp_path / "work")}

    def pod(index: int) -> subprocess.Popen[bytes]:
        command = [paths.get(word, word.replace("$(INDEX)", str(index))) for word in words(plan, "$(INDEX)")]
        command = [sys.executable, "-m", *command, "--poll_seconds", "0.2"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    pods = [pod(0), pod(1)]
    wait_for(tmp_path / "work", 3, pods[1])
    # A pod dies with all of its processes.
    os.killpg(pods[1].pid, signal.SIGKILL)
    pods[1].wait()
    pods[1] = pod(1)
    assert [each.wait(timeout=WAIT) for each in pods] == [0, 0]
    assert digests(tmp_path / "out") == digests(one_task)
