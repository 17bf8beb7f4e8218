"""Fixtures for what talks to Kubernetes and to S3."""

from pathlib import Path

import pytest

from tests.components.schemas import Schemas


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """Schemas of a live API server."""
    return Schemas(Path(__file__).parents[1] / "data" / "openapi")
