"""A whole chain of the tiny recipe, made once."""

import shutil
from pathlib import Path

import pytest

from tests.fuzz.forked import run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every task of the tiny recipe has been run; tests change copies of it."""
    folder = tmp_path_factory.mktemp("chain")
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    end = run(["run", "tiny", "--results", "", "--side_by_side", "1"], folder, seconds=1800)
    assert end.code == 0, end.stderr
    return folder
