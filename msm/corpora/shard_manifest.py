"""The manifest `shards.json`: the shards of a corpus, their addresses, checksums and counts.

It stands for a folder of token shards that would not fit on a disk, and only it is versioned. The stages `documents`
and `units` pass it on, so that a corpus packed elsewhere (`msm corpus`) takes the same way as every other corpus.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msm.corpora.settings import Documents
from msm.corpora.shards import Index, ShardCounts
from msm.errors import BadInput
from msm.files import check_below, read_json, sha256_of, write_json
from msm.settings import listed

MANIFEST = "shards.json"
FORMAT = 2
COUNTED = tuple(field.name for field in dataclasses.fields(ShardCounts))


@dataclass(frozen=True)
class ShardFacts:
    """The entry of one shard in a manifest."""

    language: str
    address: str
    """Address of the shard's folder, below that of the corpus."""
    files: dict[str, str]
    """SHA-256 of each file, by name."""
    size: int
    """Number of bytes of all files."""
    documents: int
    sentences: int
    tokens: int
    units: int
    runs: int
    run_tokens: int
    """Number of tokens of all spans, `<s>` of every unit included; the name is that of the file."""
    blocks: int
    """Number of blocks for masked language modelling, of the manifest's `block_tokens`."""
    block_tokens: int
    """Number of tokens of all blocks, `<s>` included."""


@dataclass(frozen=True)
class ShardManifest:
    """All that training needs to know about a corpus of shards."""

    address: str
    """Folder of the shards: a path, or an address that fsspec reads, such as `s3://...`."""
    index: Index
    """Special tokens, sizes of units and spans, and the counts of every language."""
    block_tokens: int
    """Largest number of tokens of the blocks that are counted."""
    pieces_sha256: str
    """Checksum of the tokenizer's pieces, see `msm.corpora.subwords.pieces_checksum`."""
    shards: tuple[ShardFacts, ...]

    def of(self, language: str) -> list[ShardFacts]:
        """Return the shards of a language, in order."""
        return [shard for shard in self.shards if shard.language == language]


def to_manifest(values: Any, where: str) -> ShardManifest:
    """Make a manifest from the value of a JSON file.

    Raises:
        BadInput: the value is not a manifest of shards.
    """
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        raise BadInput(f"{where}: not a manifest of shards in format {FORMAT}; `msm corpus` writes them")
    try:
        shards = tuple(ShardFacts(**shard) for shard in values["shards"])
        index = Index(**values["index"], languages=counts(shards))
        manifest = ShardManifest(values["address"], index, values["block_tokens"], values["pieces_sha256"], shards)
        names = {name for shard in shards for name in (shard.address, *shard.files)}
    except (KeyError, TypeError) as error:
        raise BadInput(f"{where}: not a manifest of shards: {error}") from error
    for name in sorted(map(str, names)):
        check_below(name, where)
    return manifest


def counts(shards: Sequence[ShardFacts]) -> dict[str, ShardCounts]:
    """Return the counts of every language."""
    languages = sorted({shard.language for shard in shards})
    return {
        language: ShardCounts(
            **{name: sum(getattr(s, name) for s in shards if s.language == language) for name in COUNTED}
        )
        for language in languages
    }


def choose_shards(settings: Documents, path: Path, out: Path) -> dict[str, Any]:
    """Do the stage `documents` for a manifest: keep the languages that the settings name.

    Args:
        settings: settings of the stage.
        path: path of the manifest.
        out: folder that gets `shards.json`.

    Returns:
        Documents and sentences of every language.

    Raises:
        BadInput: the manifest or a language is missing, or a setting needs documents that are not packed.
    """
    if listed(settings.collections) != [settings.collections.strip()]:
        raise BadInput(f"collections: {MANIFEST} goes with no other collection, got {settings.collections}")
    if settings.document_overlap != "all" or settings.reorder or settings.share != 1.0:
        raise BadInput(f"{path}: these shards are packed already: document_overlap must be all, share 1, and reorder 0")
    values = read_json(path)
    languages = to_manifest(values, str(path)).index.languages
    codes = sorted(languages) if settings.languages == "all" else listed(settings.languages)
    if unknown_codes := [language for language in codes if language not in languages]:
        raise BadInput(f"languages: no shard in {', '.join(unknown_codes)}; there are {', '.join(sorted(languages))}")
    shards = [shard for shard in values["shards"] if shard["language"] in codes]
    write_json(out / MANIFEST, {**values, "shards": shards})
    sizes_by_language = {language: languages[language] for language in sorted(codes)}
    return {
        name: {language: getattr(sizes_by_language[language], name) for language in sizes_by_language}
        for name in ("documents", "sentences")
    }


def verify(folder: Path) -> int:
    """Check every shard of a manifest on disk against its checksums; returns their number.

    Raises:
        BadInput: a file differs.
    """
    manifest = to_manifest(read_json(folder / MANIFEST), str(folder / MANIFEST))
    for shard in manifest.shards:
        for name, expected in shard.files.items():
            if sha256_of(folder / shard.address / name) != expected:
                raise BadInput(f"{folder / shard.address / name}: not the file that the manifest lists")
    return len(manifest.shards)
