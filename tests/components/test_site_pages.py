"""Pages of the documentation site that are made from the code."""

import re

import pytest

from msm.collections.registry import BENCHMARKS, BITEXTS
from msm.collections.sizes import XQUAD_R
from msm.components import site_pages


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return site_pages.pages()


def test_every_benchmark_has_a_page_with_its_published_sizes(pages: dict[str, str]) -> None:
    assert {f"benchmarks/{name}.md" for name in [*BENCHMARKS, *BITEXTS, "index"]} == {
        path for path in pages if path.startswith("benchmarks/")
    }
    page = pages["benchmarks/lareqa.md"]
    assert "[arXiv 2004.05484](https://arxiv.org/abs/2004.05484)" in page
    rows = dict(re.findall(r"^\| (\w\w) \| ([\d,]+) \|", page, re.MULTILINE))
    assert rows == {language: f"{counts.questions:,}" for language, counts in XQUAD_R.items()}


def test_every_recipe_is_described(pages: dict[str, str]) -> None:
    parts = dict(re.findall(r"^## (\S+)\n\n(.*?)(?=^## |\Z)", pages["recipes.md"], re.MULTILINE | re.DOTALL))
    assert sorted(parts) == sorted(path.stem for path in (site_pages.ROOT / "recipes").glob("*.yaml"))
    assert all(text.strip() for text in parts.values())


def test_links_to_the_repository_lead_to_pages_of_the_site() -> None:
    text = "[a](../results/order/reading.md) [b](../recipes) [c](../msm/collections/benchmarks) [d](other.md)"
    page = "[a](results/order.md) [b](recipes.md) [c](benchmarks/index.md) [d](other.md)"
    assert site_pages.on_page_markdown(text) == page
