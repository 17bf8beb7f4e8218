"""Folders for the dashboard, and the app run on them without a browser."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.folders import Folders
from tests.reporting import made

APP = Path(__file__).parents[2] / "dashboards" / "app.py"


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Empty: nothing was run."""
    return Folders(tmp_path / "artifacts", tmp_path / "results", tmp_path / "work")


@pytest.fixture
def recipe(folders: Folders) -> Path:
    """One recipe with scores."""
    return made.write_recipe(folders.artifacts / "demo")


@pytest.fixture
def show(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens a page, with what its address asks for."""
    words = [word for name, folder in folders._asdict().items() for word in (f"--{name}", str(folder))]
    monkeypatch.setattr(sys, "argv", ["app.py", *words])

    def open_page(name: str = "results", **asked: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=30)
        if name != "results":
            app.run().switch_page(f"{name}_page.py")
        app.query_params.update(asked)
        app.run()
        assert not app.exception
        return app

    return open_page
