"""Settings of the stages `retrieve` and `lexical`."""

from dataclasses import dataclass
from typing import Literal

from msm.settings import Positive, Rate, Settings, Share


@dataclass(frozen=True, kw_only=True)
class Retrieve(Settings):
    """Encode a benchmark's questions and candidates, search exactly, write TREC runs."""

    benchmark: str
    """Reference of the benchmark, such as `mr_tydi`, `mr_tydi-sw,bn`, `tatoeba@deu-eng` or `beir:NAME`."""
    questions: str
    """Folder of the questions below the sources."""
    depth: Positive
    """Passages kept per question in the multilingual pool; more where a measure of the benchmark looks deeper."""
    pool_depth: Positive
    """The same in the pool of one language."""
    batch_tokens: Positive
    """Tokens encoded at once."""
    precision: Literal["fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class Lexical(Settings):
    """BM25 over the same questions and candidates."""

    benchmark: str
    questions: str
    analyzer: Literal["words", "characters"]
    """Terms: words, or character n-grams of 2 to 4 within words."""
    k1: Rate
    b: Share
    depth: Positive
    pool_depth: Positive
    passage_context: Literal["benchmark", "none", "paragraph", "title_text"] = "benchmark"
    """What is searched of a passage: its text alone, or with its paragraph or its title; `benchmark` for what the
    official run of the benchmark searches."""
