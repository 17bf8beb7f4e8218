"""Fixtures for what talks to Kubernetes and to S3."""

from pathlib import Path

import pytest

from tests.components.schemas import Schemas


@pytest.fixture(scope="session")
def schemas(request: pytest.FixtureRequest) -> Schemas:
    """Schemas of a live API server; given by `--schemas`."""
    folder = Path(request.config.getoption("--schemas")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no OpenAPI dumps at {folder}; give --schemas DIR")
    return Schemas(folder)
