"""`msm bench retrieve` times encoding, search and scoring against the libraries that people use for them.

Encoding is compared with sentence-transformers at its default batch (which also sorts texts by length and pads 32 of
them to their longest), with the same weights and precision, from texts to vectors. Search is compared with FAISS's
`IndexFlatIP`, which is built before the clock runs; search with exact ranks of the relevant passages, with
`IndexFlatIP` without them. Scoring is compared with pytrec_eval, whose dictionaries and evaluator are ready, and with
ir_measures on the same dictionaries; this project's integer arrays, as it keeps a run, are ready too. All give every
measure of every query.

Results of the two sides must agree before the clock runs.
"""

import functools
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import faiss
import ir_measures
import numpy as np
import pyarrow as pa
import pytrec_eval
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from msm.bench.invented import DEPTH, invented_texts, judged_run, write_model, xlmr
from msm.bench.race import race
from msm.collections.collection import Pool
from msm.collections.measure_names import parse_measure
from msm.collections.records import Passage, Query
from msm.collections.runs import Qrels, Run
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.encoders.module_chain import Tokens
from msm.evaluation.measures import RunValues, evaluate
from msm.retrieval.inner_products import DenseVectors, pair_scores
from msm.retrieval.search import Relevant, nearest, search_shard
from msm.retrieval.stream import search

MEASURES = {"mrr": "recip_rank", "recall@100": "recall.100", "ndcg@10": "ndcg_cut.10", "map@20": "map_cut.20"}
"""Names of measures, and the names of the same measures in trec_eval."""


class Size(NamedTuple):
    """Sizes of all comparisons."""

    layers: int
    width: int
    heads: int
    texts: dict[str, int]
    passages: int
    """Number of passages of the search."""
    search_queries: int
    """Number of queries of the search."""
    ranked_passages: int
    """Number of passages of the search that counts exact ranks."""
    scored_queries: int
    """Number of queries of the scoring."""
    pairs: int


FULL = Size(12, 768, 12, {"sentences": 600, "passages": 200}, 1_000_000, 1000, 200_000, 10_000, 7)
QUICK = Size(4, 256, 4, {"sentences": 240, "passages": 48}, 50_000, 300, 50_000, 2_000, 5)
CORPORA = (50_000, 200_000)
"""Numbers of passages of the two corpora whose memory is compared."""
RELEVANT = (1, 11)
"""Numbers of relevant passages of a question, whose exact ranks are counted: as in Mr. TyDi, and as in LAReQA."""
CHECKED_QUERIES = 8
"""Number of questions whose counts are checked against all products before the clock runs."""
SEARCH_WIDTH = 384


def run(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield one row for each comparison, as `docs/speed.md` shows them.

    Args:
        quick: whether a small model and fewer passages, queries and pairs are enough.
    """
    size = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        yield from _encode_races(size, Path(folder))
        if not quick:
            yield _memory(Path(folder), CORPORA)
    yield _search_race(size)
    for relevant in RELEVANT:
        yield _ranks_race(size, relevant)
    yield from _score_races(size)


def _encode_races(size: Size, folder: Path) -> Iterator[dict[str, Any]]:
    config = functools.partial(xlmr, size.layers, size.width, size.heads)
    write_model(config, folder, list(itertools.islice(invented_texts("sentences"), 3000)))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    ours = open_encoder(folder, device=device, precision="fp32")
    theirs = SentenceTransformer(str(folder), device=str(device))
    for kind, count in size.texts.items():
        texts = list(itertools.islice(invented_texts(kind, 1), count))
        yield _encode_race(size, ours, theirs, kind, texts)


def _encode_race(size: Size, ours: Encoder, theirs: SentenceTransformer, kind: str, texts: list[str]) -> dict[str, Any]:
    passages = [Passage(str(number), "en", text) for number, text in enumerate(texts)]
    vectors, reference = ours.encode_passages(passages), theirs.encode(texts)
    cosine = float((vectors * reference).sum(axis=1).min())
    if cosine < 0.9999:
        raise RuntimeError(f"the vectors of the two sides differ: cosine {cosine}")
    lengths = [len(ids) for ids in cast(Tokens, ours.prepare_passages(passages)).ids]
    return race(
        "encode_vs_sentence_transformers",
        lambda: ours.encode_passages(passages),
        lambda: theirs.encode(texts),
        size.pairs,
        texts=len(texts),
        kind=kind,
        mean_tokens=round(float(np.mean(lengths)), 1),
        precision="fp32",
        shape=f"{size.layers} layers x {size.width}",
        least_cosine=round(cosine, 6),
    )


def _memory(folder: Path, corpora: tuple[int, int]) -> dict[str, Any]:
    """Compare the peak memory of this process while a small model encodes and searches a small and a large corpus."""
    texts = list(itertools.islice(invented_texts("sentences"), 3000))
    write_model(functools.partial(xlmr, 2, 64, 2), folder / "small", texts)
    encoder = open_encoder(folder / "small", device=torch.device("cpu"), precision="fp32")
    pool = Pool("all", None, None)
    queries = [Query(str(number), "en", text) for number, text in enumerate(texts[:100])]
    peaks = []
    # The first pass is not measured: it fills the caches of the libraries.
    for turn, count in enumerate((corpora[0], *corpora)):
        Path("/proc/self/clear_refs").write_text("5")
        passages = (
            Passage(str(passage_number), "en", f"{passage_number} {texts[passage_number % len(texts)]}")
            for passage_number in range(count)
        )
        search(queries, passages, encoder, {pool: DEPTH}, folder / f"records-{turn}")
        peaks.append(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]))
    facts = {"passages": list(corpora), "peak_mib": [round(peak / 1024) for peak in peaks[1:]]}
    return {"name": "peak_memory_large_vs_small", "ratio": round(peaks[2] / peaks[1], 3), **facts, "device": "cpu"}


def _search_race(size: Size) -> dict[str, Any]:
    random = np.random.default_rng(0)
    passages = random.standard_normal((size.passages, SEARCH_WIDTH), dtype=np.float32)
    queries = random.standard_normal((size.search_queries, SEARCH_WIDTH), dtype=np.float32)
    index = faiss.IndexFlatIP(SEARCH_WIDTH)
    index.add(passages)  # pyright: ignore[reportCallIssue]  (FAISS's wrapper has another signature than its stub)
    (positions, scores), (reference_scores, reference) = nearest(queries, passages, DEPTH), _flat(index, queries)
    _check_same(positions, scores, reference, reference_scores)
    return race(
        "search_vs_faiss",
        lambda: nearest(queries, passages, DEPTH),
        lambda: _flat(index, queries),
        size.pairs,
        passages=size.passages,
        queries=size.search_queries,
        width=SEARCH_WIDTH,
        depth=DEPTH,
    )


def _ranks_race(size: Size, relevant: int) -> dict[str, Any]:
    """Compare a search with exact ranks of random relevant passages with a search for the best passages alone.

    Random passages are the worst case: most of them score nearly as a thousand others do.
    """
    random = np.random.default_rng(1)
    passages = random.standard_normal((size.ranked_passages, SEARCH_WIDTH), dtype=np.float32)
    queries = random.standard_normal((size.search_queries, SEARCH_WIDTH), dtype=np.float32)
    index = faiss.IndexFlatIP(SEARCH_WIDTH)
    index.add(passages)  # pyright: ignore[reportCallIssue]  (as above)
    rows = np.repeat(np.arange(size.search_queries), relevant)
    positions, order = random.integers(0, size.ranked_passages, len(rows)), np.arange(size.ranked_passages)
    scores = pair_scores(queries, passages, rows, positions)
    pairs = Relevant(rows, scores, positions, positions, positions + 1, order)
    least = np.full(size.search_queries, -np.inf)
    entries, counts = search_shard(DenseVectors(queries), DenseVectors(passages), least, DEPTH, pairs)
    reference_scores, reference = _flat(index, queries)
    shape = (size.search_queries, DEPTH)
    _check_same(entries.positions.reshape(shape), entries.scores.reshape(shape), reference, reference_scores)
    _check_counts(queries, passages, pairs, counts)
    return race(
        f"exact_ranks_of_{relevant}_vs_faiss_alone",
        lambda: search_shard(DenseVectors(queries), DenseVectors(passages), least, DEPTH, pairs),
        lambda: _flat(index, queries),
        size.pairs,
        passages=size.ranked_passages,
        queries=size.search_queries,
        width=SEARCH_WIDTH,
        depth=DEPTH,
        relevant=relevant,
    )


def _check_counts(
    queries: NDArray[np.float32], passages: NDArray[np.float32], pairs: Relevant, counts: NDArray[Any]
) -> None:
    """Check the counts of some questions against those by float64 products of all passages."""
    is_checked = pairs.queries < CHECKED_QUERIES
    products = queries[:CHECKED_QUERIES].astype(np.float64) @ passages.T.astype(np.float64)
    products = products.astype(np.float32)[pairs.queries[is_checked]]
    own_scores = np.take_along_axis(products, pairs.own[is_checked, None], axis=1)
    if (np.count_nonzero(products > own_scores, axis=1) != counts[is_checked, 0]).any():
        raise RuntimeError("the counts of better passages differ from those by all products")
    if (np.count_nonzero(products == own_scores, axis=1) - 1 != counts[is_checked, 1]).any():
        raise RuntimeError("the counts of equal passages differ from those by all products")


def _flat(index: faiss.IndexFlatIP, queries: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    return index.search(queries, DEPTH)  # pyright: ignore[reportCallIssue]


def _check_same(
    positions: NDArray[Any], scores: NDArray[Any], reference: NDArray[Any], reference_scores: NDArray[Any]
) -> None:
    """Check that two searches give the same passages in the same order, but for those with equal scores."""
    if not np.allclose(scores, reference_scores, rtol=1e-5):
        raise RuntimeError("the two searches give different scores")
    gap = 1e-4 * np.abs(scores).max()
    alone = np.ones(scores.shape, dtype=bool)
    apart = -np.diff(scores, axis=1) > gap
    alone[:, 1:] &= apart
    alone[:, :-1] &= apart
    alone[:, -1] = False
    if (positions != reference)[alone].any():
        raise RuntimeError("the two searches give different passages")


def _score_races(size: Size) -> Iterator[dict[str, Any]]:
    qrels, run = judged_run(size.scored_queries)
    measures = [parse_measure(name) for name in MEASURES]
    labels, run_scores = _dictionaries(qrels, run)
    evaluator = pytrec_eval.RelevanceEvaluator(labels, set(MEASURES.values()))
    ir_measures_names = [ir_measures.RR, ir_measures.R @ 100, ir_measures.nDCG @ 10, ir_measures.AP @ 20]
    facts = {"queries": size.scored_queries, "depth": DEPTH, "measures": list(MEASURES)}
    evaluation = evaluate(qrels, run, measures, ties="trec")
    theirs = evaluator.evaluate(run_scores)
    _check_scores(evaluation, qrels, theirs)
    means = ir_measures.calc_aggregate(ir_measures_names, labels, run_scores)
    for measure, values in zip(ir_measures_names, evaluation.measures, strict=True):
        if abs(means[measure] - values.values.mean()) > 1e-6:
            raise RuntimeError(f"{measure}: the mean is {values.values.mean()}, and {means[measure]} by ir_measures")

    def ours() -> RunValues:
        return evaluate(qrels, run, measures, ties="trec")

    yield race("score_vs_pytrec_eval", ours, lambda: evaluator.evaluate(run_scores), size.pairs, **facts)
    yield race(
        "score_vs_ir_measures",
        ours,
        lambda: ir_measures.calc(ir_measures_names, labels, run_scores),
        size.pairs,
        **facts,
    )


Judgements = dict[str, dict[str, int]]
RunScores = dict[str, dict[str, float]]


def _dictionaries(qrels: Qrels, run: Run) -> tuple[Judgements, RunScores]:
    query_ids, passage_ids = qrels.query_ids.to_pylist(), qrels.passage_ids.to_pylist()
    labels: Judgements = {text: {} for text in query_ids}
    for query, passage, label in zip(qrels.queries, qrels.passages, qrels.labels, strict=True):
        labels[query_ids[query]][passage_ids[passage]] = int(label)
    run_scores: RunScores = {text: {} for text in query_ids}
    run_queries, run_passages = run.query_ids.to_pylist(), run.passage_ids.to_pylist()
    for query, passage, score in zip(run.queries, run.passages, run.scores, strict=True):
        run_scores[run_queries[query]][run_passages[passage]] = float(score)
    return labels, run_scores


def _check_scores(evaluation: RunValues, qrels: Qrels, theirs: dict[str, dict[str, float]]) -> None:
    ids = qrels.query_ids.take(pa.array(evaluation.queries)).to_pylist()
    for (name, trec), values in zip(MEASURES.items(), evaluation.measures, strict=True):
        reference = [theirs[text][trec.replace(".", "_")] for text in ids]
        if not np.allclose(values.values, reference, atol=1e-6):
            raise RuntimeError(f"{name}: a value differs from trec_eval's")
