"""Documents and a tokenizer small enough to make for one session of tests."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from msm.corpora import documents, tokenizer
from msm.corpora.settings import Documents, Tokenizer
from msm.execution import Execution

SYLLABLES = {
    "aa": "ka te mi lo su ra ne po vi du",
    "bb": "კა თე მი ლო სუ რა ნე პო ვი დუ",
    "cc": "山 川 木 火 水 土 日 月 人 口",
}


Rows = list[dict[str, object]]


def invented_documents(language: str, count: int) -> Rows:
    """Documents of 2 to 30 sentences; a few sentences are long."""
    chance = random.Random(language)
    syllables = SYLLABLES[language].split()

    def sentence() -> str:
        words = chance.choice([3, 5, 8, 8, 13, 60])
        return " ".join("".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(words)) + "."

    return [
        {
            "language": language,
            "document_id": f"{language}-{number}",
            "sentences": [sentence() for _ in range(chance.randint(2, 30))],
        }
        for number in range(count)
    ]


def _write(folder: Path, rows: Rows) -> None:
    """One file a language, as the stage `documents` writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in {str(row["language"]) for row in rows}:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows if row["language"] == language]
        text = "".join(f"{line}\n" for line in lines)
        (folder / f"{language}.jsonl").write_text(text, encoding="utf-8")


def train_tokenizer(documents: Path, out: Path, *, pieces: int, language_sentences: int) -> Path:
    """The folder of a tokenizer trained on documents."""
    out.mkdir(parents=True)
    settings = Tokenizer(
        name="trained", pieces=pieces, character_coverage=0.9995, language_sentences=language_sentences
    )
    tokenizer.run(settings, documents=documents, out=out, execution=Execution(work=out))
    return out


@pytest.fixture(scope="session")
def write_documents() -> Callable[[Path, Rows], None]:
    """Writes documents as the stage `documents` does."""
    return _write


@pytest.fixture(scope="session")
def documents_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty documents in each of three languages."""
    folder = tmp_path_factory.mktemp("invented")
    _write(folder, [row for language in SYLLABLES for row in invented_documents(language, 40)])
    return folder


@pytest.fixture(scope="session")
def invented_tokenizer(documents_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer trained on `documents_folder`."""
    return train_tokenizer(
        documents_folder, tmp_path_factory.mktemp("tokenizer") / "tokenizer", pieces=300, language_sentences=10_000
    )


@pytest.fixture(scope="session")
def public(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NTREX in six languages of as many scripts."""
    folder = tmp_path_factory.mktemp("public")
    settings = Documents(
        collections="documents/ntrex128.jsonl.gz",
        languages="en, my, bn, th, zh, ar",
        document_overlap="all",
        reorder=0.0,
        seed=1,
    )
    documents.run(settings, sources=mirror, out=folder)
    return folder


@pytest.fixture(scope="session")
def public_tokenizer(public: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer trained on `public`."""
    return train_tokenizer(
        public, tmp_path_factory.mktemp("tokenizer") / "tokenizer", pieces=4000, language_sentences=500
    )
