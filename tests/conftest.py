"""Fixtures that every test may use."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from msm.execution import Execution
from msm.pipeline import recipes, runner
from msm.pipeline.tasks import tasks


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mirror", default="../shared/data", help="folder with the public files of the sources table")
    parser.addoption("--mlflow", default="", help="python of an environment with all of mlflow, to run its server")


@pytest.fixture(scope="session")
def mirror(request: pytest.FixtureRequest) -> Path:
    folder = Path(request.config.getoption("--mirror")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no public data at {folder}; give --mirror DIR")
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stage folders of the tiny recipe up to the start weights: `FOLDER/ROW` below."""
    root = tmp_path_factory.mktemp("tiny")
    recipe = recipes.load(Path(__file__).parents[1] / "recipes" / "tiny.yaml")
    for task in tasks(recipe, "tiny"):
        if task.stage in {"world", "documents", "tokenizer", "units", "encoder"}:
            reads = {name: root / Path(path).relative_to("artifacts/tiny") for name, path in task.reads.items()}
            out = root / Path(task.out).relative_to("artifacts/tiny")
            runner.run_stage(task.stage, task.settings, reads, out, Execution(work=root / "work" / task.stage))
    return root


@pytest.fixture(scope="session")
def sources(tiny: Path) -> Path:
    """Payload of the tiny world."""
    return tiny / "sources" / "world" / "files"


@pytest.fixture(scope="session")
def units(tiny: Path) -> Path:
    """Token shards of the tiny world."""
    return tiny / "units" / "ordered" / "shards"


@pytest.fixture(scope="session")
def encoder(tiny: Path) -> Path:
    """Fresh weights and tokenizer of the tiny world."""
    return tiny / "encoder" / "ordered-1" / "model"


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
    s3fs.S3FileSystem.clear_instance_cache()  # those of an earlier test speak to its server
    boto3.client("s3").create_bucket(Bucket="models")
    yield "s3://models/dvc"
    server.stop()
