"""XQuAD-R and MLQA-R in the protocol of hybrid batch sampling.

Monolingual: candidates of the question's language. Cross-lingual: those of one other language, for every ordered pair;
only questions that have an answer there count. Multilingual: all candidates. map is that of the full ranking, recall@1
is given for one language and recall@10 for all (a share of the relevant ones, so at most 10/11 on XQuAD-R), and
rank_distance says how far the answers in all languages lie apart. A candidate is the sentence alone.

MLQA-R was removed from google-research-datasets/lareqa on 2020-04-28 and is in its history (354d67d, `mlqa-r`,
CC BY-NC 4.0). The benchmarks with `dedup` in their name merge equal questions of a language, as the paper must have
done.
"""

from dataclasses import replace

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.readers.lareqa import read_alone, read_merged
from msm.collections.sizes import XQUAD_R as XQUAD_R_COUNTS

MLQA_COUNTS = {
    "ar": PublishedSizes(517, 2545),
    "de": PublishedSizes(512, 2362),
    "en": PublishedSizes(1148, 6264),
    "es": PublishedSizes(500, 1787),
    "hi": PublishedSizes(507, 2426),
    "vi": PublishedSizes(511, 2828),
    "zh": PublishedSizes(504, 2322),
}
"""Questions and sentences of each language; 4,199 and 20,534 in all."""

XQUAD_R = Benchmark(
    name="xquad_r",
    title="XQuAD-R",
    protocol="hybrid-batch",
    reader=read_alone,
    measures=("map", "recall@10", "rank_distance"),
    language_measures=("map", "recall@1"),
    sources=("arXiv:2408.10536", "arXiv:2004.05484", "github.com/google-research-datasets/lareqa"),
    split="test",
    counts=XQUAD_R_COUNTS,
)
MLQA_R = replace(
    XQUAD_R,
    name="mlqa_r",
    title="MLQA-R",
    split="dev",
    counts=MLQA_COUNTS,
    sources=("arXiv:2408.10536", "github.com/google-research-datasets/lareqa at 354d67d"),
)


def _merged(benchmark: Benchmark) -> Benchmark:
    """Return a benchmark with equal questions merged. How many are left is not published."""
    return replace(
        benchmark,
        name=f"{benchmark.name}_dedup",
        title=f"{benchmark.title}, equal questions merged",
        protocol="hybrid-batch, equal questions merged",
        reader=read_merged,
        counts={language: counts._replace(questions=None) for language, counts in benchmark.counts.items()},
        printed_as=benchmark.name,
    )


XQUAD_R_DEDUP, MLQA_R_DEDUP = _merged(XQUAD_R), _merged(MLQA_R)
CONSTRUCTED = replace(
    XQUAD_R.owned("constructed_hybrid"), title="Constructed languages, hybrid protocol", printed_as=""
)
"""The worlds of `constructed`, in this protocol."""
