"""Fixtures for what talks to Kubernetes and to S3."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.components.schemas import Schemas


@pytest.fixture(scope="session")
def schemas(request: pytest.FixtureRequest) -> Schemas:
    """Schemas of a live API server; given by `--schemas`."""
    folder = Path(request.config.getoption("--schemas")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no OpenAPI dumps at {folder}; give --schemas DIR")
    return Schemas(folder)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of an empty bucket; keys and endpoint stand in AWS's own variables."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="models")
    yield "s3://models/dvc"
    server.stop()
