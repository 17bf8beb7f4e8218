"""Reads shards of tokens from any place: a manifest lists them, and each is fetched when it is read.

The counts in the manifest suffice to draw an order, so the order of a seed does not depend on where the shards are or
which of them are on the disk already. The sampling exponent of the languages is applied when reading; it is no part of
the files.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import fsspec
import numpy as np
from numpy.typing import NDArray

from msm.corpora.orders import WINDOW, find, starts_of
from msm.corpora.shard_cache import ShardCache
from msm.corpora.shard_manifest import MANIFEST, ShardFacts, ShardManifest, to_manifest
from msm.corpora.shards import Blocks, Text, Tokens, Units, read_units
from msm.errors import BadInput
from msm.files import parse_json


@dataclass(frozen=True, eq=False)
class ShardSequence:
    """All shards of a language as one; spans are numbered through all of them."""

    language: str
    parts: Sequence[ShardFacts]
    cache: ShardCache
    counted_blocks: int
    """Number of tokens of the blocks that the manifest counts."""

    def __len__(self) -> int:
        """Return the number of spans."""
        return int(self.run_starts[-1])

    @property
    def counts(self) -> list[int]:
        """Number of spans in every shard."""
        return [part.runs for part in self.parts]

    @cached_property
    def run_starts(self) -> NDArray[np.int64]:
        """Number of the first span of every shard, and the number of all spans."""
        return starts_of(self.counts)

    def span(self, number: int) -> list[Tokens]:
        """Return the units of a span, see `Shard.span`."""
        part, item = find(self.run_starts, number)
        return self.cache.get(self.parts[part]).span(item)

    def document_id(self, number: int) -> str:
        """Return the id of the document that a span belongs to."""
        part, item = find(self.run_starts, number)
        return self.cache.get(self.parts[part]).document_id(item)

    def mean_span_tokens(self) -> float:
        """Return the mean number of tokens of a span, `<s>` of every unit included."""
        return sum(part.run_tokens for part in self.parts) / max(len(self), 1)

    def blocks(self, block_tokens: int) -> "BlockSequence":
        """Return all text of the language in blocks. No block goes over the end of a shard.

        Raises:
            BadInput: the manifest counts blocks of another size.
        """
        if block_tokens != self.counted_blocks:
            raise BadInput(f"block_tokens: the shards are counted for {self.counted_blocks}, got {block_tokens}")
        return BlockSequence(self, {})


@dataclass(frozen=True, eq=False)
class BlockSequence:
    """The blocks of all shards of a language, numbered from the first shard to the last."""

    shards: ShardSequence
    recent_blocks: dict[str, Blocks]
    """Blocks of the shards read last, by address."""

    def __len__(self) -> int:
        """Return the number of blocks."""
        return int(self.starts[-1])

    @property
    def counts(self) -> list[int]:
        """Number of blocks in every shard."""
        return [part.blocks for part in self.shards.parts]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Number of the first block of every shard, and the number of all blocks."""
        return starts_of(self.counts)

    def __getitem__(self, number: int) -> Tokens:
        """Return a block, see `Blocks`."""
        part, item = find(self.starts, number)
        facts = self.shards.parts[part]
        shard = self.shards.cache.get(facts)
        blocks = self.recent_blocks.get(facts.address)
        if blocks is None or blocks.shard is not shard:
            while len(self.recent_blocks) > 2 * WINDOW:  # those of two orders
                del self.recent_blocks[next(iter(self.recent_blocks))]
            blocks = self.recent_blocks[facts.address] = shard.blocks(self.shards.counted_blocks)
        return blocks[item]

    def mean_tokens(self) -> float:
        """Return the mean number of tokens of a block, `<s>` included."""
        return sum(part.block_tokens for part in self.shards.parts) / max(len(self), 1)


def open_units(folder: Path, cache: Path, cache_bytes: int) -> Units[Text]:
    """Open the token shards of a folder: those in it, or those that its manifest lists.

    Args:
        folder: output of the stage `units`.
        cache: folder for shards that are not on a disk.
        cache_bytes: largest number of bytes that are kept there.

    Raises:
        BadInput: the folder holds neither shards nor a manifest.
    """
    if (folder / MANIFEST).is_file():
        return read_streamed(str(folder), cache=cache, cache_bytes=cache_bytes)
    return read_units(folder)


def read_streamed(address: str, *, cache: Path, cache_bytes: int) -> Units[ShardSequence]:
    """Open the shards of a manifest.

    Args:
        address: folder with `shards.json`, a path or an address of fsspec. Shards are looked for at the address that
            the manifest gives where that is not beside it.
        cache: folder for shards that are not on a disk.
        cache_bytes: largest number of bytes that are kept there.

    Raises:
        BadInput: the folder holds no manifest, or a manifest without shards.
    """
    system, root = fsspec.core.url_to_fs(address)
    path = f"{root}/{MANIFEST}"
    if not system.exists(path):
        raise BadInput(f"{address}: no {MANIFEST}, so no shards; `msm corpus` writes them")
    with system.open(path, "rt", encoding="utf-8") as file:
        manifest = to_manifest(parse_json(file.read(), f"{address}/{MANIFEST}"), f"{address}/{MANIFEST}")
    beside = system.exists(f"{root}/{manifest.shards[0].address}") if manifest.shards else True
    at_hand = ShardCache(address if beside else manifest.address, cache, cache_bytes)
    if not at_hand.is_local and (working_bytes := working_set(manifest)) > cache_bytes:
        logging.getLogger(__name__).warning(
            "%s: training reads %.1f GiB of shards at a time, the cache holds %.1f: shards will be fetched again and "
            "again; give more --cache_gib, or make smaller shards",
            address,
            working_bytes / 2**30,
            cache_bytes / 2**30,
        )
    sequences = {
        language: ShardSequence(language, manifest.of(language), at_hand, manifest.block_tokens)
        for language in manifest.index.languages
    }
    return Units(manifest.index, sequences)


def working_set(manifest: ShardManifest) -> int:
    """Number of bytes of the shards that are read at one time: a window of spans and of blocks of every language."""
    sizes = {language: sorted(part.size for part in manifest.of(language)) for language in manifest.index.languages}
    return sum(sum(shard_sizes[-2 * WINDOW :]) for shard_sizes in sizes.values())
