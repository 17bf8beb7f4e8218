"""Folders for the dashboard, and the app run on them without a browser."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from msm.dashboards.folders import Folders
from msm.execution import Execution
from msm.pipeline import recipes, runner
from msm.pipeline.tasks import tasks as tasks_of
from tests.dashboards.browser import APP
from tests.reporting import made

Show = Callable[..., AppTest]
TITLES = {
    "results": "Results",
    "compare": "Compare",
    "bias": "Language bias",
    "ablations": "Ablations",
    "search": "Search",
    "lineage": "Lineage",
    "training": "Training",
}
"""Every page, the first one first."""


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Empty: nothing was run."""
    return Folders(tmp_path / "artifacts", tmp_path / "results", tmp_path / "work")


@pytest.fixture
def recipe(folders: Folders) -> Path:
    """One recipe with scores."""
    return made.write_recipe(folders.artifacts / "demo")


@pytest.fixture(scope="session")
def ranked_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe `tiny` with real rankings: BM25 of words and of characters, scored."""
    root = tmp_path_factory.mktemp("ranked") / "tiny"
    for task in tasks_of(recipes.load(APP.parents[1] / "recipes" / "tiny.yaml"), "tiny"):
        if task.stage == "world" or "bm25" in task.row:
            reads = {name: root / Path(path).relative_to("artifacts/tiny") for name, path in task.reads.items()}
            out = root / Path(task.out).relative_to("artifacts/tiny")
            runner.run_stage(task.stage, task.settings, reads, out, Execution(work=root.parent / "work"))
    return root


@pytest.fixture
def tiny_recipe(ranked_recipe: Path, folders: Folders) -> Path:
    """A copy of it that a test may break."""
    return shutil.copytree(ranked_recipe, folders.artifacts / "tiny")


@pytest.fixture
def show(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens a page, with what its address asks for."""
    words = [word for name, folder in folders._asdict().items() for word in (f"--{name}", str(folder))]
    monkeypatch.setattr(sys, "argv", ["app.py", *words])

    def open_page(name: str = "results", **parameters: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=30)
        if name != "results":
            app.run().switch_page(f"{name}_page.py")
            # As a browser does, whose address is that of the new page.
            app.query_params.clear()
        app.query_params.update(parameters)
        app.run()
        assert not app.exception
        return app

    return open_page
