"""Crawled files with faults planted in, and shards made of them."""

import gzip
import json
from pathlib import Path

import pytest

from msm.bench.crawl_files import PlantedFiles, pages_of, write_files
from tests.corpora.crawl.made import WANTED, corpus, crawl_inputs, write_recipe


@pytest.fixture(scope="session")
def crawl(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PlantedFiles]:
    """Files made of public news: 12 documents in each of six languages, and faults."""
    sentences: dict[str, list[list[str]]] = {}
    with gzip.open(mirror / "documents" / "ntrex128.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if len(row["sentences"]) >= 10:
                sentences.setdefault(row["language"], []).append(row["sentences"][:16])
    # Not the same documents in every language, and languages in turn.
    texts = [
        (language, sentences[language][6 * place + turn]) for place in range(12) for turn, language in enumerate(WANTED)
    ]
    strangers = [(language, sentences[language][-1]) for language in ("fi", "sw", "ta")]
    folder = tmp_path_factory.mktemp("crawl")
    return folder, write_files(folder, pages_of(texts), pages_of(strangers), seed=1)


@pytest.fixture(scope="session")
def wet(crawl: tuple[Path, PlantedFiles], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of the WET files only: no text extraction, so quick."""
    return write_recipe(tmp_path_factory.mktemp("wet") / "recipe.yaml", crawl_inputs(crawl[0])[1:])


@pytest.fixture(scope="session")
def tokenizer(public_tokenizer: Path) -> str:
    return str(public_tokenizer)


@pytest.fixture(scope="session")
def one_task(wet: Path, tokenizer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards made by one task."""
    folder = tmp_path_factory.mktemp("one")
    corpus(wet, folder / "out", folder / "work", "--tokenizer", tokenizer)
    return folder / "out"
