"""Describes every benchmark of the registry for `msm benchmarks` and for the pages: rules, files, sizes, sources."""

import functools
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from msm.collections import benchmarks
from msm.collections.benchmark import Benchmark, BitextBenchmark, PublishedSizes
from msm.collections.registry import BENCHMARKS, BITEXTS, find_benchmark, find_bitext

SEARCHED = {
    "none": "the text of a passage",
    "paragraph": "a sentence with its paragraph",
    "title_text": "the title and the text of a passage",
}
"""Context of a passage to a description of the text that is searched."""
BY_ANSWERS = {
    "dpr": ("success@1", "success@5", "success@20", "success@100"),
    "xor-nltk": ("recall@2kt", "recall@5kt"),
    "xor-treebank": ("recall@2kt", "recall@5kt"),
}
"""Measures that follow from the way in which answers are matched."""


class BenchmarkLine(NamedTuple):
    """One line of the list of benchmarks."""

    name: str
    title: str
    split: str
    languages: str
    questions: str
    passages: str
    measures: str


def overview() -> list[BenchmarkLine]:
    """Return all published benchmarks, by name; constructed ones are left out."""
    benchmarks = {name: one for name, one in {**BENCHMARKS, **BITEXTS}.items() if one.split}
    return [_row(benchmarks[name]) for name in sorted(benchmarks)]


def description(name: str) -> str:
    """Return everything that the registry says of one benchmark, as paragraphs.

    Raises:
        BadInput: no benchmark has the name.
    """
    bitext = find_bitext(name)
    one = bitext[0] if bitext else find_benchmark(name)
    return "\n\n".join([f"{one.name}: {one.title}", *_about(one), "\n".join(_rules(one)), f"Files.\n\n{files_of(one)}"])


def files_of(one: Benchmark | BitextBenchmark) -> str:
    """Return what the reader of a benchmark says of its files."""
    reader = one.reader.func if isinstance(one.reader, functools.partial) else one.reader
    return inspect.getdoc(inspect.getmodule(reader)) or ""


def _modules() -> list[ModuleType]:
    return [value for value in vars(benchmarks).values() if inspect.ismodule(value)]


def _values(module: ModuleType) -> list[object]:
    return [value for value in vars(module).values() if isinstance(value, Benchmark | BitextBenchmark)]


def _about(one: Benchmark | BitextBenchmark) -> list[str]:
    return [inspect.getdoc(module) or "" for module in _modules() if one in _values(module)][:1]


def _row(one: Benchmark | BitextBenchmark) -> BenchmarkLine:
    split = one.split or ""
    if isinstance(one, BitextBenchmark):
        languages = "all" if one.pairs.startswith("all") else str(len(one.pairs.split(",")))
        return BenchmarkLine(one.name, one.title, split, languages, "", "", ", ".join(one.measures))
    counts = one.counts.values()
    passages = one.passages or _sum(count.passages for count in counts)
    measures = one.measures or BY_ANSWERS[one.answers or "dpr"]
    return BenchmarkLine(
        one.name,
        one.title,
        split,
        str(len(one.counts)),
        _number(_sum(count.questions for count in counts)),
        _number(passages),
        ", ".join(measures),
    )


def _rules(one: Benchmark | BitextBenchmark) -> list[str]:
    """Lines of what decides a score."""
    row = _row(one)
    lines = [f"{row.split}; {row.measures}", f"protocol {one.protocol}"]
    if isinstance(one, BitextBenchmark):
        return lines
    lines += [f"text that is searched: {SEARCHED[one.passage_context]}", f"order of equal scores: `{one.ties}`"]
    lines.append(f"a passage with the question's own id is {one.own_ids}")
    lines += [f"published instruction: {one.instruction}"] if one.instruction else []
    sizes = {language: _size(count) for language, count in one.counts.items() if any(count)}
    are_equal = len(set(sizes.values())) == 1
    size_texts = (
        [f"each {next(iter(sizes.values()))}"] if are_equal else [f"{name} {size}" for name, size in sizes.items()]
    )
    lines += [f"checked sizes: {', '.join(size_texts)}"] if size_texts else []
    return [*lines, f"sources: {', '.join(one.sources)}"]


def _size(count: PublishedSizes) -> str:
    return "/".join(_number(value) or "?" for value in count)


def _sum(values: Iterator[int | None]) -> int | None:
    """The sum; None where one is not known."""
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
