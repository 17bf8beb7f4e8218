"""The table of languages, and what splitting their sentences gives."""

import gzip
import json
from pathlib import Path

import pytest

from msm.corpora.languages import falls_back, languages, say_fallbacks, scripts
from msm.corpora.sentence_check import check
from msm.corpora.sentences import split


def test_table_has_the_codes_of_the_paper() -> None:
    assert len(languages()) == 108
    assert {"als", "zh", "sh", "no", "nn", "wuu"} <= languages().keys()
    neither = [code for code, row in languages().items() if "yes" not in (row.xlmr, row.mbert)]
    assert neither == ["als", "arz", "ckb", "ia", "wuu"]
    assert scripts("ja") == ("Han", "Hiragana", "Katakana") and scripts("xx") == ()


def test_languages_without_rules_are_named(caplog: pytest.LogCaptureFixture) -> None:
    assert say_fallbacks(["en", "th", "xx"]) == ["th", "xx"]
    assert "th, xx" in caplog.text
    assert not falls_back("de")


def test_boundaries_do_not_depend_on_blanks() -> None:
    right = check("zh", [["他来了。", "她走了。", "好。"]])
    assert (right.expected, right.guesses, right.right) == (2, 2, 2)
    partly = check("en", [["It rains. It pours.", "Go on."]])
    assert (partly.expected, partly.guesses, partly.right) == (1, 2, 1)
    assert split("ខ្ញុំទៅ។ គាត់មក។", "km") == ["ខ្ញុំទៅ។", "គាត់មក។"]


def test_most_sentences_of_the_news_are_found(mirror: Path) -> None:
    documents: dict[str, list[list[str]]] = {"en": [], "de": [], "zh": [], "km": []}
    with gzip.open(mirror / "documents" / "ntrex128.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            if document["language"] in documents:
                documents[document["language"]].append(document["sentences"])
    for language, texts in documents.items():
        boundaries = check(language, texts)
        assert boundaries.recall > 0.7 and boundaries.precision > 0.9, boundaries
