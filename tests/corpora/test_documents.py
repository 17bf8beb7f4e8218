import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from msm.corpora import documents
from msm.corpora.settings import Documents
from msm.errors import BadInput


def record(document_id: str, language: str, **texts: Any) -> dict[str, Any]:
    return {"document_id": document_id, "language": language, **texts}


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def run(sources: Path, **changes: Any) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Facts of the stage, and the documents it wrote by language."""
    out = sources.parent / f"out{len(list(sources.parent.glob('out*')))}"
    out.mkdir()
    values = {"collections": "c.jsonl", "languages": "all", "document_overlap": "all", "reorder": 0.0, "seed": 1}
    facts = documents.run(Documents(**{**values, **changes}), sources=sources, out=out)
    return facts, {path.stem: [json.loads(line) for line in path.open()] for path in sorted(out.glob("*.jsonl"))}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    return tmp_path / "sources"


@pytest.fixture
def parallel(sources: Path) -> Path:
    """Forty documents of twelve sentences in three languages."""
    sentences = {language: [f"{language} {i}." for i in range(12)] for language in ("aa", "bb", "cc")}
    write_lines(
        sources / "c.jsonl",
        [record(f"d{n}", language, sentences=sentences[language]) for n in range(40) for language in sentences],
    )
    return sources


def test_sentences_are_kept_and_paragraphs_are_split(sources: Path) -> None:
    write_lines(
        sources / "c.jsonl",
        [
            record("one", "en", sentences=["A first. Not split.", "A second."]),
            record("two", "en", paragraphs=["Here it is. And\nhere.", "The end."]),
        ],
    )
    facts, documents = run(sources)
    assert documents == {
        "en": [
            record("one", "en", sentences=["A first. Not split.", "A second."]),
            record("two", "en", sentences=["Here it is.", "And here.", "The end."]),
        ]
    }
    assert facts == {"documents": {"en": 2}, "sentences": {"en": 5}, "reordered": {"en": 0}}


def test_folder_of_texts_and_compressed_lines(sources: Path) -> None:
    for language, text in {"de": "Ein Satz. Noch\nein Satz.\n \nAbsatz.", "el": "Μία. Δύο."}.items():
        (sources / "mine" / language).mkdir(parents=True)
        (sources / "mine" / language / "letter.txt").write_text(text, encoding="utf-8")
    with gzip.open(sources / "mine" / "more.jsonl.gz", "wt") as file:
        file.write(json.dumps(record("x", "de", sentences=["a", "b"])) + "\n")
    _, documents = run(sources, collections="mine")
    assert documents == {
        "de": [
            record("x", "de", sentences=["a", "b"]),
            record("letter", "de", sentences=["Ein Satz.", "Noch ein Satz.", "Absatz."]),
        ],
        "el": [record("letter", "el", sentences=["Μία.", "Δύο."])],
    }


def test_only_listed_languages_are_kept(parallel: Path) -> None:
    facts, documents = run(parallel, languages="cc, aa")
    assert set(documents) == {"aa", "cc"}
    assert facts["documents"] == {"cc": 40, "aa": 40}


def test_disjoint_keeps_each_document_in_one_language_and_languages_even(parallel: Path) -> None:
    _, documents = run(parallel, document_overlap="disjoint")
    ids = [row["document_id"] for rows in documents.values() for row in rows]
    assert sorted(ids) == sorted(f"d{n}" for n in range(40))
    assert sorted(len(rows) for rows in documents.values()) == [13, 13, 14]
    assert documents == run(parallel, document_overlap="disjoint")[1]
    assert documents != run(parallel, document_overlap="disjoint", seed=2)[1]


def test_reorder_shuffles_the_same_documents_in_all_languages_but_the_first(parallel: Path) -> None:
    straight = run(parallel)[1]
    facts, documents = run(parallel, reorder=0.5)
    ids = {
        language: {new["document_id"] for new, old in zip(rows, straight[language], strict=True) if new != old}
        for language, rows in documents.items()
    }
    assert ids["aa"] == set()
    assert ids["bb"] == ids["cc"]
    assert 10 < len(ids["bb"]) < 30
    assert facts["reordered"] == {"aa": 0, "bb": len(ids["bb"]), "cc": len(ids["cc"])}
    for language, rows in documents.items():
        for new, old in zip(rows, straight[language], strict=True):
            assert sorted(new["sentences"]) == sorted(old["sentences"])
    assert documents == run(parallel, reorder=0.5)[1]


def test_a_share_keeps_the_same_documents_in_all_languages_and_is_part_of_a_larger_one(parallel: Path) -> None:
    shares = []
    for share in (0.2, 0.5, 1.0):
        _, documents_of_share = run(parallel, share=share)
        ids = [[document["document_id"] for document in documents] for documents in documents_of_share.values()]
        assert all(others == ids[0] for others in ids)
        shares.append(set(ids[0]))
    assert shares[0] < shares[1] < shares[2]
    assert 2 <= len(shares[0]) <= 16 and 12 <= len(shares[1]) <= 28 and len(shares[2]) == 40
    with pytest.raises(BadInput, match=r"share: 0\.0 leaves no document to aa, bb, cc"):
        run(parallel, share=0.0)


def test_reorder_of_all_spares_the_first_listed_language(parallel: Path) -> None:
    facts, _ = run(parallel, reorder=1.0, languages="bb, aa, cc")
    assert facts["reordered"] == {"bb": 0, "aa": 40, "cc": 40}


GOOD = json.dumps(record("d", "en", sentences=["a", "b"]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"document_id": ', "not JSON: Expecting value"),
        ("[]", "expected a JSON object"),
        (json.dumps({"language": "en", "sentences": ["a", "b"]}), "document_id must be a text .* got None"),
        (json.dumps(record("e", "", sentences=["a", "b"])), "language must be a text"),
        (json.dumps(record("e", "../x", sentences=["a", "b"])), "language must be a code .* got '../x'"),
        (json.dumps(record("e", "en")), "needs either sentences or paragraphs, has neither"),
        (json.dumps(record("e", "en", sentences=[], paragraphs=[])), "needs either .*, has sentences and paragraphs"),
        (json.dumps(record("e", "en", sentences="a. b.")), "sentences must be a list of texts, got 'a. b.'"),
        (
            json.dumps(record("e", "en", sentences=["a", " "])),
            "number 2 of the sentences must be .* not blank, got ' '",
        ),
        (json.dumps(record("e", "en", sentences=["a", 5])), "number 2 of the sentences .* got 5"),
        (json.dumps(record("e", "en", sentences=["a", "\ud800"])), "a text holds half a character"),
        (json.dumps(record("e", "en", sentences=["a"])), r"document 'e' has 1 sentence\(s\), needs 2 at least"),
        (json.dumps(record("e", "en", paragraphs=["One sentence only."])), r"document 'e' has 1 sentence"),
        (json.dumps(record("e", "en", sentences=[])), r"document 'e' has 0 sentence"),
        (GOOD, "document 'd' comes twice in en"),
    ],
)
def test_bad_line_is_named(sources: Path, line: str, message: str) -> None:
    sources.mkdir()
    (sources / "c.jsonl").write_text(f"{GOOD}\n\n{line}\n")
    with pytest.raises(BadInput, match=rf"c\.jsonl:3: {message}") as error:
        run(sources)
    assert "\n" not in str(error.value)


def test_missing_and_empty_collections_are_named(sources: Path) -> None:
    (sources / "empty").mkdir(parents=True)
    (sources / "empty.jsonl").write_text("\n")
    for name, message in {
        "none.jsonl": r"none\.jsonl: no such file",
        "empty": "empty: holds neither LANGUAGE",
        "empty.jsonl": r"empty\.jsonl: holds no document",
        "../empty": r"\.\./empty: not below",
        "/etc": "/etc: not below",
    }.items():
        with pytest.raises(BadInput, match=message):
            run(sources, collections=name)


def test_text_with_one_sentence_or_no_unicode_is_named(sources: Path) -> None:
    path = sources / "mine" / "en" / "a.txt"
    path.parent.mkdir(parents=True)
    for content, message in {
        b"One.": r"en/a\.txt: document 'a' has 1 sentence",
        b"\xff": r"en/a\.txt: 'utf-8'",
    }.items():
        path.write_bytes(content)
        with pytest.raises(BadInput, match=message):
            run(sources, collections="mine")


def test_unknown_language_and_too_few_documents(parallel: Path) -> None:
    with pytest.raises(BadInput, match="languages: no document in dd, ee; there are aa, bb, cc"):
        run(parallel, languages="aa,dd,ee")
    write_lines(parallel / "c.jsonl", [record("d", language, sentences=["a", "b"]) for language in ("aa", "bb")])
    with pytest.raises(BadInput, match="disjoint leaves no document to bb"):
        run(parallel, document_overlap="disjoint")


def test_public_collections_have_the_published_counts(mirror: Path, tmp_path: Path) -> None:
    facts, _ = run_public(mirror, tmp_path, "documents/ntrex128.jsonl.gz, documents/tico19.jsonl.gz")
    assert facts["documents"] == {"en": 123 + 30, "zh": 123 + 30}
    assert facts["sentences"] == {"en": 1997 + 2930, "zh": 1997 + 2930}


def test_public_paragraphs_become_sentences(mirror: Path, tmp_path: Path) -> None:
    facts, documents = run_public(mirror, tmp_path, "documents/opensource_guide.jsonl.gz")
    assert facts["documents"]["en"] == 13
    paragraphs = [row for row in _lines(mirror / "documents" / "opensource_guide.jsonl.gz") if row["language"] == "zh"]
    for row, original in zip(documents["zh"], paragraphs, strict=True):
        text = "".join("".join(original["paragraphs"]).split())
        assert "".join("".join(row["sentences"]).split()) == text


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def run_public(mirror: Path, folder: Path, collections: str) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    (folder / "sources").symlink_to(mirror)
    return run(folder / "sources", collections=collections, languages="en, zh")
