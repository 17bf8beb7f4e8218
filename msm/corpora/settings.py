"""Settings of the stages that make documents and token shards."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msm.settings import Between, Count, Positive, Settings, Share


@dataclass(frozen=True, kw_only=True)
class Download(Settings):
    """Public files, fetched and verified."""

    collections: str
    """Names in `msm/corpora/sources.json`, and own folders as paths with a slash (`./texts`), with commas."""


@dataclass(frozen=True, kw_only=True)
class World(Settings):
    """A small world told in constructed languages."""

    languages: Annotated[int, Between(2, 78)]
    """Constructed languages; the first is the one with training questions."""
    train_documents: Positive
    """Documents told in every language for pre-training."""
    question_documents: Positive
    """Documents with training questions."""
    test_documents: Positive
    """Documents with questions for dev, and as many for test."""
    common_share: Share
    """Share of the names and numbers, of each kind, that all languages write alike; each has own words for the rest."""
    synonyms: Positive
    """Words for each verb; a sentence and its question use different ones if there are several."""
    asked_share: Share
    """Share of the sentences of pre-training documents that their question goes before."""
    seed: Count
    """Of the world, its languages and its texts."""


@dataclass(frozen=True, kw_only=True)
class Documents(Settings):
    """Any source to (language, document id, ordered sentences)."""

    collections: str
    """Files or folders below the sources, with commas: `documents/ntrex128.jsonl.gz`, folders of `LANG/*.txt`."""
    languages: str
    """Languages to keep, with commas; `all` keeps every one."""
    document_overlap: Literal["all", "disjoint"]
    """`all`: every language keeps every document; `disjoint`: each document stays in one language only."""
    reorder: Share
    """Share of the documents whose sentences are shuffled, in all languages but the first listed."""
    seed: Count
    """Of `disjoint` and `reorder`."""


@dataclass(frozen=True, kw_only=True)
class Tokenizer(Settings):
    """A public tokenizer, or a SentencePiece unigram model trained on the documents."""

    name: str
    """`trained`, the folder or hub name of a Hugging Face tokenizer, or `e5_small` or `e5_small_q4`."""
    pieces: Count
    """Vocabulary size of a trained one, special tokens included."""
    character_coverage: Annotated[float, Between(0.9, 1)]
    """Share of the characters that a trained one must spell."""
    language_sentences: Positive
    """Most sentences that training reads of one language; keeps large languages from crowding out small ones."""
    least_count: Count = 0
    """Trims a public tokenizer to the pieces that occur so often in the documents, and those of one character; the
    stage `encoder` keeps their embeddings. 0 keeps all pieces."""


@dataclass(frozen=True, kw_only=True)
class Units(Settings):
    """Documents to packed token shards (protocol of the released code: greedy whole-sentence units)."""

    unit_tokens: Annotated[int, Between(8)]
    """Longest unit, its first special token included; the paper: 64."""
    document_units: Annotated[int, Between(2)]
    """Longest run of units that the document encoder reads; the paper: 32."""
    min_units: Annotated[int, Between(2)]
    """Shortest run that is kept; the paper: 32, that is, no padding ever."""


@dataclass(frozen=True, kw_only=True)
class Pairs(Settings):
    """Parallel sentences to token ids."""

    collections: str
    """Files or folders below the sources, with commas: documents with sentences in several languages, questions with
    their English, folders of aligned lines; see `msm.corpora.bitext`."""
    pivot: str
    """Language of one side of every pair; with a teacher, the one that it knows."""
    languages: str
    """The other languages, with commas; `all` for every one."""
    sentence_tokens: Annotated[int, Between(8)]
    """Longest sentence, special tokens included; MEXMA: 200."""
