"""`msm bench corpus` times tokenisation against `datasets.map`, and every step from crawled files to token shards."""

import gzip
import itertools
import json
import multiprocessing
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import numpy as np
from transformers import AutoTokenizer

from msm.bench.crawl_files import Page, members, pages_of
from msm.bench.race import race
from msm.corpora import tokenizer
from msm.corpora.crawl.settings import CorpusRecipe, to_recipe
from msm.corpora.crawl.state import CrawlState
from msm.corpora.crawl.steps import do, folder, steps_of, undone
from msm.corpora.settings import Tokenizer
from msm.corpora.subwords import SENTENCEPIECE_MODEL, SentencePiece, normal

Texts = list[tuple[str, list[str]]]
SOURCES = "artifacts/*/*/*/files/documents/ntrex128.jsonl.gz"
"""Pattern of the paths of public news, as the stage `download` writes them. Texts are invented where no file fits
it."""
LETTERS = {
    "en": "etaoinshrdlucmfwypvbgkjqxz", "ru": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфё", "hi": "कखगघचछजझटठडढतथदधनपफबभमयरलवशसह",
    "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "el": "αβγδεζηθικλμνξοπρστυφχψω", "ka": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
}  # fmt: skip
PIECES = 8000


def run(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield one dictionary for each comparison.

    Args:
        quick: whether a tenth of the text is enough.
    """
    documents, origin = texts(300 if quick else 3000)
    sentences = [sentence for _, document in documents for sentence in document]
    with tempfile.TemporaryDirectory() as name:
        pieces = train(Path(name), sentences)
        yield tokenizing(sentences, pieces, 9, origin)
        for kind in ("wet", "warc"):
            yield pipeline(documents, kind, pieces, origin)
        parts = (2, 8) if quick else (4, 16)
        small, large = (peak(documents[: len(documents) // 10], count, pieces) for count in parts)
    yield {"name": "corpus_memory", "ratio": round(large / small, 3), "parts": parts, "peak_mib": [small, large]}


def texts(count: int) -> tuple[Texts, str]:
    """Return documents, each with its language and its sentences, and the name of their source."""
    for path in sorted(Path().glob(SOURCES)):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        random.Random(1).shuffle(rows)
        return [(row["language"], row["sentences"]) for row in rows[:count]], "NTREX-128"
    chance = random.Random(1)
    words = {
        language: ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(3000)]
        for language, letters in LETTERS.items()
    }

    def sentence(language: str) -> str:
        return " ".join(chance.choices(words[language], k=chance.randint(5, 30))) + "."

    codes = itertools.islice(itertools.cycle(LETTERS), count)
    return [(code, [sentence(code) for _ in range(16)]) for code in codes], "invented"


def train(folder: Path, sentences: list[str]) -> Path:
    """Train a tokenizer of `PIECES` pieces, write it to a folder, and return the folder."""
    settings = Tokenizer(name="trained", pieces=PIECES, character_coverage=0.9995, language_sentences=5000)
    model = tokenizer.train(sorted(tokenizer.choose(map(normal, sentences), 5000)), settings)
    (folder / SENTENCEPIECE_MODEL).write_bytes(model)
    tokenizer.to_hugging_face(model).save_pretrained(folder)
    return folder


def tokenizing(sentences: list[str], pieces: Path, pairs: int, origin: str) -> dict[str, Any]:
    """Time the token ids of all sentences by SentencePiece against `datasets.map` over the Hugging Face tokenizer.

    Raises:
        RuntimeError: the ids of the two ways differ.
    """
    datasets.disable_progress_bars()
    engine, theirs = SentencePiece(pieces), AutoTokenizer.from_pretrained(pieces)
    table = datasets.Dataset.from_dict({"text": sentences})

    def usual() -> Any:
        def ids(batch: dict[str, list[str]]) -> dict[str, Any]:
            return {"ids": theirs(batch["text"], add_special_tokens=False)["input_ids"]}

        return table.map(ids, batched=True, load_from_cache_file=False, keep_in_memory=True)

    ids, lengths = engine.encode(sentences)
    reference = usual()["ids"]
    if lengths.tolist() != [len(row) for row in reference]:
        raise RuntimeError("tokenisation: the two ways give a sentence different numbers of ids")
    if not np.array_equal(ids, np.fromiter(itertools.chain.from_iterable(reference), np.int32)):
        raise RuntimeError("tokenisation: the two ways give different ids")
    facts = {
        "texts": len(sentences),
        "identical": 1.0,
        "slow_path": engine.slow_share(sentences),
        "shares": shares_of_time(engine, sentences),
        "source": origin,
        "gate": 4.0,
    }
    return race("tokenize_vs_datasets", lambda: engine.encode(sentences), usual, pairs, **facts)


def shares_of_time(engine: SentencePiece, sentences: list[str]) -> dict[str, float]:
    """Return the shares of the time of this project's way: normalised texts, SentencePiece's search, joined ids."""
    texts = [normal(sentence) for sentence in sentences]
    parts: dict[str, Callable[[], Any]] = {
        "normalise": lambda: [normal(sentence) for sentence in sentences],
        "pieces": lambda: engine.pieces(texts),
        "whole": lambda: engine.encode(sentences),
    }
    seconds = dict.fromkeys(parts, float("inf"))
    for _ in range(5):
        for part, work in parts.items():
            start = time.process_time()
            work()
            # The shortest of five times: a first call sets things up, and a busy machine adds time of its own.
            seconds[part] = min(seconds[part], time.process_time() - start)
    shares = {part: round(seconds[part] / seconds["whole"], 2) for part in ("normalise", "pieces")}
    return shares | {"rest": round(1 - sum(shares.values()), 2)}


def write_crawl(target: Path, pages: list[Page], kind: str, parts: int) -> CorpusRecipe:
    """Write crawled files and return the recipe that reads them. Every file has the same number of pages of its own."""
    for part in range(parts):
        part_pages = [Page(page.language, tuple(f"{part} {text}" for text in page.paragraphs)) for page in pages]
        data = b"".join(members((("good", page) for page in part_pages), kind))
        (target / f"{part:03d}.{kind}.gz").write_bytes(data)
    limits = {
        "min_characters": 1, "min_paragraph_characters": 0, "max_digit_share": 1, "max_other_share": 1,
        "min_script_share": 0, "max_repeated_share": 1, "max_perplexity": 0,
    }  # fmt: skip
    corpus = {
        "languages": "all", "part_files": 1, "longest_record": 8_000_000, "extract_seconds": 60,
        "paragraph_duplicates": "drop", "hash_buckets": 2, "identifier": "py3langid", "identify_characters": 2000,
        "identify_score": 0, "near_duplicates": "drop", "shingle_words": 5, "minhash_bands": 14, "minhash_rows": 8,
        "perplexity_models": "", "unit_tokens": 64, "document_units": 32, "min_units": 2,
        "shard_bytes": 100_000_000, "block_tokens": 256, "seed": 1,
    }  # fmt: skip
    inputs = [{"address": str(target), "files": f"*.{kind}.gz", "format": kind, "language": ""}]
    return to_recipe({"inputs": inputs, "corpus": corpus, "quality": {"default": limits}}, "bench")


class CorpusBuild(NamedTuple):
    """A corpus and the measured cost of making it."""

    state: CrawlState
    seconds: float
    """Seconds from the beginning to the end."""
    core_seconds: dict[str, float]
    """Processor seconds by step; those of the extractor's own processes are part of them."""


def make(root: Path, pages: list[Page], kind: str, parts: int, pieces: Path) -> CorpusBuild:
    """Make a corpus of token shards in this process, one unit of work after the other."""
    root.joinpath("files").mkdir()
    recipe = write_crawl(root / "files", pages, kind, parts)
    state = CrawlState(recipe, root / "work", str(root / "out"), str(pieces))
    root.joinpath("out").mkdir()
    state.find_parts()
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    for step in steps_of(state):
        before = core_seconds()
        for number in undone(state, step):
            do(state, step, folder(state, step.name), number)
        seconds[step.name] = core_seconds() - before
    return CorpusBuild(state, time.perf_counter() - start, seconds)


def core_seconds() -> float:
    """Return the processor seconds of this process and of its child processes that have ended."""
    return sum(os.times()[:4])


def pipeline(documents: Texts, kind: str, pieces: Path, origin: str) -> dict[str, Any]:
    """Return the speed of all steps on one core, the share of each, and the bytes of files for one byte of text."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as name:
        make(Path(first), pages_of(documents[:5]), kind, 1, pieces)  # loads the models and tables
        outcome = make(Path(name), pages_of(documents), kind, 2, pieces)
        text = sum(fact["bytes"] for fact in outcome.state.facts("read"))
        shards = outcome.state.facts(f"{outcome.state.packing}/write")
        sizes = {part: size_of(Path(name, part)) / text for part in ("files", "work", "out")}
    whole = sum(outcome.core_seconds.values())
    return {
        "name": f"corpus_pipeline_{kind}",
        "mb_per_second_core": round(text / 1e6 / whole, 3),
        "mb_per_second": round(text / 1e6 / outcome.seconds, 3),
        "megabytes": round(text / 1e6, 2),
        "shares": {step: round(value / whole, 3) for step, value in outcome.core_seconds.items()},
        "input_bytes": round(sizes["files"], 3),
        "work_bytes": round(sizes["work"], 3),
        "shard_bytes": round(sizes["out"], 3),
        "tokens": round(sum(shard["tokens"] for shard in shards) / text, 4),
        "pieces": PIECES,
        "source": origin,
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
    }


def size_of(folder: Path) -> int:
    """Return the size of all files below a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def peak(documents: Texts, parts: int, pieces: Path) -> int:
    """Return the peak memory, in MiB, of a process that makes shards of some files of one size."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (documents, parts, pieces))


def _peak(documents: Texts, parts: int, pieces: Path) -> int:
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), pages_of(documents), "wet", parts, pieces)
    # Not `ru_maxrss`, which a started process inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
