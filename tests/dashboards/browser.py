"""The dashboard's server and a real browser on it."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from msm.dashboards.folders import Folders

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (Debian: apt-get install chromium)")
SETTLED = """() => document.querySelector('[data-test-script-state=notRunning]') !== null
    && document.querySelector('[data-testid=stSkeleton]') === null"""
"""Nothing is being computed or still to be drawn."""


class Server:
    """A running dashboard.

    Args:
        folders: that it shows.
    """

    def __init__(self, folders: Folders) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [word for name, folder in folders._asdict().items() for word in (f"--{name}", str(folder))]
        options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
        command = [sys.executable, "-m", "streamlit", "run", str(APP), *options, "--", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.address = f"http://127.0.0.1:{port}"

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(600):
            assert self.process.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


@contextmanager
def serving(folders: Folders) -> Iterator[Server]:
    """A dashboard that answers."""
    server = Server(folders)
    try:
        server.wait()
        yield server
    finally:
        server.close()


@contextmanager
def browsing(playwright: Any) -> Iterator[Any]:
    """A browser without a window."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def settle(page: Any, title: str) -> None:
    """Wait until a page is all there."""
    page.get_by_role("heading", name=title, exact=True).wait_for()
    page.wait_for_function(SETTLED)
