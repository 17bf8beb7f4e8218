"""Stage `units`: turns documents into packed token shards, as the paper does.

Every sentence ends with `</s>`. Whole consecutive sentences of a document are joined as long as they stay within
`unit_tokens - 1` ids; with `<s>` in front that is a unit. A sentence that alone is longer is a unit of its own, cut
when it is read, so that it loses its `</s>`. Spans of `document_units` consecutive units are what the document encoder
reads; the rest of a document is a shorter span if it has `min_units` units, and is outside of all spans otherwise.

Source: arXiv:2302.01626 and the code released with it.
"""

import dataclasses
import functools
import itertools
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from msm.corpora.documents import document_files, read_documents
from msm.corpora.packing import pack, split_spans
from msm.corpora.settings import Units
from msm.corpora.shard_manifest import MANIFEST, to_manifest
from msm.corpora.shard_writer import ShardWriter, token_type, write_index
from msm.corpora.shards import Index, Offsets, Shard, Tokens, read_units
from msm.corpora.subwords import ENGINES, Engine, Layout, fastest_engine, pieces_checksum, read_layout, read_tokenizer
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import read_json, write_json
from msm.stopping import stop_with_parent

CHUNK_BYTES = 1 << 20
"""Bytes of text that a process packs at once."""
SAMPLE = 2000
"""Number of sentences on which two tokenizer engines must agree."""


class Chunk(NamedTuple):
    """Whole lines of a file of documents, which one process packs at once."""

    path: Path
    start: int
    """Offset in bytes of the first line."""
    stop: int
    """Offset in bytes of the end of the last line."""


class PackedChunk(NamedTuple):
    """The documents of a chunk as a `ShardWriter` takes them."""

    tokens: Tokens
    sentences: Offsets
    units: Offsets
    runs: Offsets
    ids: list[str]


def run(settings: Units, *, documents: Path, tokenizer: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write the shards of every language. The bytes are the same with any number of processes.

    Args:
        settings: largest and smallest sizes of units and spans.
        documents: `LANGUAGE.jsonl` files, or the manifest of shards packed before, which is checked and passed on.
        tokenizer: folder of a Hugging Face fast tokenizer.
        out: empty folder to fill, see `msm.corpora.shards`.
        execution: `processes`.

    Returns:
        Of every language its counts, the share of its tokens in spans, and how full its units are.

    Raises:
        BadInput: `min_units` above `document_units`, a tokenizer without the special tokens, malformed documents, or
            no span in any language.
    """
    if settings.min_units > settings.document_units:
        raise BadInput(f"min_units must be at most document_units, {settings.document_units}: {settings.min_units}")
    if (documents / MANIFEST).is_file():
        facts = take_shards(settings, documents / MANIFEST, tokenizer, out)
        check_spans(facts["languages"], settings)
        return facts
    paths = document_files(documents)
    layout = read_layout(tokenizer, read_tokenizer(tokenizer))
    packer = Packer(settings, tokenizer, fastest_engine(tokenizer, sample(paths)), layout)
    chunks = [chunk for path in paths for chunk in cut(path)]
    counts = {}
    with mapper(min(execution.processes or os.cpu_count() or 1, len(chunks))) as over:
        results = zip(chunks, tqdm(over(packer, chunks), total=len(chunks), unit="chunk", disable=None), strict=True)
        for path, group in itertools.groupby(results, key=lambda pair: pair[0].path):
            with ShardWriter(out, path.stem, layout.vocabulary) as writer:
                for _, part in group:
                    writer.append(*part)
            counts[path.stem] = writer.counts
    write_index(out, Index(*layout, **dataclasses.asdict(settings), languages=counts))
    facts = {language: language_facts(shard) for language, shard in read_units(out).shards.items()}
    check_spans(facts, settings)
    return {"engine": packer.engine, "languages": facts}


def take_shards(settings: Units, path: Path, tokenizer: Path, out: Path) -> dict[str, Any]:
    """Take shards that were packed before: check that they are what the recipe would pack, and copy their manifest.

    Args:
        settings: settings of the stage.
        path: path of the manifest.
        tokenizer: folder of the tokenizer that the shards must have been made with.
        out: folder that gets `shards.json`.

    Returns:
        Counts of every language.

    Raises:
        BadInput: the shards have other sizes, or were made with another tokenizer.
    """
    values = read_json(path)
    manifest = to_manifest(values, str(path))
    expected = {**read_layout(tokenizer, read_tokenizer(tokenizer))._asdict(), **dataclasses.asdict(settings)}
    sizes = {name: getattr(manifest.index, name) for name in expected}
    if different := [name for name in expected if sizes[name] != expected[name]]:
        name = different[0]
        raise BadInput(f"{path}: {name} is {sizes[name]} in these shards, and {expected[name]} in the recipe")
    if manifest.pieces_sha256 != pieces_checksum(tokenizer):
        raise BadInput(f"{path}: the shards were made with another tokenizer than {tokenizer}")
    write_json(out / MANIFEST, values)
    return {
        "engine": "packed before",
        "shards": len(manifest.shards),
        "bytes": sum(shard.size for shard in manifest.shards),
        "languages": {language: dataclasses.asdict(counts) for language, counts in manifest.index.languages.items()},
    }


@dataclass(frozen=True)
class Packer:
    """Turns chunks of documents into tokens, units and spans. Worker processes get a copy of it."""

    settings: Units
    tokenizer: Path
    engine: str
    layout: Layout

    def __call__(self, chunk: Chunk) -> PackedChunk:
        """Pack the documents of a chunk."""
        documents = list(read_documents(*chunk))
        texts = [text for document in documents for text in document.sentences]
        ids, lengths = _engine(self.engine, self.tokenizer).encode(texts)
        owner = np.repeat(np.arange(len(documents)), [len(document.sentences) for document in documents])
        # A sentence of nothing but marks without width has no sub-words; it is left out.
        owner, lengths = owner[lengths > 0], lengths[lengths > 0]
        sentences = np.concatenate([[0], np.cumsum(lengths + 1)])
        units, spans = build(sentences, np.searchsorted(owner, np.arange(len(documents) + 1)), self.settings)
        tokens = np.insert(ids, np.cumsum(lengths), self.layout.end).astype(token_type(self.layout.vocabulary))
        return PackedChunk(tokens, sentences[:-1], units, spans, [document.document_id for document in documents])


@functools.cache
def _engine(name: str, folder: Path) -> Engine:
    return ENGINES[name](folder)


def sample(paths: list[Path]) -> list[str]:
    """Return the first sentences of every language, about `SAMPLE` in all."""
    each = SAMPLE // len(paths) + 1
    documents = (itertools.chain.from_iterable(doc.sentences for doc in read_documents(path)) for path in paths)
    return [sentence for sentences in documents for sentence in itertools.islice(sentences, each)]


def cut(path: Path) -> Iterator[Chunk]:
    """Yield a file in chunks of whole lines.

    Raises:
        BadInput: the file is empty.
    """
    size = path.stat().st_size
    if not size:
        raise BadInput(f"{path}: holds no document")
    with path.open("rb") as file:
        start = 0
        while start < size:
            file.seek(start + CHUNK_BYTES)
            file.readline()
            yield Chunk(path, start, min(file.tell(), size))
            start = file.tell()


@contextmanager
def mapper(processes: int) -> Iterator[Callable[..., Iterable[PackedChunk]]]:
    """Give a `map` over a number of processes that keeps the order of its input."""
    if processes == 1:
        yield map
        return
    # Started anew rather than forked: a fork of a process with threads (tokenizers, torch) may hang.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_one_thread)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    stop_with_parent()


def build(sentences: Offsets, documents: Offsets, settings: Units) -> tuple[Offsets, Offsets]:
    """Build the units and spans of consecutive documents.

    Args:
        sentences: index of the first token of each sentence, and the number of all tokens, [S + 1].
        documents: the first sentence of each document, and their number, [D + 1].
        settings: largest and smallest sizes of units and spans.

    Returns:
        Index of the first token of each unit, [U], and of each span the first unit, the one after the last, and the
        number of the document, [R, 3].
    """
    offsets: list[int] = sentences.tolist()
    firsts: list[int] = []
    spans: list[tuple[int, int, int]] = []
    for document, (first, stop) in enumerate(itertools.pairwise(documents.tolist())):
        starts = pack(offsets, settings.unit_tokens - 1, first, stop)
        pairs = split_spans(len(starts), settings.document_units, settings.min_units)
        spans += [(len(firsts) + start, len(firsts) + end, document) for start, end in pairs]
        firsts += starts
    return sentences[firsts], np.array(spans, np.int64).reshape(-1, 3)


def language_facts(shard: Shard) -> dict[str, Any]:
    """Counts of a language, the share of its tokens in spans, and how full the units of spans are on average."""
    longest = shard.index.unit_tokens
    before = np.concatenate([[0], np.cumsum(np.minimum(np.diff(shard.units), longest - 1))])
    first, stop = shard.runs[:, 0], shard.runs[:, 1]
    tokens, units = int((before[stop] - before[first]).sum()), int((stop - first).sum())
    return {
        **dataclasses.asdict(shard.index.languages[shard.language]),
        "token_share": round(tokens / len(shard.tokens), 4) if len(shard.tokens) else 0.0,
        "fill": round((tokens + units) / (units * longest), 4) if units else 0.0,
    }


def check_spans(facts: Mapping[str, Mapping[str, Any]], settings: Units) -> None:
    """Warn of languages without a span: they have text for masked language modelling only.

    Raises:
        BadInput: no language has a span.
    """
    empty = [language for language, fact in facts.items() if not fact["runs"]]
    shortest = f"min_units: no document has {settings.min_units} units of up to {settings.unit_tokens} tokens"
    if len(empty) == len(facts):
        raise BadInput(f"{shortest} in any language; lower min_units or unit_tokens")
    if empty:
        logging.getLogger(__name__).warning("%s in %s", shortest, ", ".join(empty))
