"""Language codes in one form, in documents and collections alike; text that nobody sees is no sentence."""

from pathlib import Path

import pytest

from msm.collections.records import Document
from msm.corpora.codes import canonical
from msm.corpora.documents import chosen_languages, read, to_document


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("iw", "he"), ("he", "he"), ("pt-br", "pt-BR"), ("pt_BR", "pt-BR"), ("deu", "de"), ("ger", "de"), ("swh", "sw"),
        ("zh-hans", "zh-Hans"), ("eng_Latn", "en-Latn"), ("ceb", "ceb"), ("qaa", "qaa"), ("EN", "en"), ("no", "no"),
        ("nb", "nb"), ("tl", "tl"), ("sr-latn-rs", "sr-Latn-RS"),
    ],
)  # fmt: skip
def test_canonical_codes(code: str, expected: str) -> None:
    assert canonical(code) == expected
    assert canonical(expected) == expected


def test_two_spellings_of_a_language_are_one_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for folder, name in (("iw", "1"), ("he", "2"), ("pt-br", "3"), ("pt-BR", "4")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.txt").write_text("Um texto. Dois textos.")
    documents = [(source.language, source.document_id) for source in read(tmp_path)]
    assert sorted(documents) == [("he", "1"), ("he", "2"), ("pt-BR", "3"), ("pt-BR", "4")]
    assert "language iw is read as he" in caplog.text and "language pt-br is read as pt-BR" in caplog.text
    assert chosen_languages("iw,pt_br", {"he", "pt-BR"}) == ["he", "pt-BR"]


def documents(folder: Path) -> list[Document]:
    return [to_document(source) for source in read(folder)]


def test_sentences_of_characters_that_are_not_seen_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "a.txt").write_text("One here. Two here.\n\n\u200b\n\n\u200e\u200f\n\n\ufeff\n\nThree here.\n")
    (tmp_path / "ar").mkdir()
    (tmp_path / "ar" / "a.txt").write_text("\u200fمن هنا؟\u200f أنا هنا.\u200f شكرا.\u200f")
    by_language = {document.language: document.sentences for document in documents(tmp_path)}
    assert by_language["en"] == ["One here.", "Two here.", "Three here."]
    assert len(by_language["ar"]) == 3
