"""Shards of tokens that lie anywhere: listed in a manifest, fetched when they are read, a bounded number kept.

A folder with a manifest (`shards.json`) stands for a folder of token shards that would not fit on a disk. Only the
manifest is versioned; it says of every shard the address, the checksums and the counts. The counts are all that is
needed to draw an order, so the order for a seed is the same wherever the shards lie and whatever is in the cache.
"""

import hashlib
import json
import os
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import fsspec
import numpy as np
from numpy.typing import NDArray

from msm.artifacts import new_folder, read_json, sha256_of
from msm.corpora.shards import Blocks, Counts, Index, Shard, Tokens, read_units
from msm.errors import BadInput

MANIFEST = "shards.json"


@dataclass(frozen=True)
class ShardFacts:
    """What a manifest says of a shard."""

    language: str
    address: str
    """Of its folder, below that of the manifest."""
    files: dict[str, str]
    """Name to SHA-256."""
    size: int
    """Bytes of all files."""
    documents: int
    sentences: int
    tokens: int
    units: int
    runs: int
    run_tokens: int
    """Of all runs, `<s>` of every unit included."""
    blocks: int
    """Of masked language modelling, of the manifest's `block_tokens`."""
    block_tokens: int
    """Of all blocks, `<s>` included."""


class Cache:
    """Shards that are at hand; those read longest ago make room.

    Args:
        address: what the shards' addresses are below: a path or an address of fsspec.
        folder: where shards from elsewhere are kept; a local address needs none.
        limit: bytes kept; one shard at least.
    """

    def __init__(self, address: str, folder: Path | None, limit: int) -> None:
        self.system, self.root = fsspec.core.url_to_fs(address)
        self.is_local = "file" in (self.system.protocol if isinstance(self.system.protocol, tuple) else ())
        if not self.is_local and folder is None:
            raise BadInput(f"{address}: shards that are not on a disk need a cache folder")
        self.folder, self.limit = folder, limit
        self.open: OrderedDict[str, tuple[Shard, int]] = OrderedDict()

    def get(self, facts: ShardFacts) -> Shard:
        """A shard, fetched if need be."""
        if facts.address in self.open:
            self.open.move_to_end(facts.address)
            return self.open[facts.address][0]
        shard = read_units(self._path(facts))[facts.language]
        self.open[facts.address] = (shard, facts.size)
        while len(self.open) > 1 and sum(size for _, size in self.open.values()) > self.limit:
            address, _ = self.open.popitem(last=False)
            if not self.is_local:
                shutil.rmtree(self._kept(address), ignore_errors=True)
        return shard

    def _kept(self, address: str) -> Path:
        # Of each process its own: one process must not take away what another reads.
        name = hashlib.sha256(f"{self.root} {address}".encode()).hexdigest()[:24]
        assert self.folder is not None
        return self.folder / str(os.getpid()) / name

    def _path(self, facts: ShardFacts) -> Path:
        if self.is_local:
            return Path(self.root) / facts.address
        target = self._kept(facts.address)
        if target.is_dir():
            return target
        with new_folder(target) as folder:
            for name, expected in facts.files.items():
                self.system.get_file(f"{self.root}/{facts.address}/{name}", str(folder / name))
                if (found := sha256_of(folder / name)) != expected:
                    raise BadInput(f"{facts.address}/{name}: SHA-256 is {found}, the manifest says {expected}")
        return target


@dataclass(frozen=True, eq=False)
class ShardSequence:
    """All shards of a language as one; runs and blocks are numbered through."""

    language: str
    parts: Sequence[ShardFacts]
    index: Index
    cache: Cache
    counted_blocks: int
    """Size of the blocks that the manifest counts."""
    window: int
    """Shards whose items are mixed with each other; more of them mix better and need more cache."""

    def __len__(self) -> int:
        """Number of runs."""
        return int(self.run_starts[-1])

    @cached_property
    def run_starts(self) -> NDArray[np.int64]:
        """Number of the first run of every shard, and of all runs."""
        return _starts([part.runs for part in self.parts])

    @cached_property
    def block_starts(self) -> NDArray[np.int64]:
        """Number of the first block of every shard, and of all blocks."""
        return _starts([part.blocks for part in self.parts])

    def run(self, number: int) -> list[Tokens]:
        """The units of a run, see `Shard.run`."""
        place, own = _find(self.run_starts, number)
        return self.cache.get(self.parts[place]).run(own)

    def document_id(self, number: int) -> str:
        """Id of the document that a run is from."""
        place, own = _find(self.run_starts, number)
        return self.cache.get(self.parts[place]).document_id(own)

    def mean_run_tokens(self) -> float:
        """Mean tokens of a run, `<s>` of every unit included."""
        return sum(part.run_tokens for part in self.parts) / max(len(self), 1)

    def blocks(self, block_tokens: int) -> "BlockSequence":
        """All text of the language in blocks; no block crosses shards.

        Raises:
            BadInput: the manifest counts blocks of another size.
        """
        if block_tokens != self.counted_blocks:
            raise BadInput(f"block_tokens: the shards are counted for {self.counted_blocks}, got {block_tokens}")
        return BlockSequence(self, {})

    def order(self, seed: tuple[int, ...]) -> NDArray[np.int64]:
        """All runs in a random order that reads `window` shards at a time."""
        return order(self.run_starts, seed, self.window)


@dataclass(frozen=True, eq=False)
class BlockSequence:
    """The blocks of all shards of a language."""

    shards: ShardSequence
    opened: dict[str, Blocks]

    def __len__(self) -> int:
        """Number of blocks."""
        return int(self.shards.block_starts[-1])

    def __getitem__(self, number: int) -> Tokens:
        """A block, see `Blocks`."""
        place, own = _find(self.shards.block_starts, number)
        facts = self.shards.parts[place]
        shard = self.shards.cache.get(facts)
        known = self.opened.get(facts.address)
        if known is None or known.shard is not shard:
            for address in self.opened.keys() - self.shards.cache.open.keys():
                del self.opened[address]
            known = self.opened[facts.address] = shard.blocks(self.shards.counted_blocks)
        return known[own]

    def mean_tokens(self) -> float:
        """Mean tokens of a block, `<s>` included."""
        return sum(part.block_tokens for part in self.shards.parts) / max(len(self), 1)

    def order(self, seed: tuple[int, ...]) -> NDArray[np.int64]:
        """All blocks in a random order that reads `window` shards at a time."""
        return order(self.shards.block_starts, seed, self.shards.window)


@dataclass(frozen=True, eq=False)
class StreamedUnits:
    """All languages of a manifest."""

    index: Index
    shards: dict[str, ShardSequence]

    @property
    def languages(self) -> list[str]:
        """Codes of all languages, sorted."""
        return sorted(self.shards)

    def __getitem__(self, language: str) -> ShardSequence:
        """The shards of a language."""
        return self.shards[language]


def order(starts: NDArray[np.int64], seed: tuple[int, ...], window: int) -> NDArray[np.int64]:
    """All items once: the shards in random order, the items of so many of them at a time in random order.

    Args:
        starts: number of the first item of every shard, and of all items.
        seed: of the order; the same seed gives the same order.
        window: shards that are mixed.
    """
    random = np.random.default_rng(seed)
    shards = random.permutation(len(starts) - 1)
    found = [np.zeros(0, np.int64)]
    for first in range(0, len(shards), window):
        items = [np.arange(int(starts[shard]), int(starts[shard + 1])) for shard in shards[first : first + window]]
        found.append(random.permutation(np.concatenate(items)))
    return np.concatenate(found)


def read_streamed(address: str, *, cache: Path | None, cache_bytes: int, window: int = 4) -> StreamedUnits:
    """The shards of a manifest.

    Args:
        address: folder with `shards.json`, a path or an address of fsspec. Shards are looked for at the address that
            the manifest gives where that is not beside it.
        cache: folder for shards that are not on a disk.
        cache_bytes: how many bytes of them are kept, by each process.
        window: shards whose items are mixed; the cache has to hold so many of every language that is read.

    Raises:
        BadInput: no manifest there, or one without shards.
    """
    system, root = fsspec.core.url_to_fs(address)
    path = f"{root}/{MANIFEST}"
    if not system.exists(path):
        raise BadInput(f"{address}: no {MANIFEST}, so no shards; `msm corpus` writes them")
    with system.open(path, "rt", encoding="utf-8") as file:
        values = json.load(file)
    if "shards" not in values:
        raise BadInput(f"{address}: the manifest lists documents, no shards; give msm corpus a tokenizer")
    parts = [ShardFacts(**shard) for shard in values["shards"]]
    beside = system.exists(f"{root}/{parts[0].address}")
    at_hand = Cache(address if beside else values["address"], cache, cache_bytes)
    languages = {language: _counts([p for p in parts if p.language == language]) for language in _codes(parts)}
    index = Index(**values["index"], languages=languages)
    sequences = {
        language: ShardSequence(
            language,
            [part for part in parts if part.language == language],
            index,
            at_hand,
            values["block_tokens"],
            window,
        )
        for language in languages
    }
    return StreamedUnits(index, sequences)


def verify(folder: Path) -> int:
    """Check every shard of a manifest on disk against its checksums; returns their number.

    Raises:
        BadInput: a file differs.
    """
    parts = [ShardFacts(**shard) for shard in read_json(folder / MANIFEST)["shards"]]
    for part in parts:
        for name, expected in part.files.items():
            if sha256_of(folder / part.address / name) != expected:
                raise BadInput(f"{folder / part.address / name}: not the file that the manifest speaks of")
    return len(parts)


def _codes(parts: Sequence[ShardFacts]) -> list[str]:
    return sorted({part.language for part in parts})


def _counts(parts: Sequence[ShardFacts]) -> Counts:
    names = ("documents", "sentences", "tokens", "units", "runs")
    return Counts(**{name: sum(getattr(part, name) for part in parts) for name in names})


def _starts(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def _find(starts: NDArray[np.int64], number: int) -> tuple[int, int]:
    if not 0 <= number < starts[-1]:
        raise IndexError(number)
    place = int(np.searchsorted(starts, number, side="right")) - 1
    return place, int(number - starts[place])
