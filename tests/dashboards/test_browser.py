"""The dashboard in a real browser: it draws, links lead where they say, and nothing outside is asked for."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.folders import Folders
from tests.dashboards.conftest import APP
from tests.reporting import made

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBES = ("_stcore/health", "_stcore/host-config")
"""Asked for below the page's own address first, by Streamlit itself; answered with 404 there."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (Debian: apt-get install chromium)"),
]
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture
def address(recipe: Path, folders: Folders) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word for name, folder in folders._asdict().items() for word in (f"--{name}", str(folder))]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    command = [sys.executable, "-m", "streamlit", "run", str(APP), *options, "--", *words]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait(address: str, server: subprocess.Popen) -> None:
    for _ in range(300):
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(address)
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light")])
def test_pages_draw_without_errors(address: str, tmp_path: Path, width: int, scheme: str) -> None:
    wrong: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if not _is_local(request.url, address) else None)
        page.on("response", lambda answer: wrong.append(answer.url) if _failed(answer) else None)
        for path, title, drawn in (
            ("/?recipe=demo", "Results", "stDataFrame"),
            ("/lineage?recipe=demo&row=lareqa-msm-1", "Lineage", "stExpander"),
            ("/training?recipe=demo", "Training", "stVegaLiteChart"),
        ):
            page.goto(address + path)
            page.get_by_role("heading", name=title, exact=True).wait_for()
            page.get_by_test_id(drawn).first.wait_for()
            page.wait_for_function("document.querySelector('[data-testid=stStatusWidget]') === null")
            assert page.get_by_test_id("stException").count() == 0
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{title} is wider than the window"
            page.screenshot(path=str(tmp_path / f"{title}-{width}-{scheme}.png"))
        browser.close()
    assert wrong == []


def test_choices_stand_in_the_address(address: str) -> None:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.get_by_label("Candidates").click()
        page.get_by_role("option", name="pools of the other languages").click()
        page.get_by_role("heading", name="pools of the other languages").wait_for()
        page.wait_for_url("**candidates=pools*")
        shared = page.url
        page.goto("about:blank")
        page.goto(shared)
        page.get_by_role("heading", name="pools of the other languages").wait_for()
        browser.close()


def test_recipe_is_kept_from_page_to_page(address: str, folders: Folders) -> None:
    made.write_recipe(folders.artifacts / "other")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address + "/?recipe=other")
        page.get_by_test_id("stDataFrame").first.wait_for()
        page.get_by_role("link", name="Lineage").first.click()
        page.wait_for_url("**/lineage?*recipe=other*")
        browser.close()


def _is_local(url: str, address: str) -> bool:
    return url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


def _failed(answer: "playwright.Response") -> bool:
    return answer.status >= 400 and not answer.url.endswith(PROBES)
