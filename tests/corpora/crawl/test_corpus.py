"""The whole road: files with faults planted in, documents and shards out."""

import argparse
import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from msm.artifacts import read_json
from msm.bench.crawl_files import Page, Planted, pages_of, write_files
from msm.corpora.corpus_command import add_arguments, main
from msm.corpora.documents import read_documents

WANTED = ("ar", "de", "en", "hi", "ru", "zh")
RECIPE = Path(__file__).parents[3] / "recipes" / "corpus" / "common_crawl.yaml"


@pytest.fixture(scope="session")
def crawl(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    """Files made of public news: 12 documents in each of six languages, and faults."""
    found: dict[str, list[list[str]]] = {}
    with gzip.open(mirror / "documents" / "ntrex128.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if len(row["sentences"]) >= 10:
                found.setdefault(row["language"], []).append(row["sentences"][:16])
    # Not the same documents in every language, and languages in turn.
    texts = [
        (language, found[language][6 * place + turn]) for place in range(12) for turn, language in enumerate(WANTED)
    ]
    strangers = [(language, found[language][-1]) for language in ("fi", "sw", "ta")]
    folder = tmp_path_factory.mktemp("crawl")
    return folder, write_files(folder, pages_of(texts), pages_of(strangers), seed=1)


def write_recipe(path: Path, inputs: list[dict[str, Any]], **changes: Any) -> Path:
    values = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    values["inputs"] = inputs
    values["corpus"] |= {"languages": ", ".join(WANTED), "hash_buckets": 3, "min_units": 2, "shard_bytes": 20_000}
    values["corpus"] |= changes
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def crawl_inputs(folder: Path) -> list[dict[str, Any]]:
    return [
        {"address": str(folder), "files": "warc/*.gz", "format": "warc", "language": ""},
        {"address": str(folder), "files": "wet/*.gz", "format": "wet", "language": ""},
    ]


def corpus(recipe: Path, out: Path, work: Path, *words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    main(parser.parse_args([str(recipe), "--out", str(out), "--work", str(work), "--workers", "1", *words]))
    return read_json(out / "shards.json")


def texts(out: Path) -> Counter[tuple[str, str]]:
    """Language and text without blanks of every document that came out."""
    documents = (document for path in out.glob("*.jsonl") for document in read_documents(path))
    return Counter((row.language, "".join("".join(row.sentences).split())) for row in documents)


def expected(pages: list[Page]) -> Counter[tuple[str, str]]:
    return Counter((page.language, "".join("".join(page.paragraphs).split())) for page in pages)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "shards.json"
    }


@pytest.fixture(scope="session")
def made(crawl: tuple[Path, Planted], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Recipe, documents and manifest of one task."""
    folder = tmp_path_factory.mktemp("made")
    recipe = write_recipe(folder / "recipe.yaml", crawl_inputs(crawl[0]))
    return recipe, folder / "out", corpus(recipe, folder / "out", folder / "work")


def test_what_comes_out_is_what_went_in_less_what_was_planted(
    crawl: tuple[Path, Planted], made: tuple[Path, Path, dict[str, Any]]
) -> None:
    planted, (_, out, manifest) = crawl[1], made
    assert texts(out) == expected(planted.originals)
    dropped = {reason: sum(languages.values()) for reason, languages in manifest["dropped"].items()}
    faults = planted.faults
    assert dropped.pop("no_text") + dropped.pop("empty") == faults["empty"]
    assert dropped.pop("duplicate_paragraphs") >= faults["boilerplate"]
    assert dropped == {
        "broken_record": faults["broken_member"] + faults["broken_length"],
        "duplicate": faults["duplicate"],
        "near_duplicate": faults["near_duplicate"],
        "other_language": faults["other_language"],
    }
    assert manifest["dropped"]["other_language"] == {"fi": 1, "sw": 1, "ta": 1}
