"""Corpora made by the command, and what came out."""

import argparse
import hashlib
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from msm.bench.crawl_files import Page
from msm.cli.corpus import add_arguments, main
from msm.corpora.documents import read_documents
from msm.files import read_json

WANTED = ("ar", "de", "en", "hi", "ru", "zh")
RECIPE = Path(__file__).parents[3] / "recipes" / "corpus" / "common_crawl.yaml"


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


def run(recipe: Path, out: str, work: Path, *words: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    main(parser.parse_args([str(recipe), "--out", out, "--work", str(work), "--workers", "1", *words]))


def corpus(recipe: Path, out: Path, work: Path, *words: str) -> dict[str, Any]:
    """The manifest of what the command made."""
    run(recipe, str(out), work, *words)
    return read_json(out / ("shards.json" if "--tokenizer" in words else "documents.json"))


def texts(out: Path) -> Counter[tuple[str, str]]:
    """Language and text without blanks of every document that came out."""
    documents = (document for path in out.glob("*.jsonl") for document in read_documents(path))
    return Counter((row.language, "".join("".join(row.sentences).split())) for row in documents)


def expected(pages: list[Page]) -> Counter[tuple[str, str]]:
    """In the form that reading gives texts: NFC."""
    texts = ((page.language, unicodedata.normalize("NFC", "".join(page.paragraphs))) for page in pages)
    return Counter((language, "".join(text.split())) for language, text in texts)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("shards.json", "documents.json")
    }
