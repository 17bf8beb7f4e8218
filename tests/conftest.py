"""Fixtures that every test may use."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mirror", default="../shared/data", help="folder with the public files of the sources table")


@pytest.fixture(scope="session")
def mirror(request: pytest.FixtureRequest) -> Path:
    folder = Path(request.config.getoption("--mirror")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no public data at {folder}; give --mirror DIR")
    return folder
