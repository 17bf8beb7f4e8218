"""Settings of the stages that make documents, tokenizers and token shards."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msm.errors import BadInput
from msm.settings import Between, Count, Positive, Settings, Share

TRAINED = "trained"
"""Name of a tokenizer that is trained on the documents."""
ENCODERS = ("e5_small", "e5_small_q4")
"""Names in the table of sources that are encoders with their tokenizer."""


@dataclass(frozen=True, kw_only=True)
class Download(Settings):
    """Downloads public files and verifies their checksums."""

    collections: str
    """Names of collections, separated by commas: names in `msm/corpora/sources.json`, addresses of tables in the same
    form, and folders of your own as paths with a slash (`./texts`)."""


@dataclass(frozen=True, kw_only=True)
class World(Settings):
    """Makes documents and questions about a small world in constructed languages."""

    languages: Annotated[int, Between(2, 78)]
    """Number of constructed languages. Training questions are asked in the first one."""
    train_documents: Positive
    """Number of documents for pre-training, each told in every language."""
    question_documents: Positive
    """Number of documents that training questions are asked about."""
    test_documents: Positive
    """Number of documents that development questions are asked about. Test questions are asked about as many other
    documents."""
    common_share: Share
    """Share of the names and numbers, of each kind, that all languages write alike, from 0 to 1. Each language has
    words of its own for the rest."""
    synonyms: Positive
    """Number of words for each verb. With several, a sentence and its question use different words."""
    asked_share: Share
    """Share of the sentences of pre-training documents that stand after their question, from 0 to 1."""
    seed: Count
    """Seed of the world, its languages and its texts."""


@dataclass(frozen=True, kw_only=True)
class Documents(Settings):
    """Turns any source into documents: language, id and ordered sentences."""

    collections: str
    """Names of files or folders below the sources, separated by commas, such as `documents/ntrex128.jsonl.gz` or a
    folder of `LANG/*.txt`."""
    languages: str = "all"
    """Codes of the languages to keep, separated by commas; `all` keeps every language."""
    document_overlap: Literal["all", "disjoint"] = "all"
    """Whether every language keeps every document (`all`), or each document stays in one language only (`disjoint`)."""
    share: Share = 1.0
    """Share of the documents that are kept, the same ones in every language, from 0 to 1. A smaller share is part of a
    larger one."""
    reorder: Share = 0.0
    """Share of the documents whose sentences are shuffled, in all languages but the first listed one, from 0 to 1."""
    seed: Count = 1
    """Seed of the random choices of `share`, `disjoint` and `reorder`."""


@dataclass(frozen=True, kw_only=True)
class Tokenizer(Settings):
    """Saves a public tokenizer, or trains a SentencePiece unigram model on the documents."""

    name: str
    """Name of the tokenizer: `trained` for a new one, the folder or hub name of a Hugging Face tokenizer, or `e5_small`
    or `e5_small_q4`."""
    pieces: Count = 0
    """Vocabulary size of a trained tokenizer, special tokens included; 0 for a public one."""
    character_coverage: Annotated[float, Between(0.9, 1)] = 1.0
    """Share of the characters of the documents that a trained tokenizer must spell."""
    language_sentences: Positive = 20000
    """Largest number of sentences of one language that training reads, so that large languages leave room for small
    ones."""
    least_count: Count = 0
    """Smallest number of times that a piece of a public tokenizer must occur in the documents to be kept; pieces of one
    character are always kept. The stage `encoder` keeps the embeddings of the kept pieces. 0 keeps all pieces."""

    def __post_init__(self) -> None:
        """Check every field, and that a trained tokenizer alone has a number of pieces.

        Raises:
            BadInput: a value is outside its type or limits, or of no use with this name.
        """
        super().__post_init__()
        if self.name == TRAINED and self.least_count:
            raise BadInput("least_count trims a public tokenizer; a trained one has as many pieces as `pieces` says")
        if self.name == TRAINED and not self.pieces:
            raise BadInput("pieces must be at least 1 for a trained tokenizer, got 0")


@dataclass(frozen=True, kw_only=True)
class Units(Settings):
    """Packs documents to token shards. Whole sentences are packed greedily to units, as in the released code."""

    unit_tokens: Annotated[int, Between(8)]
    """Largest number of tokens of a unit, its first special token included. The paper takes 64."""
    document_units: Annotated[int, Between(2)]
    """Largest number of consecutive units that the document encoder reads at once. The paper takes 32."""
    min_units: Annotated[int, Between(2)]
    """Smallest number of consecutive units that are kept. The paper takes 32, so that there is never padding."""


@dataclass(frozen=True, kw_only=True)
class Parallel(Settings):
    """Turns parallel sentences into token ids."""

    collections: str
    """Names of files or folders below the sources, separated by commas: documents with sentences in several languages,
    questions with their English, or folders of aligned lines (see `msm.corpora.bitext`)."""
    pivot: str
    """Code of the language of one side of every pair; with a teacher, the language that the teacher knows."""
    languages: str = "all"
    """Codes of the other languages, separated by commas; `all` for every language."""
    sentence_tokens: Annotated[int, Between(8)]
    """Largest number of tokens of a sentence, special tokens included; longer sentences are cut. MEXMA takes 200."""
