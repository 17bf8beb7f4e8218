"""Settings of the stages that make documents, tokenizers and token shards."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msm.settings import Between, Count, Positive, Settings, Share


@dataclass(frozen=True, kw_only=True)
class Download(Settings):
    """Public files, fetched and verified."""

    collections: str
    """Names in `msm/corpora/sources.json`, addresses of tables in the same form, and own folders as paths with a slash
    (`./texts`), with commas."""


@dataclass(frozen=True, kw_only=True)
class World(Settings):
    """A small world told in constructed languages."""

    languages: Annotated[int, Between(2, 78)]
    """Number of constructed languages. Training questions are asked in the first one."""
    train_documents: Positive
    """Documents for pre-training, each told in every language."""
    question_documents: Positive
    """Documents that training questions are asked about."""
    test_documents: Positive
    """Documents that development questions are asked about, and as many for test questions."""
    common_share: Share
    """Share of the names and numbers, of each kind, that all languages write alike. Each language has words of its own
    for the rest."""
    synonyms: Positive
    """Words for each verb. With several, a sentence and its question use different ones."""
    asked_share: Share
    """Share of the sentences of pre-training documents that their question goes before."""
    seed: Count
    """Seed of the world, its languages and its texts."""


@dataclass(frozen=True, kw_only=True)
class Documents(Settings):
    """Any source to (language, document id, ordered sentences)."""

    collections: str
    """Files or folders below the sources, with commas: `documents/ntrex128.jsonl.gz`, folders of `LANG/*.txt`."""
    languages: str = "all"
    """Languages to keep, with commas; `all` keeps every one."""
    document_overlap: Literal["all", "disjoint"] = "all"
    """Whether every language keeps every document (`all`), or each document stays in one language only (`disjoint`)."""
    reorder: Share = 0.0
    """Share of the documents whose sentences are shuffled, in all languages but the first of the list."""
    seed: Count = 1
    """Seed of the choices that `disjoint` and `reorder` make."""


@dataclass(frozen=True, kw_only=True)
class Tokenizer(Settings):
    """A public tokenizer, or a SentencePiece unigram model trained on the documents."""

    name: str
    """`trained`, the folder or hub name of a Hugging Face tokenizer, or `e5_small` or `e5_small_q4`."""
    pieces: Count = 0
    """Vocabulary size of a trained tokenizer, special tokens included; 0 for a public one."""
    character_coverage: Annotated[float, Between(0.9, 1)] = 1.0
    """Share of the characters that a trained tokenizer must spell."""
    language_sentences: Positive = 20000
    """Most sentences of one language that training reads, so that large languages do not crowd out small ones."""
    least_count: Count = 0
    """Occurrences in the documents below which a piece of a public tokenizer is dropped; pieces of one character stay,
    and the stage `encoder` keeps the embeddings of the others. 0 keeps all pieces."""


@dataclass(frozen=True, kw_only=True)
class Units(Settings):
    """Documents to packed token shards: whole sentences are packed greedily, as in the released code."""

    unit_tokens: Annotated[int, Between(8)]
    """Longest unit in tokens, its first special token included. The paper takes 64."""
    document_units: Annotated[int, Between(2)]
    """Most consecutive units that the document encoder reads at once. The paper takes 32."""
    min_units: Annotated[int, Between(2)]
    """Fewest consecutive units that are kept. The paper takes 32, that is, there is never padding."""


@dataclass(frozen=True, kw_only=True)
class Parallel(Settings):
    """Parallel sentences to token ids."""

    collections: str
    """Files or folders below the sources, with commas: documents with sentences in several languages, questions with
    their English, folders of aligned lines; see `msm.corpora.bitext`."""
    pivot: str
    """Language of one side of every pair; with a teacher, the language that the teacher knows."""
    languages: str = "all"
    """The other languages, with commas; `all` for every one."""
    sentence_tokens: Annotated[int, Between(8)]
    """Longest sentence in tokens, special tokens included; longer ones are cut. MEXMA takes 200."""
