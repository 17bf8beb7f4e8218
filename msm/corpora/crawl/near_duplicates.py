"""Finds near duplicates by the MinHash of datatrove, with signatures that need no word splitter of the language.

There are four steps: signatures of every part, matches within every band, groups of documents (one task), and removal.
"""

import struct
from pathlib import Path

import numpy as np
import regex
import xxhash
from datatrove.io import get_datafolder
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupSignature,
)
from numpy.typing import NDArray

from msm.corpora.crawl.settings import Corpus

_WORDS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]|"
    r"(?:(?![\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])[\p{L}\p{M}\p{N}])+"
)
_MIX = np.uint64(0x9E3779B97F4A7C15)


def config(settings: Corpus) -> MinhashConfig:
    """Return the settings in the form of datatrove."""
    return MinhashConfig(
        n_grams=settings.shingle_words,
        num_buckets=settings.minhash_bands,
        hashes_per_bucket=settings.minhash_rows,
        seed=settings.seed,
    )


class Signatures(MinhashDedupSignature):
    """Signatures of documents, in a fiftieth of the time of datatrove's own, which needs a word splitter."""

    def __init__(self, folder: Path, settings: Corpus) -> None:
        """Write signatures below a folder."""
        PipelineStep.__init__(self)
        self.output_folder = get_datafolder(str(folder))
        self.config = config(settings)
        self.num_hashes = self.config.num_buckets * self.config.hashes_per_bucket
        self.skip_existing_sigs = False
        generator = np.random.default_rng(settings.seed)
        self._factors = generator.integers(0, 1 << 63, self.num_hashes, np.uint64) * np.uint64(2) + np.uint64(1)
        self._offsets = generator.integers(0, 1 << 63, self.num_hashes, np.uint64)

    def get_shingles(self, text: str) -> NDArray[np.uint64]:
        """Return hashes of the different sequences of `shingle_words` words, [N, 1]; a shorter text is one shingle."""
        words = _WORDS.findall(text.lower())
        length = max(1, min(self.config.n_grams, len(words)))
        hashes = np.fromiter((xxhash.xxh3_64_intdigest(word.encode()) for word in words), np.uint64, len(words))
        if not len(hashes):
            return hashes.reshape(-1, 1)
        runs = np.zeros(len(hashes) - length + 1, np.uint64)
        for place in range(length):
            runs = runs * _MIX + hashes[place : place + len(runs)]
        runs ^= runs >> np.uint64(29)
        return np.unique(runs).reshape(-1, 1)

    def get_signature(self, shingles: NDArray[np.uint64]) -> list[list[int]]:
        """Return the smallest value of every hash function over the shingles, by band."""
        flat = shingles.ravel()
        # The high bits of a product modulo 2^64 are a good hash, and need no division.
        least = [int((flat * factor + offset).min()) >> 3
                 for factor, offset in zip(self._factors, self._offsets, strict=True)]  # fmt: skip
        rows = self.config.hashes_per_bucket
        return [least[start : start + rows] for start in range(0, self.num_hashes, rows)]


def match_band(signatures: Path, out: Path, settings: Corpus, band: int) -> None:
    """Write the pairs of documents that agree in one band."""
    step = MinhashDedupBuckets(str(signatures), str(out), config=config(settings))
    step.run(None, band, settings.minhash_bands)


def group(matches: Path, out: Path, settings: Corpus) -> None:
    """Write the documents to remove: all but one of every group that matches connect."""
    MinhashDedupCluster(str(matches), str(out), config=config(settings)).run(None, 0, 1)


def removed(folder: Path, part: int) -> set[int]:
    """Return the numbers of the documents of a part that are to be removed."""
    path = folder / f"{part:06d}.remove"
    data = path.read_bytes() if path.is_file() else b""
    return {number for (number,) in struct.iter_unpack("<I", data)}
