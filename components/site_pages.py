"""Makes the pages of the documentation site that come from the code: benchmarks, recipes, results and modules.

mkdocs loads this file as a hook (`hooks` in `mkdocs.yml`) and calls the functions whose names begin with `on_`.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from msm.collections import formats, registry
from msm.collections.benchmark import Benchmark, BitextBenchmark, PublishedSizes
from msm.collections.described import files_of
from msm.reporting.wording import measure

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "collections": "Questions, passages, judgements and runs: readers of files, and the benchmarks.",
    "encoders": "Models that turn texts into vectors.",
    "retrieval": "Search: exact, by BM25, of many shards, and of runs of other systems.",
    "evaluation": "Measures, intervals, tests and fairness.",
    "corpora": "Documents, vocabularies and token shards.",
    "pretraining": "Objectives and batches of pre-training.",
    "finetuning": "Training of bi-encoders, and hard negatives.",
    "reporting": "Tables, reports and exports.",
    "pipeline": "Recipes, tasks and the runner.",
    "verbs": "The functions behind the names of `msm`, such as `msm.evaluate` and `msm.compare`.",
}
"""Subpackages that have a page, and their purposes."""
OUTSIDE = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
"""Name of a page to the file at the top of the repository that is its text."""
REPOSITORY_LINKS = {
    r"\.\./results/(\w+)/reading\.md": r"results/\1.md",
    r"\.\./recipes": "recipes.md",
    r"\.\./msm/collections/benchmarks": "benchmarks/index.md",
}
"""Links of pages to files of the repository, which hold there, and the pages that stand for them in the site."""
FIELDS = ("questions", "passages", "judgements")


def on_config(config: MkDocsConfig) -> None:
    """Replace every folder of the navigation, such as `benchmarks/`, by its pages."""
    config.nav = _with_pages(config.nav, sorted(pages()))


def _with_pages(item: Any, paths: list[str]) -> Any:
    """Return an entry of the navigation (a path, a list, or a title with either) with its folders replaced."""
    if isinstance(item, list):
        return [_with_pages(one, paths) for one in item]
    if isinstance(item, dict):
        return {title: _with_pages(one, paths) for title, one in item.items()}
    if not item.endswith("/"):
        return item
    first = f"{item}index.md"
    return [first, *(path for path in paths if path.startswith(item) and path != first)]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code to those in `docs/`."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to files of the repository lead to the pages that stand for them."""
    for target, page in REPOSITORY_LINKS.items():
        markdown = re.sub(rf"\]\({target}\)", f"]({page})", markdown)
    return markdown


def pages() -> dict[str, str]:
    """Return the text of every page by its path in the site."""
    texts = {page: _linked((ROOT / name).read_text(encoding="utf-8")) for page, name in OUTSIDE.items()}
    texts |= {f"benchmarks/{name}.md": text for name, text in benchmark_pages().items()}
    texts |= {f"results/{name}.md": text for name, text in result_pages().items()}
    texts |= {f"reference/{name}.md": text for name, text in module_pages().items()}
    return texts | {"recipes.md": recipes_page()}


def _linked(text: str) -> str:
    """Return the text of a file at the top of the repository, with links that hold in the site."""
    return re.sub(r"\]\((?:docs/)?(\w+\.md)\)", lambda match: f"]({match[1].lower()})", text)


def benchmark_pages() -> dict[str, str]:
    """Return an overview and one page for every benchmark of the registry."""
    modules = _benchmark_modules()
    texts = {name: _benchmark_page(one, modules[name]) for name, one in registry.BENCHMARKS.items()}
    texts |= {name: _bitext_page(one, modules[name]) for name, one in registry.BITEXTS.items()}
    return {"index": _benchmarks_overview()} | texts


def _benchmark_modules() -> dict[str, ModuleType]:
    """Return the name of each benchmark and the module that describes it."""
    modules = [value for value in vars(registry).values() if inspect.ismodule(value)]
    return {
        value.name: module
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Benchmark | BitextBenchmark)
    }


def _benchmarks_overview() -> str:
    rows = [
        f"| [`{one.name}`]({one.name}.md) | {one.title} | {one.split or ''} | {_named(one.measures)} |"
        for one in (registry.BENCHMARKS | registry.BITEXTS).values()
    ]
    own_rows = [f"| `{one.name}` | {one.title} | {_named(one.measures)} |" for one in _formats()]
    return "\n".join(
        [
            "# Benchmarks and protocols\n",
            "`msm evaluate --benchmark NAME --data FOLDER` scores a model by the rules of a benchmark. A benchmark",
            "checks that its files are the published ones.\n",
            "| name | benchmark | split | measures |\n|---|---|---|---|",
            *rows,
            "\n## Data of your own\n",
            "`--format` names the layout of your files, `--benchmark` a name of your choice. The files of every",
            "benchmark above are a format too.\n",
            "| `--format` | layout | measures |\n|---|---|---|",
            *own_rows,
            "| `hf` | `--benchmark OWNER/NAME`: a data set of the Hugging Face hub | |",
            "| `ir_datasets` | `--benchmark ID`: a data set of ir_datasets' catalogue | |",
            "",
        ]
    )


def _formats() -> Iterator[Benchmark | BitextBenchmark]:
    yield from formats.FORMATS.values()
    yield from formats.BITEXT_FORMATS.values()


def _benchmark_page(benchmark: Benchmark, module: ModuleType) -> str:
    facts = {
        "Name": f"`{benchmark.name}`",
        "Protocol": benchmark.protocol,
        "Split": benchmark.split or "your own",
        "Measures": _named(benchmark.measures),
        "Measures within one language": _named(benchmark.language_measures),
        "Mean": {"macro": "of the languages' means", "micro": "of all questions"}[benchmark.mean],
        "Text beside a passage": benchmark.passage_context,
        "Passages with the question's id": benchmark.own_ids,
        "Order of equal scores": benchmark.ties,
        "Passages in all": f"{benchmark.passages:,}" if benchmark.passages else "",
        "Sources": ", ".join(_source(source) for source in benchmark.sources),
    }
    return (
        _page(benchmark.title, module, facts) + _sizes(benchmark.counts) + _files(benchmark) + _command(benchmark.name)
    )


def _bitext_page(benchmark: BitextBenchmark, module: ModuleType) -> str:
    facts = {
        "Name": f"`{benchmark.name}`",
        "Protocol": benchmark.protocol,
        "Split": benchmark.split or "your own",
        "Measures": _named(benchmark.measures),
        "Pairs of the printed mean": f"`{benchmark.pairs}`",
    }
    return _page(benchmark.title, module, facts) + _files(benchmark) + _command(benchmark.name)


def _page(title: str, module: ModuleType, facts: dict[str, str]) -> str:
    rows = [f"| {name} | {' '.join(value.split())} |" for name, value in facts.items() if value]
    return f"# {title}\n\n{inspect.getdoc(module)}\n\n|  |  |\n|---|---|\n" + "\n".join(rows) + "\n"


def _sizes(counts: object) -> str:
    """Return a table of the published sizes by language."""
    sizes: dict[str, PublishedSizes] = dict(counts)  # type: ignore[call-overload]
    columns = [field for field in FIELDS if any(getattr(one, field) is not None for one in sizes.values())]
    if not columns:
        return ""
    rows = [
        f"| {language} | {' | '.join(_number(getattr(one, field)) for field in columns)} |"
        for language, one in sizes.items()
    ]
    return f"\n| language | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}\n" + "\n".join(rows) + "\n"


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _files(benchmark: Benchmark | BitextBenchmark) -> str:
    return f"\n## Files\n\n{files_of(benchmark)}\n"


def _command(name: str) -> str:
    return f"\n```console\n$ msm evaluate --benchmark {name} --data FOLDER --model MODEL --out FOLDER\n```\n"


def _named(measures: tuple[str, ...]) -> str:
    return ", ".join(measure(name) for name in measures)


def _source(source: str) -> str:
    """Return a source, with a link where it names an arXiv paper."""
    return re.sub(r"arXiv:(\S+?\d)(?=$|[,\s])", r"[arXiv \1](https://arxiv.org/abs/\1)", source)


def result_pages() -> dict[str, str]:
    """Return an overview and one page for every recipe whose results are read in words."""
    readings = sorted((ROOT / "results").glob("*/reading.md"))
    texts = {path.parent.name: _without_links(path.read_text(encoding="utf-8")) for path in readings}
    rows = "\n".join(f"- [{name}]({name}.md): {_first_line(text)}" for name, text in texts.items())
    head = "# Results\n\nEach page says what a recipe was run for, what came out, and what that does not show.\n"
    return {"index": f"{head}\n{rows}\n"} | texts


def _first_line(text: str) -> str:
    return next(line.lstrip("# ").strip() for line in text.splitlines() if line.strip())


def _without_links(text: str) -> str:
    """Return a text in which links to files of the repository become plain names; links to the web stay."""
    return re.sub(r"!?\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


def recipes_page() -> str:
    """Return the page of all recipes, each with the comment at its head."""
    parts = [
        "# Recipes\n",
        "A recipe says what is run, with every value that decides a result. `msm run NAME` runs what is missing of it,",
        "`msm recipe NAME --resolved` prints it with all defaults; [settings](settings.md) explains every value.\n",
    ]
    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        parts.append(f"## {path.stem}\n\n{_head_comment(path)}\n")
    return "\n".join(parts)


def _head_comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return re.sub(r"(?m)^((?!\|).+)\n(?=\|)", r"\1\n\n", "\n".join(line[1:].removeprefix(" ") for line in lines[:end]))


def module_pages() -> dict[str, str]:
    """Return an overview and one page for every subpackage, from the docstrings of its modules."""
    rows = "\n".join(f"- [`msm.{room}`]({room}.md): {words}" for room, words in ROOMS.items())
    head = (
        "# Python\n\nThree lines of Python do what a command does: `msm.load_encoder` opens a model, and "
        "[`msm.verbs`](verbs.md) holds\nwhat the other names of `msm` do.\n"
    )
    texts = {"index": f"{head}\n{rows}\n"}
    for room, words in ROOMS.items():
        names = [_module(path) for path in sorted((ROOT / "msm" / room).glob("*.py")) if path.stem != "__init__"]
        texts[room] = f"# msm.{room}\n\n{words}\n\n" + "\n\n".join(f"::: {name}" for name in names) + "\n"
    return texts


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
