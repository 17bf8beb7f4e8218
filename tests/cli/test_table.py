"""`msm table` and the leaderboard page: the same numbers in every form, and no text that is taken for markup."""

import csv
import html.parser
import io
import json
import shutil
from pathlib import Path

import pytest

from msm.cli.main import main
from tests.reporting import made

HOSTILE = "<script>x</script>&\"'"
MARKS = "\x1b[2J\u202e"
"""What clears a terminal, and what turns the text behind it round."""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    models = {"mlm": [1, 2], HOSTILE.replace("/", "") + MARKS: [1]}
    skill = dict.fromkeys(models, 0.3) | {"mlm": 0.1}
    return made.write_recipe(tmp_path / "artifacts" / "demo", models=models, skill=skill)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    main(["table", *words, "--resamples", "100"])
    return capsys.readouterr().out


class Page(html.parser.HTMLParser):
    """Tags and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, where it leads and what it is called."""
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.add(value or "")

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


def test_every_form_has_the_same_means(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, str(recipe), "--format", "csv"))))
    means = {
        (row["table"], row["model"]): f"{100 * float(row['value']):.1f}" for row in rows if row["language"] == "mean"
    }
    assert len(means) == 3 * 3 and all("mAP@20" in title for title, _ in means)
    forms = {form: printed(capsys, str(recipe), "--format", form) for form in ("text", "markdown", "latex", "html")}
    for (_, model), value in means.items():
        for form, text in forms.items():
            lines = [line for line in text.splitlines() if model in line or "script" in line or form == "html"]
            assert any(value in line for line in lines), (form, model, value)
            assert not set(MARKS[0] + MARKS[-1]) & set(text), form


def means_by_language(text: str) -> dict[tuple[str, str], dict[str, float]]:
    """Values by table and model."""
    means: dict[tuple[str, str], dict[str, float]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        means.setdefault((row["table"], row["model"]), {})[row["language"]] = float(row["value"])
    return means


def test_languages_and_pairs_are_chosen_and_means_are_theirs(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = means_by_language(printed(capsys, str(recipe), "--format", "csv"))
    some = means_by_language(printed(capsys, str(recipe), "--format", "csv", "--languages", "deu,th"))
    assert some.keys() == whole.keys()
    for key, values in some.items():
        assert values.keys() == {"de", "th", "mean"}
        assert values["de"] == whole[key]["de"]
        assert values["mean"] == pytest.approx((values["de"] + values["th"]) / 2)
    pairs = means_by_language(printed(capsys, str(recipe), "--format", "csv", "--pairs", "ar-de,th-de,th-en"))
    assert {title.partition(": ")[2] for title, _ in pairs} == {"mAP@20, pools of the other languages"}
    assert all(values.keys() == {"ar", "th", "mean"} for values in pairs.values())
    with pytest.raises(SystemExit) as end:
        main(["table", str(recipe), "--languages", "sw"])
    assert end.value.code == 2
    assert "no averages of sw" in capsys.readouterr().err


def test_folders_with_other_measures_share_what_they_have(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    first, other = recipe / "score" / "lareqa-mlm-1", tmp_path / "score" / "other"
    shutil.copytree(first, other)
    for path in other.rglob("scores.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        rows = [line | {"model": "other"} for line in lines if line["candidate_language"] is None]
        path.write_text("".join(json.dumps(line) + "\n" for line in rows))
    with pytest.raises(SystemExit) as end:
        main(["table", str(first), str(other)])
    assert end.value.code == 2 and f"{other}: scores.jsonl: not what its manifest" in capsys.readouterr().err
    made.seal(other)
    text = printed(capsys, str(first), str(other))
    assert "one pool of all languages" in text and "own" not in text
    assert "left out, since not all have it: map@20 (" in caplog.text
    for line in rows:
        line["measure"] = "mrr@100"
    path.write_text("".join(json.dumps(line) + "\n" for line in rows))
    made.seal(other)
    with pytest.raises(SystemExit) as end:
        main(["table", str(first), str(other)])
    assert end.value.code == 2 and "other measures or pools" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["questions", "candidates", "qrels"])
def test_other_judgements_or_candidates_are_refused(
    name: str, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, other = recipe / "score" / "lareqa-mlm-1", recipe / "score" / "lareqa-mlm-2"
    for folder, digit in ((first, "1"), (other, "2")):
        sums = {"questions": "0" * 64, "candidates": "0" * 64, "qrels": "0" * 64} | {name: digit * 64}
        (folder / "scores" / "collection.json").write_text(json.dumps(sums))
        made.seal(folder)
    with pytest.raises(SystemExit) as end:
        main(["table", str(first), str(other)])
    assert end.value.code == 2 and f"{name} are 222222222222, those of {first}" in capsys.readouterr().err


def test_folders_are_taken_one_by_one_and_what_is_none_is_refused(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(recipe / "score" / f"lareqa-mlm-{seed}") for seed in (1, 2)]
    assert "2, SD" in printed(capsys, *folders)
    with pytest.raises(SystemExit) as end:
        main(["table", str(tmp_path / "none")])
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_page_stands_alone_and_escapes_every_text(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["export", "--format", "site", "--scores", str(recipe), "--title", HOSTILE, "--out", str(tmp_path / "site")])
    text = (tmp_path / "site" / "index.html").read_text()
    page = Page()
    page.feed(text)
    assert "script" not in page.tags and HOSTILE in "".join(page.texts)
    assert page.addresses and all(address.startswith("#") and address[1:] in page.ids for address in page.addresses)
    assert "msm run finetune" in "".join(page.texts)
    assert "url(" not in text and "@import" not in text
