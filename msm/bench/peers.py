"""Other engines for an encoder, installed in a folder of their own and run in processes of their own.

The encoder is exported to ONNX once; ONNX Runtime and OpenVINO run the graph on batches sorted by length and padded
to their longest text, as their users do. `peer_process.py` is the program of such a process.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from msm.errors import BadInput

EXPORT = ("onnx==1.23.2", "onnxscript==0.7.2")
ENGINES = {"onnxruntime": "onnxruntime==1.32.0", "openvino": "openvino==2026.4.1"}
"""Engine to its package; one that does not install or import here is left out, and said."""
PROGRAM = Path(__file__).with_name("peer_process.py")


class Peer:
    """One engine at work in its process.

    Args:
        name: of the engine.
        folder: of the model; the graph and what is exchanged lie in `site`.
        site: folder that the packages are installed in.
    """

    def __init__(self, name: str, folder: Path, site: Path) -> None:
        self.name, self._exchange = name, site / f"{name}.npy"
        words = [sys.executable, str(PROGRAM), name, str(folder), str(site / "model.onnx"), str(self._exchange)]
        words.append(str(torch.get_num_threads()))
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(site)
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


def start_peers(folder: Path, site: Path) -> list[Peer]:
    """Install the engines, export a model and start a process for each.

    Args:
        folder: of a transformers model with a tokenizer.
        site: folder for packages and graph; packages that are there already are not installed again.

    Raises:
        BadInput: a package cannot be had, or the model cannot be exported.
    """
    if not site.is_dir():
        _checked(_install(site, *EXPORT), None, "the packages that export a graph cannot be installed")
        for package in ENGINES.values():
            subprocess.run(_install(site, package), capture_output=True, check=False)
    _checked(
        [sys.executable, str(PROGRAM), "export", str(folder), str(site / "model.onnx"), "", "1"],
        _environment(site),
        f"{folder.name} cannot be exported",
    )
    return [Peer(name, folder, site) for name in ENGINES if _imports(name, site)]


def _install(site: Path, *packages: str) -> list[str]:
    return [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site), *packages]


def _imports(name: str, site: Path) -> bool:
    words = [sys.executable, "-c", f"import {name}"]
    result = subprocess.run(words, capture_output=True, text=True, check=False, env=_environment(site))
    if result.returncode:
        sys.stderr.write(f"{name}: left out: {(result.stderr.strip().splitlines() or ['no message'])[-1]}\n")
    return not result.returncode


def _checked(words: list[str], environment: Any, problem: str) -> None:
    result = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        raise BadInput(f"{problem}: {(result.stderr.strip().splitlines() or ['no message'])[-1]}")


def _environment(site: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
