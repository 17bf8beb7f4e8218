"""`msm bench corpus`: tokenising against `datasets.map`; the road from crawled files to documents, step by step."""

import gzip
import itertools
import json
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from transformers import AutoTokenizer

from msm.bench.crawl_files import Page, members, pages_of
from msm.bench.race import race
from msm.corpora import tokenizer
from msm.corpora.crawl.settings import Recipe, to_recipe
from msm.corpora.crawl.state import State
from msm.corpora.crawl.steps import do, folder, steps_of, undone
from msm.corpora.subwords import SentencePiece, normal
from msm.settings import Tokenizer

Texts = list[tuple[str, list[str]]]
SOURCES = "artifacts/*/*/*/files/documents/ntrex128.jsonl.gz"
"""Public news as the stage `download` leaves it; without it, texts are invented."""
LETTERS = {
    "en": "etaoinshrdlucmfwypvbgkjqxz", "ru": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфё", "hi": "कखगघचछजझटठडढतथदधनपफबभमयरलवशसह",
    "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "el": "αβγδεζηθικλμνξοπρστυφχψω", "ka": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
}  # fmt: skip
PIECES = 8000


def run(quick: bool) -> Iterator[dict[str, Any]]:
    """The comparisons, one dictionary each.

    Args:
        quick: less text.
    """
    found, origin = texts(300 if quick else 3000)
    yield tokenizing([sentence for _, document in found for sentence in document], 3 if quick else 9, origin)
    for kind in ("wet", "warc"):
        yield pipeline(found[: 60 if quick else 600], kind, origin)
    small, large = (peak(found[:20], parts) for parts in (2, 8))
    yield {"name": "corpus_memory", "ratio": round(large / small, 3), "parts": [2, 8], "peak_mib": [small, large]}


def texts(count: int) -> tuple[Texts, str]:
    """Documents as language and sentences, and where they are from."""
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


def tokenizing(sentences: list[str], pairs: int, origin: str) -> dict[str, Any]:
    """Ids of all sentences, by SentencePiece and by `datasets.map` over the Hugging Face tokenizer.

    Raises:
        RuntimeError: the ids differ.
    """
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        chosen = sorted(tokenizer.choose(map(normal, sentences), 5000))
        pieces = Tokenizer("trained", PIECES, 0.9995, 5000)
        model = tokenizer.train(chosen, pieces)
        (made / "sentencepiece.bpe.model").write_bytes(model)
        tokenizer.to_hugging_face(model).save_pretrained(made)
        engine, theirs = SentencePiece(made), AutoTokenizer.from_pretrained(made)
        table = datasets.Dataset.from_dict({"text": sentences})

        def usual() -> Any:
            def ids(batch: dict[str, list[str]]) -> dict[str, Any]:
                return {"ids": theirs(batch["text"], add_special_tokens=False)["input_ids"]}

            return table.map(ids, batched=True, load_from_cache_file=False, keep_in_memory=True)

        ids, lengths = engine.encode(sentences)
        expected = usual()["ids"]
        if lengths.tolist() != [len(row) for row in expected]:
            raise RuntimeError("sentences differ in their number of ids")
        if not np.array_equal(ids, np.fromiter(itertools.chain.from_iterable(expected), np.int32)):
            raise RuntimeError("ids differ")
        facts = {
            "texts": len(sentences),
            "identical": 1.0,
            "slow_path": engine.slow_share(sentences),
            "source": origin,
            "gate": 4.0,
        }
        return race("tokenize_vs_datasets", lambda: engine.encode(sentences), usual, pairs, **facts)


def write_crawl(target: Path, pages: list[Page], kind: str, parts: int) -> Recipe:
    """Files of pages and the recipe that reads them; every part has the same number of different pages."""
    for part in range(parts):
        own = [Page(page.language, tuple(f"{part} {text}" for text in page.paragraphs)) for page in pages]
        data = b"".join(members((("good", page) for page in own), kind))
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


def make(root: Path, pages: list[Page], kind: str, parts: int) -> tuple[float, dict[str, float]]:
    """Megabytes of text, and seconds of every step, on one core."""
    root.joinpath("files").mkdir()
    recipe = write_crawl(root / "files", pages, kind, parts)
    state = State(recipe, root / "work", str(root / "out"), "")
    root.joinpath("out").mkdir()
    state.find_parts()
    seconds: dict[str, float] = {}
    for step in steps_of(state):
        start = time.perf_counter()
        for number in undone(state, step):
            do(state, step, folder(state, step.name), number)
        seconds[step.name] = time.perf_counter() - start
    return sum(fact.get("bytes", 0) for fact in state.facts("read")) / 1e6, seconds


def pipeline(found: Texts, kind: str, origin: str) -> dict[str, Any]:
    """Speed of the whole road on one core, and the share of every step."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as name:
        make(Path(first), pages_of(found[:5]), kind, 1)  # loads the models and tables
        size, seconds = make(Path(name), pages_of(found), kind, 2)
    whole = sum(seconds.values())
    return {
        "name": f"corpus_pipeline_{kind}",
        "mb_per_second_core": round(size / whole, 3),
        "megabytes": round(size, 2),
        "shares": {step: round(value / whole, 3) for step, value in seconds.items()},
        "source": origin,
    }


def peak(found: Texts, parts: int) -> int:
    """Most memory, in MiB, of a process that cleans so many parts of the same size."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (found, parts))


def _peak(found: Texts, parts: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), pages_of(found), "wet", parts)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
