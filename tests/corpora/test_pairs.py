"""Parallel sentences: every form they come in, and token ids against the Hugging Face tokenizer."""

import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from msm.corpora import pairs
from msm.corpora.bitext import TranslationPair, read_pairs
from msm.corpora.documents import read
from msm.corpora.pair_shards import read_pair_shards
from msm.corpora.settings import Parallel
from msm.errors import BadInput

DOCUMENTS = [
    {"document_id": "a", "language": "de", "sentences": ["eins", "zwei"]},
    {"document_id": "a", "language": "en", "sentences": ["one", "two"]},
    {"document_id": "b", "language": "en", "sentences": ["three", "four"]},
    {"document_id": "b", "language": "fr", "sentences": ["trois"]},
    {"document_id": "c", "language": "fr", "sentences": ["cinq", "six"]},
]
QUESTIONS = [
    {"language": "ja", "text": "何?", "english": "What?"},
    {"language": "de", "text": "Wer? ", "english": "Who?"},
]


def write_lines(path: Path, rows: list[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_sentence_belongs_to_sentence_in_documents_of_equal_length(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "documents.jsonl", DOCUMENTS)
    assert list(read_pairs(path, "en")) == [TranslationPair("de", "one", "eins"), TranslationPair("de", "two", "zwei")]
    assert list(read_pairs(path, "de")) == [TranslationPair("en", "eins", "one"), TranslationPair("en", "zwei", "two")]


def test_questions_with_their_english(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "questions.jsonl", QUESTIONS)
    assert list(read_pairs(path, "en")) == [
        TranslationPair("ja", "What?", "何?"),
        TranslationPair("de", "Who?", "Wer?"),
    ]
    assert list(read_pairs(path, "de")) == [TranslationPair("en", "Wer?", "Who?")]


def test_aligned_lines(tmp_path: Path) -> None:
    texts = {"en.txt": "one\n\ntwo\n", "de.txt": "eins\nleer\nzwei\n", "TED.en-fr.en": "six\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    with gzip.open(tmp_path / "TED.en-fr.fr.gz", "wt") as file:
        file.write("six, en français\n")
    expected = {
        TranslationPair("de", "one", "eins"),
        TranslationPair("de", "two", "zwei"),
        TranslationPair("fr", "six", "six, en français"),
    }
    assert set(read_pairs(tmp_path, "en")) == expected


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"en.txt": "one\n", "de.txt": "eins\nzwei\n"}, r"de\.txt: not aligned with en\.txt"),
        ({"de.txt": "eins\n"}, r"neither LANG\.txt nor NAME\.A-B\.A with en"),
    ],
)
def test_lines_that_are_not_aligned(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        list(read_pairs(tmp_path, "en"))


def test_malformed_lines_are_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "questions.jsonl", [*QUESTIONS, {"language": "de", "text": " ", "english": "x"}])
    with pytest.raises(BadInput, match=r"questions\.jsonl:3: expected texts"):
        list(read_pairs(path, "en"))
    rows = [{"document_id": "a", "language": "en", "paragraphs": ["One. Two."]}]
    with pytest.raises(BadInput, match=r"paragraphs are not aligned"):
        list(read_pairs(write_lines(tmp_path / "paragraphs.jsonl", rows), "en"))


@pytest.fixture(scope="module")
def folder(sources: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pairs")
    settings = Parallel(collections="documents/constructed.jsonl.gz", pivot="qaa", languages="all", sentence_tokens=12)
    pairs.run(settings, sources=sources, tokenizer=encoder, out=out)
    return out


def test_ids_are_those_of_the_tokenizer(sources: Path, encoder: Path, folder: Path) -> None:
    texts = {
        (source.language, source.document_id): source.texts
        for source in read(sources / "documents" / "constructed.jsonl.gz")
    }
    expected = {
        (language, one, other)
        for (language, document), others in texts.items()
        if language != "qaa"
        for one, other in zip(texts["qaa", document], others, strict=True)
    }
    shards, tokenizer = read_pair_shards(folder), AutoTokenizer.from_pretrained(encoder)
    for language in ("qab", "qac"):
        sentences = sorted((one, other) for name, one, other in expected if name == language)
        ids = [[tokenizer(text, truncation=True, max_length=12)["input_ids"] for text in pair] for pair in sentences]
        pairs = [
            [shards.sentences["qaa"][one].tolist(), shards.sentences[language][other].tolist()]
            for one, other in shards.pairs[language]
        ]
        assert sorted(pairs) == sorted(ids)
    assert len(shards.sentences["qaa"].starts) - 1 == len({one for _, one, _ in expected})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("qab.sentences", "positions must go from 0 to "),
        ("qab.pairs", "sentence of qaa 1000000; there are "),
        ("qab.tokens", "token id in sentence 0: 60000; there are "),
    ],
)
def test_numbers_that_lead_outside_are_refused(folder: Path, tmp_path: Path, name: str, message: str) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    array = np.load(tmp_path / f"{name}.npy")
    array.flat[0] = 60_000 if array.dtype == np.uint16 else 1_000_000
    np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(BadInput, match=rf"{name}\.npy: {message}"):
        read_pair_shards(tmp_path).sentences["qab"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"languages": "qab, xx"}, "nothing parallel to qaa in xx"),
        ({"pivot": "xx"}, "nothing parallel to xx"),
        ({"collections": "nothing.jsonl"}, "nothing.jsonl: no such file"),
    ],
)
def test_what_is_not_there(sources: Path, encoder: Path, tmp_path: Path, change: dict[str, str], message: str) -> None:
    values = {"collections": "documents/constructed.jsonl.gz", "pivot": "qaa", "languages": "all"} | change
    with pytest.raises(BadInput, match=message):
        pairs.run(
            Parallel(**values, sentence_tokens=12),
            sources=sources,
            tokenizer=encoder,
            out=tmp_path,
        )


def test_real_questions_and_documents(mirror: Path, encoder: Path, tmp_path: Path) -> None:
    collections = "documents/tico19.jsonl.gz, parallel/xor_questions.jsonl.gz"
    facts = pairs.run(
        Parallel(collections=collections, pivot="en", languages="fi, sw", sentence_tokens=200),
        sources=mirror,
        tokenizer=encoder,
        out=tmp_path,
    )
    with gzip.open(mirror / "parallel" / "xor_questions.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    finnish = {(row["english"].strip(), row["text"].strip()) for row in rows if row["language"] == "fi"}
    assert facts["pairs"]["fi"] == len(finnish)
    documents = {
        (source.language, source.document_id): source.texts for source in read(mirror / "documents/tico19.jsonl.gz")
    }
    swahili = {
        (one.strip(), other.strip())
        for (language, document), texts in documents.items()
        if language == "sw"
        for one, other in zip(documents["en", document], texts, strict=True)
    }
    # The constructed languages' vocabulary has no piece for some sentences of marks only; none of these is one.
    assert facts["pairs"]["sw"] == len(swahili) > 2000
