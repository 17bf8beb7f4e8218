"""Documents and a tokenizer small enough to make for one session of tests."""

import json
import random
from pathlib import Path

import pytest

from msm.corpora import tokenizer
from msm.execution import Execution
from msm.settings import Tokenizer

SYLLABLES = {
    "aa": "ka te mi lo su ra ne po vi du",
    "bb": "щи бо га жу ре ло ми та ны ко",
    "cc": "山 川 木 火 水 土 日 月 人 口",
}


def invented_documents(language: str, documents: int, sentences: int) -> list[dict[str, object]]:
    """Documents of about so many sentences; a few sentences are long."""
    chance = random.Random(f"{language} {documents}")
    syllables = SYLLABLES[language].split()

    def sentence() -> str:
        words = chance.choice([3, 5, 8, 8, 13, 60])
        return " ".join("".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(words)) + "."

    return [
        {
            "language": language,
            "document_id": f"{language}-{number}",
            "sentences": [sentence() for _ in range(chance.randint(2, 2 * sentences))],
        }
        for number in range(documents)
    ]


def write_documents(folder: Path, documents: list[dict[str, object]]) -> None:
    """One file a language, as the stage `documents` writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in {str(document["language"]) for document in documents}:
        rows = [document for document in documents if document["language"] == language]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{language}.jsonl").write_text(text, encoding="utf-8")


def train_tokenizer(documents: Path, out: Path, pieces: int) -> Path:
    """The folder of a tokenizer trained on documents."""
    out.mkdir(parents=True)
    settings = Tokenizer(name="trained", pieces=pieces, character_coverage=0.9995, language_sentences=10_000)
    tokenizer.run(settings, documents=documents, out=out, execution=Execution(work=out))
    return out


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty documents in each of three languages."""
    folder = tmp_path_factory.mktemp("invented")
    write_documents(folder, [row for language in SYLLABLES for row in invented_documents(language, 40, 15)])
    return folder


@pytest.fixture(scope="session")
def invented_tokenizer(invented: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer trained on `invented`."""
    return train_tokenizer(invented, tmp_path_factory.mktemp("tokenizer") / "tokenizer", 300)


@pytest.fixture(scope="session")
def public(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NTREX in six languages of as many scripts."""
    from msm.corpora.documents import run
    from msm.settings import Documents

    folder = tmp_path_factory.mktemp("public")
    settings = Documents("documents/ntrex128.jsonl.gz", "en, my, bn, th, zh, ar", "all", 0.0, 1)
    run(settings, sources=mirror, out=folder, execution=Execution(work=folder))
    return folder


@pytest.fixture(scope="session")
def public_tokenizer(public: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer trained on `public`."""
    return train_tokenizer(public, tmp_path_factory.mktemp("tokenizer") / "tokenizer", 6000)
