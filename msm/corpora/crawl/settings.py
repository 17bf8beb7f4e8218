"""What a corpus is made of and how it is cleaned: the blocks of a corpus recipe."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml

from msm.errors import BadInput
from msm.pipeline.artifacts import checksum
from msm.settings import Between, Count, Positive, Rate, Settings, Share, make


@dataclass(frozen=True)
class Input(Settings):
    """Files of one kind."""

    address: str
    """Folder that the files are in, as fsspec writes it: a path, `s3://...`, `https://...`."""
    files: str
    """Pattern of their names, such as `**/*.warc.gz`; or `@FILE`, a file below the address with one name a line."""
    format: Literal["warc", "wet", "text", "jsonl", "wiki", "folder"]
    """`text`: a paragraph a line and a blank line between documents; `folder`: `LANGUAGE/DOCUMENT.txt`."""
    language: str
    """Language of all of it; empty where the records or the names of the files say it, or nothing does."""


@dataclass(frozen=True)
class Corpus(Settings):
    """How documents are read, cleaned and packed."""

    languages: str
    """Codes to keep, with commas; `all` for those of the table of languages."""
    part_files: Positive
    """Input files that are one part: what a task does at once and does again after a kill, and holds in memory."""
    longest_record: Positive
    """In bytes; a record above it is passed over and counted."""
    extract_seconds: Rate
    """Most time for the text of one page; generous, for on a slow machine it decides what is kept."""
    paragraph_duplicates: Literal["drop", "keep"]
    """`drop`: of paragraphs that are equal but for case, digits and punctuation only the first stays."""
    hash_buckets: Positive
    """Pieces that the paragraph hashes are compared in; memory is all hashes over these."""
    identifier: str
    """`py3langid`, which ships its model, or the path of a fastText model (`lid.176.bin`)."""
    identify_characters: Positive
    """Characters of a document that its language is told from, from its beginning."""
    identify_score: Share
    """Least probability of the language."""
    near_duplicates: Literal["drop", "keep"]
    """`drop`: of documents that MinHash takes for the same only one stays."""
    shingle_words: Positive
    """Words (characters, in scripts without blanks) that are hashed together."""
    minhash_bands: Positive
    minhash_rows: Positive
    """Documents of Jaccard similarity s are taken for the same with probability 1 - (1 - s^rows)^bands."""
    perplexity_models: str
    """Folder of KenLM models, `LANG.arpa.bin` and `LANG.sp.model`; empty for no such filter."""
    unit_tokens: Annotated[int, Between(4)]
    document_units: Annotated[int, Between(2)]
    min_units: Annotated[int, Between(2)]
    shard_bytes: Positive
    """Text of a shard; its shards of a language are of equal size, and near this one."""
    block_tokens: Annotated[int, Between(4)]
    """Blocks of masked language modelling are counted in the manifest for this size."""
    seed: Count
    """Of MinHash."""


@dataclass(frozen=True)
class Quality(Settings):
    """What a document must be like to stay; one set of limits for all languages, and what differs for some."""

    min_characters: Count
    """Blanks not counted."""
    min_paragraph_characters: Rate
    """On average over its paragraphs."""
    max_digit_share: Share
    """Of the characters that are not blanks."""
    max_other_share: Share
    """Share of what is neither letter, mark, digit nor blank."""
    min_script_share: Share
    """Share of the letters that are of the language's script."""
    max_repeated_share: Share
    """Share of the text in paragraphs that the document had before."""
    max_perplexity: Rate
    """Under the language's model; 0 for no limit."""


PACKING = ("unit_tokens", "document_units", "min_units", "shard_bytes", "block_tokens")
"""Settings of what is done with clean documents."""


@dataclass(frozen=True)
class Recipe:
    """A corpus recipe: inputs, settings and limits."""

    inputs: tuple[Input, ...]
    corpus: Corpus
    quality: dict[str, Quality]
    """By language; `default` for the others."""

    def limits(self, language: str) -> Quality:
        """The limits of a language."""
        return self.quality.get(language, self.quality["default"])

    def fingerprint(self) -> str:
        """Identity of everything that decides what documents come out; how they are packed is not part of it."""
        values = dataclasses.asdict(self)
        return checksum({**values, "corpus": {k: v for k, v in values["corpus"].items() if k not in PACKING}})


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        BadInput: not a recipe, or a value out of its limits.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML: {error}".replace("\n", " ")) from error
    return to_recipe(values, str(path))


def to_recipe(values: Any, where: str) -> Recipe:
    """A recipe from its blocks `inputs`, `corpus` and `quality`.

    Raises:
        BadInput: a block or a setting is missing or unknown, or a value is out of its limits.
    """
    if not isinstance(values, Mapping) or values.keys() != {"inputs", "corpus", "quality"}:
        raise BadInput(f"{where}: needs the blocks inputs, corpus and quality, and no others")
    if not values["inputs"] or "default" not in values["quality"]:
        raise BadInput(f"{where}: needs one input and the limits quality.default at least")
    inputs = tuple(make(Input, row, f"{where}: inputs {number}") for number, row in enumerate(values["inputs"], 1))
    limits = {
        language: make(Quality, {**values["quality"]["default"], **(own or {})}, f"{where}: quality.{language}")
        for language, own in values["quality"].items()
    }
    return Recipe(inputs, make(Corpus, values["corpus"], f"{where}: corpus"), limits)
