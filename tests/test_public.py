"""The public names of the package: their examples run as they stand, and importing the package costs nothing."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import msm
from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder, save_encoder

ROOT = Path(__file__).parents[1]
PUBLIC = ["example", "load_encoder", "evaluate", "score", "score_on_benchmark", "compare", "run"]


@pytest.fixture
def folder(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory but for a small model under the name that the examples load."""
    model = tmp_path / "intfloat" / "multilingual-e5-small"
    model.mkdir(parents=True)
    save_encoder(new_encoder(encoder, EncoderForm("mean", "cosine", 24, 48)), model)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "name", ["example", "load_encoder", "evaluate", "score", "score_on_benchmark", "compare", "run"]
)
def test_examples_run(name: str) -> None:
    [test] = doctest.DocTestFinder(recurse=False).find(getattr(msm, name), name, globs={})
    assert test.examples
    report: list[str] = []
    assert not doctest.DocTestRunner().run(test, out=report.append).failed, "".join(report)


def test_the_stub_has_the_names_and_modules_of_the_package() -> None:
    stub = (ROOT / "msm" / "__init__.pyi").read_text()
    assert {name: module for module, name in re.findall(r"from (\S+) import (\w+)", stub)} == msm.LAZY
    assert set(msm.LAZY) <= set(dir(msm))


def test_importing_the_package_loads_the_standard_library_alone() -> None:
    code = "import sys; before = set(sys.modules); import msm; print(*sorted(set(sys.modules) - before))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert {name.partition(".")[0] for name in process.stdout.split()} - sys.stdlib_module_names == {"msm"}
