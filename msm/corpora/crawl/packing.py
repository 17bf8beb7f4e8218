"""Packs clean documents to what training reads: shards of tokens, or files of documents.

A shard is a folder of token shards with one language (`msm.corpora.shards`) below `ADDRESS/LANGUAGE/NUMBER`. All
shards of a language hold about the same amount of text. Which documents a shard holds follows from their order alone.
"""

import dataclasses
import itertools
import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import fsspec

from msm.corpora.crawl.cleaning import part_documents
from msm.corpora.crawl.identification import facts as identifier_facts
from msm.corpora.crawl.state import CrawlState, total
from msm.corpora.documents import read_documents
from msm.corpora.languages import say_fallbacks
from msm.corpora.settings import Units
from msm.corpora.shard_manifest import FORMAT, MANIFEST, ShardFacts
from msm.corpora.shard_writer import ShardWriter, write_index
from msm.corpora.shards import Index, read_units
from msm.corpora.subwords import Layout, fastest_engine, pieces_checksum, read_layout, read_tokenizer
from msm.corpora.units import CHUNK_BYTES, SAMPLE, Chunk, Packer
from msm.errors import BadInput
from msm.files import new_file, read_json, sha256_of, write_json

SAMPLED_PARTS = 8
DOCUMENTS = "documents.json"
"""Name of the manifest where documents are written instead of shards."""


class Range(NamedTuple):
    """Whole lines of a part's documents, as offsets in bytes."""

    part: int
    start: int
    stop: int


def plan(state: CrawlState, _: int) -> dict[str, Any]:
    """Plan the shards: the language of each, its number, and the first and last byte of its text in the language."""
    sizes: dict[str, int] = {}
    for fact in state.facts("sentences"):
        for language, block in fact["languages"].items():
            sizes[language] = sizes.get(language, 0) + block["bytes"]
    if not sizes:
        raise BadInput("no document is left; see what was dropped in the work folder's clean/*.json")
    pieces = []
    for language, size in sorted(sizes.items()):
        count = max(1, round(size / state.recipe.corpus.shard_bytes)) if state.tokenizer else 1
        bounds = [size * number // count for number in range(count + 1)]
        pieces += [[language, n, start, stop] for n, (start, stop) in enumerate(itertools.pairwise(bounds))]
    engine = fastest_engine(Path(state.tokenizer), _sample(state)) if state.tokenizer else ""
    write_json(_plan_path(state), {"pieces": pieces, "engine": engine, "fallbacks": say_fallbacks(sizes)})
    return {"pieces": len(pieces)}


def _plan_path(state: CrawlState) -> Path:
    return state.work / state.packing / "plan" / "pieces.json"


def _sample(state: CrawlState) -> list[str]:
    """Sentences of every language from the first parts, on which the tokenizer's engines must agree."""
    sample: dict[str, list[str]] = {}
    for part in range(min(SAMPLED_PARTS, len(state.parts))):
        for document in read_documents(part_documents(state, part)):
            sentences = sample.setdefault(document.language, [])
            sentences += document.sentences[: SAMPLE - len(sentences)]
    each = SAMPLE // max(len(sample), 1) + 1
    return [sentence for sentences in sample.values() for sentence in sentences[:each]]


@lru_cache(maxsize=1)
def pieces(path: Path) -> list[tuple[str, int, int, int]]:
    """Read the pieces of a plan."""
    return [tuple(piece) for piece in read_json(path)["pieces"]]


def pieces_of(state: CrawlState) -> list[tuple[str, int, int, int]]:
    """Return language, number, first and last byte of everything that is to be written."""
    return pieces(_plan_path(state))


def ranges(state: CrawlState, language: str, start: int, stop: int) -> Iterator[Range]:
    """Yield the lines of a language that begin within a range of bytes of its text, part after part."""
    before = 0
    for part, fact in enumerate(_indexes(state)):
        block = fact.get(language)
        if block is None:
            continue
        first, last = max(start - before, 0), min(stop - before, block["bytes"])
        if first < last:
            path = part_documents(state, part)
            bounds = [_line_start(path, block["start"], block["start"] + place) for place in (first, last)]
            if bounds[0] < bounds[1]:
                yield Range(part, *bounds)
        before += block["bytes"]


def _indexes(state: CrawlState) -> list[dict[str, Any]]:
    return [fact["languages"] for fact in state.facts("sentences")]


def _line_start(path: Path, first: int, place: int) -> int:
    """Offset of the first line that begins at a given offset or after it."""
    if place == first:
        return place
    with path.open("rb") as file:
        file.seek(place - 1)
        file.readline()
        return file.tell()


def write(state: CrawlState, number: int) -> dict[str, Any]:
    """Write one shard, or the documents of one language."""
    language, piece, start, stop = pieces_of(state)[number]
    all_ranges = list(ranges(state, language, start, stop))
    if not state.tokenizer:
        return _write_documents(state, language, all_ranges)
    target = f"{language}/{piece:05d}"
    folder = state.work / state.packing / "building" / f"{number:06d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_shard(state, language, all_ranges, folder)
    facts = _shard_facts(folder, language, target, state.recipe.corpus.block_tokens)
    _deliver(folder, state.out, target)
    shutil.rmtree(folder)
    return dataclasses.asdict(facts)


def _write_documents(state: CrawlState, language: str, all_ranges: list[Range]) -> dict[str, Any]:
    documents = 0
    path = state.work / state.packing / "building" / f"{language}.jsonl"
    with new_file(path, "wb") as out:
        for part, start, stop in all_ranges:
            with part_documents(state, part).open("rb") as file:
                file.seek(start)
                while file.tell() < stop:
                    out.write(file.readline())
                    documents += 1
    facts = {"language": language, "documents": documents, "address": path.name, "sha256": sha256_of(path)}
    system, root = fsspec.core.url_to_fs(state.out)
    system.put_file(str(path), f"{root}/{path.name}")
    path.unlink()
    return facts


@lru_cache(maxsize=1)
def layout_of(tokenizer: Path) -> Layout:
    """The layout of a tokenizer; read once, for a task writes many shards."""
    return read_layout(tokenizer, read_tokenizer(tokenizer))


def _write_shard(state: CrawlState, language: str, all_ranges: list[Range], folder: Path) -> None:
    tokenizer, corpus = Path(state.tokenizer), state.recipe.corpus
    layout = layout_of(tokenizer)
    settings = Units(unit_tokens=corpus.unit_tokens, document_units=corpus.document_units, min_units=corpus.min_units)
    packer = Packer(settings, tokenizer, read_json(_plan_path(state))["engine"], layout)
    with ShardWriter(folder, language, layout.vocabulary) as writer:
        for part, start, stop in all_ranges:
            path = part_documents(state, part)
            while start < stop:
                end = _line_start(path, start, min(start + CHUNK_BYTES, stop))
                writer.append(*packer(Chunk(path, start, end)))
                start = end
    write_index(folder, Index(*layout, **dataclasses.asdict(settings), languages={language: writer.counts}))


def _shard_facts(folder: Path, language: str, address: str, block_tokens: int) -> ShardFacts:
    shard = read_units(folder)[language]
    files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    size = sum(path.stat().st_size for path in folder.iterdir())
    blocks = shard.blocks(block_tokens)
    return ShardFacts(
        language=language,
        address=address,
        files=files,
        size=size,
        **dataclasses.asdict(shard.index.languages[language]),
        run_tokens=shard.span_tokens(),
        blocks=len(blocks),
        block_tokens=blocks.token_count(),
    )


def _deliver(folder: Path, address: str, target: str) -> None:
    """Copy the folder of a shard to its address, the index last."""
    system, root = fsspec.core.url_to_fs(address)
    system.makedirs(f"{root}/{target}", exist_ok=True)
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix == ".json", path.name)):
        system.put_file(str(path), f"{root}/{target}/{path.name}")


def manifest_path(state: CrawlState) -> Path:
    """Return the path of the manifest in the work folder."""
    return state.work / state.packing / (MANIFEST if state.tokenizer else DOCUMENTS)


def manifest(state: CrawlState, _: int) -> dict[str, Any]:
    """Write the manifest of the shards, or of the files of documents, beside them."""
    pieces = state.facts(f"{state.packing}/write")
    cleaning_facts = [fact for step in ("read", "clean", "sentences") for fact in state.facts(step)]
    corpus = state.recipe.corpus
    values: dict[str, Any] = {
        "format": FORMAT,
        "settings": dataclasses.asdict(state.recipe),
        "identifier": identifier_facts(corpus.identifier),
        "fallbacks": read_json(_plan_path(state))["fallbacks"],
        "dropped": total(cleaning_facts),
        "documents_read": sum(fact.get("documents", 0) for fact in state.facts("read")),
        "input_bytes": sum(fact.get("input_bytes", 0) for fact in state.facts("read")),
    }
    # The time that it took is no part of the result.
    pieces = [
        {name: value for name, value in fact.items() if name not in ("seconds", "cpu_seconds")} for fact in pieces
    ]
    if state.tokenizer:
        layout = layout_of(Path(state.tokenizer))
        units = {name: getattr(corpus, name) for name in ("unit_tokens", "document_units", "min_units")}
        values |= {"index": {**layout._asdict(), **units}, "block_tokens": corpus.block_tokens, "shards": pieces}
        values |= {"address": state.out, "pieces_sha256": pieces_checksum(Path(state.tokenizer))}
    else:
        values |= {"files": pieces}
    path = manifest_path(state)
    write_json(path, values)
    system, root = fsspec.core.url_to_fs(state.out)
    system.put_file(str(path), f"{root}/{path.name}")
    return {"pieces": len(pieces)}
