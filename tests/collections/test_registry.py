"""Names of benchmarks: what is known, what is refused, older spellings; what the registry says of each."""

from pathlib import Path

import pytest
import yaml

from msm.collections.formats import BITEXT_FORMATS, FORMATS
from msm.collections.registry import BENCHMARKS, BITEXTS, describe, find_benchmark, find_bitext, find_split, reference
from msm.errors import BadInput


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("mr_tidy", "mr_tydi"), ("sqaud", "squad"), ("mircal", "miracl"), ("lareka", "lareqa"), ("tatoba", "tatoeba")],
)
def test_a_misspelt_name_is_refused_with_the_nearest_one(name: str, nearest: str) -> None:
    with pytest.raises(BadInput, match=f"unknown benchmark '{name}'; the nearest is {nearest};"):
        find_benchmark(name)
    with pytest.raises(BadInput, match=f"unknown format '{name}'; the nearest is {nearest}"):
        find_benchmark(f"{name}:mine")


def test_a_name_near_nothing_is_refused_with_all_that_there_is() -> None:
    with pytest.raises(BadInput, match=r"unknown benchmark 'zzz'; known are .*beir, .*lareqa, .*mr_tydi"):
        find_benchmark("zzz")


def test_every_name_is_one_word_and_belongs_to_one_benchmark() -> None:
    names = [*BENCHMARKS, *BITEXTS, *FORMATS, *BITEXT_FORMATS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name == name.lower() for name in names)


@pytest.mark.parametrize("name", [name for name, benchmark in BENCHMARKS.items() if benchmark.split])
def test_a_published_benchmark_says_what_it_is(name: str) -> None:
    benchmark = BENCHMARKS[name]
    assert benchmark.title and benchmark.sources and benchmark.counts
    assert benchmark.measures or benchmark.answers
    assert find_split(name) == benchmark.split and find_split(f"{name}:mine") is None
    assert describe(name) is benchmark


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"benchmark": "mr_tydi"}, "mr_tydi"),
        ({"benchmark": "mr_tydi", "languages": ["sw", "bn"]}, "mr_tydi-sw,bn"),
        ({"benchmark": "mine", "format": "beir"}, "beir:mine"),
        ({"benchmark": "my-own", "format": "beir", "languages": ["swa"]}, "beir:my-own-sw,"),
        ({"benchmark": "belebele", "languages": ["de", "zh-hant"]}, "belebele-de,zh-Hant"),
        ({"benchmark": "", "format": "beir"}, "beir:beir"),
        ({"benchmark": "tatoeba", "pairs": "deu-eng"}, "tatoeba@deu-eng"),
        ({"benchmark": "ted", "format": "bitext", "pairs": "all-en"}, "bitext:ted@all-en"),
        ({"benchmark": "mr_tydi:mine"}, "mr_tydi:mine"),
    ],
)
def test_a_choice_becomes_one_text(choices: dict[str, str], expected: str) -> None:
    assert reference(**choices) == expected  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("text", ["mr_tydi-sw-bn", "mr_tydi-sw,bn"])
def test_both_spellings_of_languages_are_read(text: str) -> None:
    benchmark = find_benchmark(text)
    assert (benchmark.name, benchmark.languages) == ("mr_tydi", ("sw", "bn"))


@pytest.mark.parametrize(
    ("text", "languages"), [("beir:my-own-sw,", ("sw",)), ("beir:x-fi,sv", ("fi", "sv")), ("beir:x-y", ())]
)
def test_languages_of_data_of_ones_own(text: str, languages: tuple[str, ...]) -> None:
    assert find_benchmark(text).languages == languages


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"benchmark": "mr_tydi", "languages": ["xx"]}, "Mr. TyDi has no 'xx'"),
        ({"benchmark": "lareqa", "languages": ["de"]}, "none can be left out"),
        ({"benchmark": "lareqa", "pairs": "de-en"}, "only bitext has pairs"),
        ({"benchmark": "miracl", "format": "beir"}, "'miracl' is no name for data of your own"),
        ({"benchmark": "Mr. TyDi", "format": "mr_tydi"}, "is no name for data of your own"),
        ({"benchmark": "x", "format": "bier"}, "unknown format 'bier'; the nearest is beir"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(choices: dict[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        reference(**choices)  # pyright: ignore[reportArgumentType]


def test_every_name_in_the_recipes_is_known() -> None:
    names = set()
    for path in (Path(__file__).parents[2] / "recipes").glob("*.yaml"):
        recipe = yaml.safe_load(path.read_text())
        for section in ("benchmarks", "further_benchmarks"):
            names |= {row["name"] for row in recipe.get(section) or []}
    for name in names:
        assert find_bitext(name) or find_benchmark(name)
    assert "xquad_r:constructed_hybrid" in names
