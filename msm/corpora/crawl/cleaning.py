"""The steps from files to clean documents. Each function does one unit of work and returns its counts."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document

from msm.corpora.crawl.extraction import extract
from msm.corpora.crawl.identification import SHIPPED, identifier, verdict
from msm.corpora.crawl.near_duplicates import Signatures, group, match_band, removed
from msm.corpora.crawl.normal import paragraph_hashes, paragraphs_of
from msm.corpora.crawl.paragraphs import read_duplicates, write_duplicates, write_hashes
from msm.corpora.crawl.quality import problem
from msm.corpora.crawl.state import CrawlState, Drops
from msm.corpora.languages import languages
from msm.corpora.sentences import split
from msm.files import new_file
from msm.settings import listed

FEWEST_SENTENCES = 2
"""Smallest number of sentences of a document; with fewer a sentence has no neighbour to be predicted from."""


def read(state: CrawlState, part: int) -> dict[str, Any]:
    """Read files into documents of paragraphs, and write the hashes of the paragraphs."""
    drops, counts = Drops(), Counter[str]()
    hashes: list[np.ndarray] = []

    def rows() -> Iterator[dict[str, Any]]:
        for document in _documents(state, part, drops, counts):
            language = str(document.metadata["language"])
            paragraphs = paragraphs_of(document.text)
            if not paragraphs:
                drops.add("empty", language)
                continue
            counts["documents"] += 1
            counts["bytes"] += sum(len(paragraph.encode()) + 1 for paragraph in paragraphs)
            hashes.append(paragraph_hashes(paragraphs))
            yield {"id": document.id, "language": language, "paragraphs": paragraphs}

    state.write_rows("read", part, rows())
    all_hashes = np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)
    write_hashes(_hashes(state, part), all_hashes)
    return {**counts, "paragraphs": len(all_hashes), "dropped": drops.as_json()}


def _documents(state: CrawlState, part: int, drops: Drops, counts: Counter[str]) -> Iterator[Document]:
    for number, name in state.parts[part]:
        reader = state.reader(number)
        problems = Counter[str]()
        documents = reader.read_file(name)
        if reader.source.format == "warc":
            documents = extract(documents, state.recipe.corpus.extract_seconds, problems)
        yield from documents
        for reason, count in (problems + reader.problems).items():
            drops.add(reason, reader.source.language, count)
        counts["input_bytes"] += reader.data_folder.size(name) or 0


def duplicates(state: CrawlState, bucket: int) -> dict[str, Any]:
    """Find the paragraphs with hashes in a range that an equal paragraph precedes."""
    paths = [_hashes(state, part) for part in range(len(state.parts))]
    count = write_duplicates(state.work / "duplicates", paths, bucket, state.recipe.corpus.hash_buckets)
    return {"paragraphs": count}


def clean(state: CrawlState, part: int) -> dict[str, Any]:
    """Keep documents of wanted languages and quality, without duplicate paragraphs, and write their signatures."""
    settings, drops = state.recipe.corpus, Drops()
    flags = _flags(state, part)
    rows: list[dict[str, Any]] = []
    place = 0
    for row in state.rows("read", part):
        paragraphs = row["paragraphs"]
        again = flags[place : place + len(paragraphs)]
        place += len(paragraphs)
        row["paragraphs"] = [text for text, drop in zip(paragraphs, again, strict=True) if not drop]
        language, reason = _judge(state, row)
        if again.any():
            drops.add("duplicate_paragraphs", language, int(again.sum()))
        if reason:
            drops.add(reason, language)
        else:
            rows.append({**row, "language": language})
    state.write_rows("clean", part, rows)
    if settings.near_duplicates == "drop":
        texts = (Document(text="\n".join(row["paragraphs"]), id=row["id"]) for row in rows)
        Signatures(state.work / "signatures", settings).run(texts, part, len(state.parts))
    return {"documents": len(rows), "dropped": drops.as_json()}


def _flags(state: CrawlState, part: int) -> np.ndarray:
    paragraphs = np.load(_hashes(state, part), mmap_mode="r").shape[1]
    if state.recipe.corpus.paragraph_duplicates == "keep":
        return np.zeros(paragraphs, bool)
    return read_duplicates(state.work / "duplicates", part, state.recipe.corpus.hash_buckets, paragraphs)


def _judge(state: CrawlState, row: dict[str, Any]) -> tuple[str, str]:
    """Language of a document, and the reason to drop it; an empty reason keeps it."""
    settings, paragraphs = state.recipe.corpus, row["paragraphs"]
    if not paragraphs:
        return row["language"], "duplicate"
    text = "\n".join(paragraphs)[: settings.identify_characters]
    guess = identifier(settings.identifier)(text)
    is_shipped = settings.identifier == SHIPPED
    language, reason = verdict(row["language"], guess, settings.identify_score, is_shipped)
    codes = languages() if settings.languages == "all" else listed(settings.languages)
    if not reason and language not in codes:
        reason = "other_language"
    limits = state.recipe.limits(language)
    return language, reason or problem(paragraphs, language, limits, settings.perplexity_models)


def match(state: CrawlState, band: int) -> dict[str, Any]:
    """Find the pairs of documents that agree in a band of MinHash."""
    match_band(state.work / "signatures", state.work / "matches", state.recipe.corpus, band)
    return {}


def choose(state: CrawlState, _: int) -> dict[str, Any]:
    """Choose which of the documents that are nearly the same to keep."""
    if state.recipe.corpus.near_duplicates == "drop":
        group(state.work / "matches", state.work / "groups", state.recipe.corpus)
    return {}


def sentences(state: CrawlState, part: int) -> dict[str, Any]:
    """Split documents into sentences, and write them to one file, language after language."""
    drops = Drops()
    remove = removed(state.work / "groups", part) if state.recipe.corpus.near_duplicates == "drop" else set()
    lines: dict[str, list[bytes]] = {}
    for number, row in enumerate(state.rows("clean", part)):
        language = row["language"]
        texts = [sentence for paragraph in row["paragraphs"] for sentence in split(paragraph, language)]
        if number in remove:
            drops.add("near_duplicate", language)
        elif len(texts) < FEWEST_SENTENCES:
            drops.add("one_sentence", language)
        else:
            document = {"language": language, "document_id": row["id"], "sentences": texts}
            lines.setdefault(language, []).append(json.dumps(document, ensure_ascii=False).encode() + b"\n")
    index, start = {}, 0
    with new_file(part_documents(state, part), "wb") as file:
        for language in sorted(lines):
            file.writelines(lines[language])
            size = sum(map(len, lines[language]))
            index[language] = {"start": start, "bytes": size, "documents": len(lines[language])}
            start += size
    return {"languages": index, "bytes": start, "dropped": drops.as_json()}


def part_documents(state: CrawlState, part: int) -> Path:
    """Return the path of the documents that `sentences` writes."""
    return state.work / "sentences" / f"{part:06d}.jsonl"


def _hashes(state: CrawlState, part: int) -> Path:
    return state.work / "hashes" / f"{part:06d}.npy"
