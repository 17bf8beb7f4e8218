"""Every page in a real browser: it draws, wide and narrow, light and dark, and asks for nothing outside."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msm.dashboards.folders import Folders
from msm.dashboards.training_logs import QUANTITIES
from msm.execution import Execution
from msm.pipeline import recipes, runner
from msm.pipeline.tasks import tasks as tasks_of
from tests.dashboards.browser import APP, browsing, needs_chromium, serving, settle
from tests.dashboards.conftest import TITLES
from tests.reporting import made

PROBES = ("_stcore/health", "_stcore/host-config")
"""SideQuestion for below the page's own address first, by Streamlit itself; answered with 404 there."""
PAGES = {
    "results": ("?recipe=demo", "stDataFrame"),
    "compare": ("?recipe=tiny&models=bm25-words&models=msm", "stVegaLiteChart"),
    "bias": ("?recipe=tiny", "stDataFrame"),
    "ablations": ("?recipe=order", "stVegaLiteChart"),
    "search": ("?recipe=tiny", "stTextInput"),
    "lineage": ("?recipe=tiny&row=constructed-msm-1", "stExpander"),
    "training": ("?recipe=tiny", "stVegaLiteChart"),
}
"""What is opened of every page, and what must be drawn there."""
NOT_DRAWN = {"step", "tokens", "softmax_candidates", "same_language", "alpha_low", "alpha_high"}
"""What a log holds beside what is drawn."""
ARABIC = "\u0645\u0627 \u0647\u0630\u0627\u061f"
HOSTILE = "<img src=x onerror=alert(1)> **b** [l](javascript:alert(1))"

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The recipe `tiny` as it is run, one with published rows beside it, and the order experiment."""
    root = tmp_path_factory.mktemp("shown")
    folders = Folders(root / "artifacts", root / "results", root / "work")
    for task in tasks_of(recipes.load(APP.parents[1] / "recipes" / "tiny.yaml"), "tiny"):
        reads = {name: root / path for name, path in task.reads.items()}
        runner.run_stage(task.stage, task.settings, reads, root / task.out, Execution(work=root / "work" / "tiny"))
    made.write_recipe(folders.artifacts / "demo")
    made.write_order(folders.artifacts / "order")
    return folders


@pytest.fixture(scope="module")
def address(shown: Folders) -> Iterator[str]:
    with serving(shown) as server:
        yield server.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing(playwright) as browser:
        yield browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_every_page_draws_without_errors(address: str, browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    wrong = watched(page, address)
    for name, (parameters, selector) in PAGES.items():
        page.goto(f"{address}/{'' if name == 'results' else name}{parameters}")
        settle(page, TITLES[name])
        page.get_by_test_id(selector).first.wait_for()
        assert page.get_by_test_id("stException").count() == 0
        assert_fits(page, name)
        page.screenshot(path=str(tmp_path / f"{name}-{width}-{scheme}.png"))
    page.close()
    assert wrong == []


def test_question_is_answered_by_two_models_beside_one_another(address: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    wrong = watched(page, address)
    page.goto(f"{address}/search?recipe=tiny&ask=constructed-mlm-1&ask=constructed-msm-1")
    settle(page, "Search")
    page.get_by_test_id("stBaseButton-tertiary").first.click()
    tables = page.locator("[data-testid=stHtml] table")
    tables.nth(1).wait_for()
    left, right = (tables.nth(place).bounding_box() for place in (0, 1))
    assert left["y"] == pytest.approx(right["y"], abs=2)
    assert left["x"] + left["width"] < right["x"]
    assert tables.first.locator("tr").count() == 10
    page.close()
    assert wrong == []


def test_texts_run_as_their_script_does_and_are_no_markup(shown: Folders, browser: Any, tmp_path: Path) -> None:
    """On a copy: the texts of the questions are replaced."""
    made_here = Folders(tmp_path / "artifacts", tmp_path / "results", tmp_path / "work")
    copy_with_questions(shown.artifacts / "tiny", made_here.artifacts / "tiny", f"{ARABIC} {HOSTILE} ")
    with serving(made_here) as server:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        wrong = watched(page, server.address)
        page.goto(f"{server.address}/compare?recipe=tiny&models=bm25-words&models=msm")
        settle(page, "Compare")
        text = page.locator("[data-testid=stHtml] p", has_text=ARABIC)
        assert HOSTILE in text.inner_text()
        assert text.evaluate("element => getComputedStyle(element).direction") == "rtl"
        page.goto(f"{server.address}/search?recipe=tiny")
        settle(page, "Search")
        assert HOSTILE in page.get_by_test_id("stBaseButton-tertiary").first.inner_text()
        assert page.locator("[data-testid=stMain] img").count() == 0
        page.close()
        assert wrong == []


def test_choices_stand_in_the_address(address: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/?recipe=demo")
    settle(page, "Results")
    page.get_by_label("Candidates").first.click()
    page.get_by_role("option", name="pools of the other languages").click()
    page.get_by_role("heading", name="pools of the other languages").wait_for()
    page.wait_for_url("**candidates=other*")
    url = page.url
    page.goto("about:blank")
    page.goto(url)
    page.get_by_role("heading", name="pools of the other languages").wait_for()
    page.get_by_role("link", name="Lineage").first.click()
    page.wait_for_url("**/lineage?*recipe=demo*")
    page.close()


def test_every_number_of_a_log_has_a_chart(shown: Folders) -> None:
    logs = list((shown.artifacts / "tiny").glob("*/*/log.jsonl"))
    assert {log.parent.parent.name for log in logs} == {"pretrain", "finetune"}
    names = {name for log in logs for line in log.read_text().splitlines() for name in json.loads(line)}
    assert names - QUANTITIES.keys() == NOT_DRAWN


def test_running_log_is_followed(shown: Folders, address: str, browser: Any) -> None:
    log = shown.work / "live" / "pretrain" / "msm-1" / "0123456789abcdef" / "log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 1, "loss": 3.0}\n')
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/training?recipe=live")
    settle(page, "Training")
    page.get_by_text("pretrain/msm-1 (running)").first.wait_for()
    assert page.get_by_test_id("stVegaLiteChart").count() == 1
    with log.open("a") as file:
        file.write('{"step": 2, "loss": 2.5, "accuracy": 0.5}\n')
    page.get_by_test_id("stVegaLiteChart").nth(1).wait_for()
    page.close()


def watched(page: Any, address: str) -> list[str]:
    """What goes wrong on a page from now on: errors of its scripts and console, requests that fail or go elsewhere."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if is_error(message) else None)
    page.on("request", lambda request: wrong.append(request.url) if not is_local(request.url, address) else None)
    page.on("response", lambda answer: wrong.append(answer.url) if has_failed(answer) else None)
    return wrong


def is_error(message: Any) -> bool:
    return message.type == "error" and not message.location["url"].endswith(PROBES)


def is_local(url: str, address: str) -> bool:
    return url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


def has_failed(answer: Any) -> bool:
    return answer.status >= 400 and not answer.url.endswith(PROBES)


def assert_fits(page: Any, name: str) -> None:
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{name} is wider than the window"


def copy_with_questions(source: Path, target: Path, start: str) -> None:
    """A recipe whose questions begin with some text."""
    for path in source.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    for path in (target / "sources/world/files/questions/test").iterdir():
        path.write_text(path.read_text().replace('"question": "', f'"question": "{start}'))
