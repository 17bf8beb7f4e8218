"""LAReQA: a question in any language, its answer sentences in all languages, in one pool.

The official measure is map@20 on the pool of all languages: the XTREME-R scorer divides by min(relevant, 20); with 11
relevant that is trec_eval's map_cut. The same questions are asked of the candidates of one language too: their own
(monolingual) and each other (cross-lingual). A candidate is a sentence with its paragraph.
"""

from msm.collections.benchmark import Benchmark
from msm.collections.readers.lareqa import read_sentences
from msm.collections.sizes import XQUAD_R

BENCHMARK = Benchmark(
    name="lareqa",
    title="LAReQA (XQuAD-R)",
    protocol="lareqa",
    reader=read_sentences,
    measures=("map@20",),
    sources=("arXiv:2004.05484", "github.com/google-research-datasets/lareqa", "XTREME-R, arXiv:2104.07412"),
    split="test",
    counts=XQUAD_R,
    passage_context="paragraph",
    ties="reversed",
)
