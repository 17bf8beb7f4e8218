"""The dashboard on a large study: cold start under 5 s, every page change under 1 s; prints what it measured (`-s`).

What nobody has looked at yet is cold: its files are read, its intervals and tests computed, once for everybody.
"""

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from msm.dashboards.folders import Folders
from tests.dashboards import large
from tests.dashboards.browser import Server, browsing, needs_chromium, settle
from tests.dashboards.conftest import TITLES, Show

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow
COLD, CHANGE = 5, 1
"""Seconds of computing, as a clock shows them on a machine that does nothing else. The clock's own stand beside."""


class Duration(NamedTuple):
    """Seconds."""

    computing: float
    clock: float


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """750 runs of 20,000 queries; half a gigabyte."""
    return large.write_large(tmp_path_factory.mktemp("study") / "artifacts" / "large", large.Size())


@pytest.fixture
def folders(study: Path, tmp_path: Path) -> Folders:
    return Folders(study.parent, tmp_path / "results", tmp_path / "work")


def report(what: str, time: Duration, limit: float) -> None:
    print(f"{what:48} {time.computing:6.2f} s computing, {time.clock:6.2f} s on the clock")
    assert time.computing < limit, what


def test_pages_are_quick_without_a_browser(show: Show) -> None:
    def timed(page: str) -> Duration:
        computing, clock = time.process_time(), time.perf_counter()
        show(page)
        return Duration(time.process_time() - computing, time.perf_counter() - clock)

    report("AppTest, first page, cold", timed("results"), COLD)
    for page in TITLES:
        report(f"AppTest, {page}, first time", timed(page), COLD)
        report(f"AppTest, {page}, again", timed(page), CHANGE)


@needs_chromium
def test_pages_are_quick_in_a_browser(folders: Folders) -> None:
    server = Server(folders)
    try:
        with browsing(playwright) as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(120_000)
            walk(Stopwatch(server), page)
    finally:
        server.close()


class Stopwatch:
    """Times what a server is asked for.

    Args:
        server: not waited for yet.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.before = Duration(0, time.perf_counter())

    def start(self) -> None:
        """Time from here."""
        self.before = Duration(self.computed(), time.perf_counter())

    def report(self, what: str, limit: float) -> None:
        """Print the time since the last report, and hold it to a limit."""
        now = Duration(self.computed(), time.perf_counter())
        report(
            f"Chromium, {what}", Duration(now.computing - self.before.computing, now.clock - self.before.clock), limit
        )
        self.before = now

    def computed(self) -> float:
        """Seconds that the server has computed since its start."""
        fields = Path(f"/proc/{self.server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def walk(watch: Stopwatch, page: Any) -> None:
    """Open the first page, other benchmarks, every page twice, and another ranking."""
    watch.server.wait()
    page.goto(watch.server.address)
    page.get_by_test_id("stDataFrame").first.wait_for()
    watch.report("from nothing to the first heat map", COLD)
    settle(page, "Results")
    watch.report("the differences below it", COLD)
    for benchmark in ("Mr. TyDi", "MIRACL"):
        page.get_by_label("Benchmark").first.click()
        page.get_by_role("option", name=benchmark).wait_for()
        watch.start()
        page.get_by_role("option", name=benchmark).click()
        page.get_by_role("heading", name=benchmark).wait_for()
        watch.report(f"heat map of {benchmark}, first time", CHANGE)
        settle(page, "Results")
        watch.report("the differences below it", COLD)
    page.get_by_role("link", name="Compare", exact=True).first.click()
    page.get_by_role("heading", name="model-49 against model-48").wait_for()
    watch.report("Compare, first time", CHANGE)
    settle(page, "Compare")
    watch.report("the rankings below it", COLD)
    for time_of in ("first time", "again"):
        for title in [*list(TITLES.values())[2:], "Results", "Compare"]:
            page.get_by_role("link", name=title, exact=True).first.click()
            settle(page, title)
            watch.report(f"{title}, {time_of}", CHANGE)
    assert page.locator("[data-testid=stHtml] table").count() == large.COMPARED
    # A click that has to scroll first would close the list again.
    page.get_by_label("Changed most").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.get_by_label("Changed most").click()
    page.get_by_role("option").first.wait_for()
    address = page.url
    watch.start()
    page.get_by_role("option").nth(1).click()
    page.wait_for_url(lambda url: url != address)
    settle(page, "Compare")
    watch.report("rankings of another question", CHANGE)
