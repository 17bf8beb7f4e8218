"""Settings of the stages `retrieve`, `lexical` and `fuse`."""

from dataclasses import dataclass
from typing import Literal

from msm.errors import BadInput
from msm.settings import Count, Positive, Rate, Settings, Share

BM25 = "bm25"
"""Name under which `msm evaluate` takes BM25 for a model."""
GIVEN, SHIPPED = "given", "py3langid"
"""Names of the labels of a collection, and of the identifier of languages that is a package."""
NEIGHBOURS = 4
"""Number of neighbours that a margin is relative to; LASER's k."""
LanguageVectorsKind = Literal["none", "shift", "both_sides", "own"]


@dataclass(frozen=True, kw_only=True)
class Retrieve(Settings):
    """Encodes the questions and passages of a benchmark, searches exactly, and writes TREC runs."""

    benchmark: str
    """Reference of the benchmark, such as `mr_tydi`, `mr_tydi-sw,bn`, `tatoeba@deu-eng` or `beir:NAME`."""
    questions: str
    """Folder of the benchmark's files, below the sources."""
    depth: Positive = 100
    """Number of passages that are kept for each question in the pool of all languages; more are kept if a measure of
    the benchmark looks deeper."""
    pool_depth: Positive = 20
    """Number of passages that are kept for each question in the pool of one language."""
    batch_tokens: Positive = 16384
    """Number of tokens that are encoded at once. More tokens need more memory and give the same vectors."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format in which the model computes."""
    language_vectors: LanguageVectorsKind = "none"
    """Vectors of each language that are subtracted between encoding and search: `none`; `shift` (arXiv 2606.18801)
    subtracts from passages the mean difference to the pivot language over parallel texts; `both_sides` subtracts the
    mean of parallel texts from passages and from questions, each encoded as its side is; `own` subtracts the mean of
    the searched passages from both, which is transductive."""
    language_texts: str = ""
    """Name of a file or folder of parallel documents in sentences, below the sources, for `shift` and `both_sides`."""
    language_sentences: Count = 200
    """Number of sentences of each language (of passages, with `own`) from which its vector is estimated; 0 for all.
    With `own` and 0 all passages are encoded twice."""
    language_pivot: str = "en"
    """Code of the language whose vectors `shift` leaves unchanged."""
    language_labels: str = "given"
    """Source of the language of each text for language vectors: `given` by the collection, or identified among the
    collection's languages by `py3langid` or by the fastText model at a path."""

    def __post_init__(self) -> None:
        """Check every field, and that parallel texts are named where they are read.

        Raises:
            BadInput: a value outside its type or limits, or texts that are missing or not read.
        """
        super().__post_init__()
        if (self.language_vectors in ("shift", "both_sides")) != bool(self.language_texts):
            need = "has no use for" if self.language_texts else "needs"
            raise BadInput(f"language_vectors {self.language_vectors} {need} language_texts")
        if self.language_vectors == "none" and self.language_labels != GIVEN:
            raise BadInput("language_labels: no language vectors are taken off")


@dataclass(frozen=True, kw_only=True)
class Lexical(Settings):
    """Searches the questions and passages of a benchmark with BM25."""

    benchmark: str
    """Reference of the benchmark, such as `mr_tydi`, `mr_tydi-sw,bn`, `tatoeba@deu-eng` or `beir:NAME`."""
    questions: str
    """Folder of the benchmark's files, below the sources."""
    analyzer: Literal["words", "characters"] = "words"
    """Kind of terms that BM25 counts: `words`, or n-grams of 2 to 4 `characters` within words."""
    k1: Rate = 0.9
    """BM25's number k1, 0 or more: the larger it is, the more the repetitions of a term in a passage count. Pyserini
    takes 0.9."""
    b: Share = 0.4
    """BM25's number b, from 0 to 1: how far scores are normalised by the length of the passage. Pyserini takes 0.4."""
    depth: Positive = 100
    """Number of passages that are kept for each question in the pool of all languages."""
    pool_depth: Positive = 20
    """Number of passages that are kept for each question in the pool of one language."""
    passage_context: Literal["benchmark", "none", "paragraph", "title_text"] = "benchmark"
    """Text of a passage that is searched: its own text alone (`none`), or together with its paragraph or its title;
    `benchmark` for the text that the official run of the benchmark searches."""


@dataclass(frozen=True, kw_only=True)
class Fuse(Settings):
    """Adds the scores of a dense and a BM25 run of the same questions, as the README of Mr. TyDi does."""

    alpha: Rate = 1.0
    """Weight of the dense scores, after the scores of either run are scaled to the same range question by question.
    BM25 has a weight of 1."""
    depth: Positive = 100
    """Number of passages that are kept for each question, in every pool."""
