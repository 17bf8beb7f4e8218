"""Settings of a corpus recipe: its inputs, how documents are cleaned and packed, and limits of quality."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from msm.errors import BadInput
from msm.files import read_yaml
from msm.pipeline.artifacts import checksum
from msm.settings import Between, Count, Positive, Rate, Settings, Share, make


@dataclass(frozen=True)
class Input(Settings):
    """Input files of one kind."""

    address: str
    """Folder that the files are in, as fsspec writes it: a path, `s3://...`, `https://...`."""
    files: str
    """Pattern of the file names, such as `**/*.warc.gz`; or `@FILE`, a file below the address with a name on each
    line."""
    format: Literal["warc", "wet", "text", "jsonl", "wiki", "folder"]
    """Format of the files. `text` has one paragraph on each line and a blank line between documents; `folder` is a
    folder of files `LANGUAGE/DOCUMENT.txt`."""
    language: str
    """Code of the language of all files; empty where records or file names give it, or where it is not known."""


@dataclass(frozen=True)
class Corpus(Settings):
    """Settings of reading, cleaning and packing documents."""

    languages: str
    """Codes of the languages to keep, separated by commas; `all` for those of the table of languages."""
    part_files: Positive
    """Number of input files in a part. A task holds one part in memory, and repeats it after a kill."""
    longest_record: Positive
    """Largest number of bytes of a record; longer records are skipped and counted."""
    extract_seconds: Rate
    """Largest number of seconds that the extraction of the text of one page may take; a page that takes longer is
    dropped. Choose a generous number, because on a slow machine it decides which pages are kept."""
    paragraph_duplicates: Literal["drop", "keep"]
    """Whether duplicate paragraphs are kept. `drop` keeps only the first of several paragraphs that are equal except
    for case, digits and punctuation."""
    hash_buckets: Positive
    """Number of parts in which paragraph hashes are compared. A task holds the hashes of one part in memory."""
    identifier: str
    """Language identifier: `py3langid`, which ships its model, or the path of a fastText model (`lid.176.bin`)."""
    identify_characters: Positive
    """Number of characters at the beginning of a document from which its language is identified."""
    identify_score: Share
    """Smallest probability of the identified language, from 0 to 1."""
    near_duplicates: Literal["drop", "keep"]
    """Whether near duplicates are kept. `drop` keeps only one of the documents that MinHash takes for the same."""
    shingle_words: Positive
    """Number of words (characters, in scripts without blanks) that are hashed together."""
    minhash_bands: Positive
    """Number of bands of MinHash. Two documents are compared if all hash values of one band are equal."""
    minhash_rows: Positive
    """Number of hash values in a band of MinHash. Documents of Jaccard similarity s are taken for the same with
    probability 1 - (1 - s^rows)^bands."""
    perplexity_models: str
    """Folder of KenLM models, `LANG.arpa.bin` and `LANG.sp.model`; empty for no filter by perplexity."""
    unit_tokens: Annotated[int, Between(4)]
    """Largest number of tokens of a unit, its first special token included."""
    document_units: Annotated[int, Between(2)]
    """Largest number of consecutive units that the document encoder reads at once."""
    min_units: Annotated[int, Between(2)]
    """Smallest number of consecutive units that are kept for the document encoder."""
    shard_bytes: Positive
    """Number of bytes of text in a shard, approximately; all shards of a language have equal sizes."""
    block_tokens: Annotated[int, Between(4)]
    """Number of tokens in a block for masked language modelling, for which the manifest counts blocks."""
    seed: Count
    """Seed of the hash functions of MinHash."""


@dataclass(frozen=True)
class Quality(Settings):
    """Limits of quality for a document: one set for all languages, and the differences of single languages."""

    min_characters: Count
    """Smallest number of characters of a document, without blanks."""
    min_paragraph_characters: Rate
    """Smallest mean number of characters of the paragraphs of a document."""
    max_digit_share: Share
    """Largest share of digits among the characters of a document, without blanks."""
    max_other_share: Share
    """Largest share of the characters of a document that are neither letters, marks, digits nor blanks."""
    min_script_share: Share
    """Smallest share of the letters of a document that belong to the script of its language."""
    max_repeated_share: Share
    """Largest share of the text of a document in paragraphs that repeat an earlier paragraph of it."""
    max_perplexity: Rate
    """Largest perplexity of a document under the KenLM model of its language; 0 for no limit."""


PACKING = ("unit_tokens", "document_units", "min_units", "shard_bytes", "block_tokens")
"""Names of the settings that decide what is done with clean documents."""


@dataclass(frozen=True)
class CorpusRecipe:
    """A corpus recipe: inputs, settings and limits."""

    inputs: tuple[Input, ...]
    corpus: Corpus
    quality: dict[str, Quality]
    """Limits by language; `default` for all others."""

    def limits(self, language: str) -> Quality:
        """Return the limits of a language."""
        return self.quality.get(language, self.quality["default"])

    def fingerprint(self) -> str:
        """Return a checksum of everything that decides which documents are kept; packing is no part of it."""
        values = dataclasses.asdict(self)
        return checksum({**values, "corpus": {k: v for k, v in values["corpus"].items() if k not in PACKING}})


def read_recipe(path: Path) -> CorpusRecipe:
    """Read the recipe in a file.

    Raises:
        BadInput: the file is not a recipe, or a value is outside its limits.
    """
    return to_recipe(read_yaml(path), str(path))


def to_recipe(values: Any, where: str) -> CorpusRecipe:
    """Make a recipe from its blocks `inputs`, `corpus` and `quality`.

    Raises:
        BadInput: a block or a setting is missing or unknown, or a value is outside its limits.
    """
    if not isinstance(values, Mapping) or values.keys() != {"inputs", "corpus", "quality"}:
        raise BadInput(f"{where}: needs the blocks inputs, corpus and quality, and no others")
    if not values["inputs"] or "default" not in values["quality"]:
        raise BadInput(f"{where}: needs one input and the limits quality.default at least")
    inputs = tuple(make(Input, row, f"{where}: inputs {number}") for number, row in enumerate(values["inputs"], 1))
    limits = {
        language: make(Quality, {**values["quality"]["default"], **(differences or {})}, f"{where}: quality.{language}")
        for language, differences in values["quality"].items()
    }
    return CorpusRecipe(inputs, make(Corpus, values["corpus"], f"{where}: corpus"), limits)
