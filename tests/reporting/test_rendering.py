"""What people see: text within its width, Markdown that data cannot break, pictures that everybody can read."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from msm.reporting import markdown, models, results, wording
from msm.reporting.colours import STOPS, colour, contrast
from msm.reporting.contents import Row, Section, Table
from msm.reporting.heatmap import heatmap
from msm.reporting.lineage import LineageStep, chain
from msm.reporting.models import Cell
from msm.reporting.sections import sections
from msm.reporting.terminal import WIDTH, section_text
from tests.reporting import made

MANY = [f"l{number:02}" for number in range(20)]


def section(root: Path) -> Section:
    all_sections, problems = sections(results.read(root / "score"), made.SETTINGS)
    assert not problems
    return all_sections[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write_recipe(tmp_path_factory.mktemp("made") / "demo")


@pytest.mark.parametrize("languages", [made.LANGUAGES, MANY])
def test_terminal_text_fits_its_width(tmp_path: Path, languages: list[str]) -> None:
    text = section_text(section(made.write_recipe(tmp_path / "demo", languages=languages)))
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    first_words = [line.split()[0] for line in lines if line.strip()]
    assert [word for word in first_words if word in ("chance", "bm25-words")][:2] == ["chance", "bm25-words"]
    # The first table's headings, over as many blocks as it takes.
    headings = [word for line in lines for word in line.split() if word in {*languages, "mean"}]
    assert headings[: len(languages) + 1] == [*languages, "mean"]


def test_long_names_are_cut_to_the_width(tmp_path: Path) -> None:
    name = "table4-separate-document-and-heads"
    models = {"untrained": [1, 2], "mlm": [1, 2], name: [1, 2]}
    root = made.write_recipe(tmp_path / "demo", models=models, skill={"untrained": 0.1, "mlm": 0.3, name: 0.9})
    text = section_text(section(root))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "table4-separate-document-\N{HORIZONTAL ELLIPSIS}" in text


def test_terminal_text_holds_the_values(root: Path) -> None:
    report = section(root)
    (line,) = (line for line in section_text(report).splitlines() if line.startswith("msm  ") and "[" not in line)
    row = next(iter(report.tables.values())).rows[-1]
    assert line.split()[1:] == [wording.times_100(row.cells[name].value) for name in (*made.LANGUAGES, "mean")]


def test_markdown_names_every_row_and_where_it_is_from(root: Path) -> None:
    report = section(root)
    chains = {
        scores.name: chain(scores.name, root, largest=0) for model in report.benchmark.models for scores in model.seeds
    }
    text = markdown.document("demo", [report], [], chains)
    assert "![Heat map](heatmap-lareqa.svg)" in text
    for name in chains:
        assert f"| `{name}` | `{name.replace('score', 'lexical' if 'bm25' in name else 'retrieve')}` |" in text
    stages = ("pretrain/msm-1", "finetune/lareqa-msm-1", "retrieve/lareqa-msm-1", "score/lareqa-msm-1")
    places = [text.index(f"--out artifacts/demo/{name}\n") for name in stages]
    assert places == sorted(places)
    assert "**other protocols and at another scale**" in text
    assert "| MSM | 28.0 |" in text


@pytest.mark.parametrize(
    ("languages", "words"), [(["ar", "en"], "ar en, 6 steps"), (MANY, "20 languages, 6 steps"), ("ar", "6 steps")]
)
def test_markdown_says_what_was_trained_on(root: Path, languages: object, words: str) -> None:
    report = section(root)
    manifest = {
        "settings": {"language": "qaa", "steps": 6},
        "facts": {"languages": languages},
        "command": "",
        "outputs": {},
    }
    chains = {
        scores.name: [LineageStep("finetune/m", manifest, "", [])]
        for model in report.benchmark.models
        for scores in model.seeds
    }
    text = markdown.document("demo", [report], [], chains)
    assert f" |  | {words} | " in text


def test_markdown_keeps_every_table_in_shape(root: Path) -> None:
    report = section(root)
    chains = {scores.name: [] for model in report.benchmark.models for scores in model.seeds}
    blocks = markdown.document("demo", [report], [], chains).split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("| ")]
    assert len(tables) >= 3
    for lines in tables:
        assert all(line.startswith("|") for line in lines)
        assert set(lines[1]) <= set("| -:")
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_text_from_data_has_no_meaning_in_markdown(root: Path) -> None:
    problem = models.Problem(root, "<script>alert(1)</script> | *bold* [link](x)")
    text = markdown.document("demo", [], [problem], {})
    assert "<script>" not in text
    assert "\\<script\\>" in text
    assert "\\*bold\\*" in text


def test_changed_folders_are_named_in_the_lineage(root: Path) -> None:
    report = section(root)
    chains: dict[str, list[LineageStep]] = {}
    for model in report.benchmark.models:
        for run in model.seeds:
            chains[run.name] = [
                LineageStep(run.name, run.manifest, "changed", ["run.gz: changed since it was written"])
            ]
    assert "**no:** run.gz: changed since it was written" in markdown.document("demo", [report], [], chains)


def test_picture_is_well_formed_and_leaves_blanks(root: Path) -> None:
    cells = {"ar": Cell(0.5), "de": Cell(None, note="lost"), "mean": Cell(0.5)}
    text = heatmap(Table("a < b & c", "", ["ar", "de"], [Row("<model>", "model", cells)]))
    tree = ElementTree.fromstring(text)
    texts = ["".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b & c", "<model>", "ar", "de"} <= set(texts)
    assert sum("rx" in node.attrib for node in tree.iter("{http://www.w3.org/2000/svg}rect")) == 1


def test_colours_get_lighter_evenly_and_text_stays_readable() -> None:
    steps = [colour(value / 50, 0, 1) for value in range(51)]
    assert all(contrast(step.fill, step.text) >= 4.5 for step in steps)
    lightness = [contrast(step.fill, "#000000") for step in steps]
    assert lightness == sorted(lightness)
    assert (steps[0].fill, steps[-1].fill) == (STOPS[0], STOPS[-1])
    assert colour(0.3, 0.3, 0.3).fill == colour(0.5, 0, 1).fill


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "+12.3"), (-0.0451, "\N{MINUS SIGN}4.5"), (0.0001, "0.0"), (-0.0001, "0.0")]
)
def test_signed_differences(value: float, text: str) -> None:
    assert wording.signed(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0321, ".032"), (0.0009, "< .001"), (1.0, "1.000")])
def test_p_values(value: float, text: str) -> None:
    assert wording.p_value(value) == text


def test_text_from_data_hides_nothing() -> None:
    text = "a\u202eb\x07 | `c`\n<i>"
    assert wording.plain(text) == "ab \\| \\`c\\` \\<i\\>"
    assert wording.escaped(text) == "ab | `c` &lt;i&gt;"
    assert wording.fenced("a\n```\nb", "sh") == "````sh\na\n```\nb\n````"
