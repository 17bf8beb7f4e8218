"""`shards.json`: which shards a corpus has, where they lie, and what they must be.

It stands for a folder of token shards that would not fit on a disk, and only it is versioned. The stages `documents`
and `units` pass it on, so that a corpus packed elsewhere (`msm corpus`) goes the way of every other one.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msm.corpora.settings import Documents
from msm.corpora.shards import Counts, Index
from msm.errors import BadInput
from msm.files import read_json, sha256_of, write_json
from msm.settings import listed

MANIFEST = "shards.json"
FORMAT = 2
COUNTED = tuple(field.name for field in dataclasses.fields(Counts))


@dataclass(frozen=True)
class ShardFacts:
    """What a manifest says of a shard."""

    language: str
    address: str
    """Of its folder, below that of the corpus."""
    files: dict[str, str]
    """Name to SHA-256."""
    size: int
    """Bytes of all files."""
    documents: int
    sentences: int
    tokens: int
    units: int
    runs: int
    span_tokens: int
    """Of all runs, `<s>` of every unit included."""
    blocks: int
    """Of masked language modelling, of the manifest's `block_tokens`."""
    block_tokens: int
    """Of all blocks, `<s>` included."""


@dataclass(frozen=True)
class ShardManifest:
    """What training needs to know of a corpus of shards."""

    address: str
    """Folder of the shards: a path, or an address of fsspec such as `s3://...`."""
    index: Index
    """With the counts of every language."""
    block_tokens: int
    """Longest block of those that are counted."""
    pieces_sha256: str
    """Of the tokenizer's pieces, see `msm.corpora.subwords.pieces_checksum`."""
    shards: tuple[ShardFacts, ...]

    def of(self, language: str) -> list[ShardFacts]:
        """The shards of a language, in order."""
        return [shard for shard in self.shards if shard.language == language]


def to_manifest(values: Mapping[str, Any], where: str) -> ShardManifest:
    """The manifest in the value of a JSON file.

    Raises:
        BadInput: it is none.
    """
    if values.get("format") != FORMAT:
        raise BadInput(f"{where}: not a manifest of shards in format {FORMAT}; `msm corpus` writes them")
    try:
        shards = tuple(ShardFacts(**shard) for shard in values["shards"])
        index = Index(**values["index"], languages=counts(shards))
        return ShardManifest(values["address"], index, values["block_tokens"], values["pieces_sha256"], shards)
    except (KeyError, TypeError) as error:
        raise BadInput(f"{where}: not a manifest of shards: {error}") from error


def counts(shards: Sequence[ShardFacts]) -> dict[str, Counts]:
    """How much every language has."""
    languages = sorted({shard.language for shard in shards})
    return {
        language: Counts(**{name: sum(getattr(s, name) for s in shards if s.language == language) for name in COUNTED})
        for language in languages
    }


def choose_shards(settings: Documents, path: Path, out: Path) -> dict[str, Any]:
    """Stage `documents` for a manifest: pass on the languages that are wanted.

    Args:
        settings: of the stage.
        path: of the manifest.
        out: gets `shards.json`.

    Returns:
        Documents and sentences of every language.

    Raises:
        BadInput: no such manifest or language, or something that only documents allow.
    """
    if listed(settings.collections) != [settings.collections.strip()]:
        raise BadInput(f"collections: {MANIFEST} goes with no other collection, got {settings.collections}")
    if settings.document_overlap != "all" or settings.reorder:
        raise BadInput(f"{path}: these shards are packed already: document_overlap must be all, and reorder 0")
    values = read_json(path)
    known = to_manifest(values, str(path)).index.languages
    wanted = sorted(known) if settings.languages == "all" else listed(settings.languages)
    if unknown := [language for language in wanted if language not in known]:
        raise BadInput(f"languages: no shard in {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    chosen = [shard for shard in values["shards"] if shard["language"] in wanted]
    write_json(out / MANIFEST, {**values, "shards": chosen})
    kept = {language: known[language] for language in sorted(wanted)}
    return {name: {language: getattr(kept[language], name) for language in kept} for name in ("documents", "sentences")}


def verify(folder: Path) -> int:
    """Check every shard of a manifest on disk against its checksums; returns their number.

    Raises:
        BadInput: a file differs.
    """
    manifest = to_manifest(read_json(folder / MANIFEST), str(folder / MANIFEST))
    for shard in manifest.shards:
        for name, expected in shard.files.items():
            if sha256_of(folder / shard.address / name) != expected:
                raise BadInput(f"{folder / shard.address / name}: not the file that the manifest speaks of")
    return len(manifest.shards)
