"""The wheel alone, in an environment and a folder of its own: the command, its recipes and data, and the library."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("msm", "components", "dashboards", "recipes", "pyproject.toml", "README.md", "LICENSE")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment with the wheel; what it depends on is seen in this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    subprocess.run(["cp", "-a", *(str(ROOT / name) for name in OURS), str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source], check=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    subprocess.run([*pip, "install", "--no-deps", "--target", packages, wheel], check=True)
    # Behind the environment's own packages, so that the wheel wins over an editable install.
    (packages / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "venv" / "bin"


@pytest.fixture
def run(wheel_folder: Path, tmp_path: Path):  # noqa: ANN201
    """A function that runs a program of the environment in an empty folder, and returns what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words: str) -> str:
        command = [wheel_folder / "python", *words]
        process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stderr
        return process.stdout

    return run


def test_the_wheel_has_its_recipes_and_data(run, wheel_folder: Path, tmp_path: Path) -> None:  # noqa: ANN001
    where = run("-c", "import msm.recipes; print(msm.__file__)").strip()
    assert Path(where).is_relative_to(wheel_folder.parent)
    [wheel] = wheel_folder.parents[1].glob("*.whl")
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"msm"}
    run("-m", "msm", "run", "tiny", "--rows", "sources/world")
    assert (tmp_path / "artifacts" / "tiny" / "sources" / "world").is_dir()
    assert "msm-bench 0." in run("-m", "msm", "--version")
    code = "import msm; print(msm.evaluate('bm25', 'animals', msm.example('animals'), format='beir').mean)"
    assert float(run("-c", code).split()[-1]) > 0.8
    assert "XQuAD-R" in run("-m", "msm", "benchmarks", "lareqa")
