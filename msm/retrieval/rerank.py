"""Ranks the best passages of a run anew with a cross-encoder.

Every pair of a question and a passage is read as one text by `sentence_transformers.CrossEncoder`. That is slow, so
only the best few passages of another run are ranked so.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from msm import distributed
from msm.collections.collection import Collection
from msm.collections.records import Passage
from msm.collections.run_folder import read_protocol, write_protocol
from msm.collections.runs import Floats, Run, sorted_run
from msm.collections.trec_files import read_run, write_run
from msm.encoders.loading import quietly_checked
from msm.encoders.model_files import check_model
from msm.encoders.usage import passage_texts
from msm.errors import BadInput
from msm.progress import progress

BATCH_PAIRS = 32
BLOCK_PAIRS = 512
"""Number of pairs that are scored between two updates of the progress."""
Scorer = Callable[[list[list[str]]], Floats]
"""Function from pairs of question and passage to one score each."""


def open_cross_encoder(folder: Path, device: torch.device, *, trust_remote_code: bool = False) -> Scorer:
    """Load a cross-encoder with one score for a pair, in fp32.

    Raises:
        BadInput: there is no model that can be loaded, or it gives several scores for a pair.
    """
    check_model(folder, trust_remote_code=trust_remote_code)
    with quietly_checked(folder):
        model = CrossEncoder(
            str(folder),
            device=str(device),
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
    if model.num_labels != 1:
        raise BadInput(
            f"{folder}: a cross-encoder with one score for a pair is needed, this one has {model.num_labels}"
        )

    def score(pairs: list[list[str]]) -> Floats:
        scores: Any = model.predict(pairs, batch_size=BATCH_PAIRS, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(scores, np.float32)

    return score


def rerank(run: Run, queries: Mapping[str, str], passages: Mapping[str, str], score: Scorer, depth: int) -> Run:
    """Return the best passages of every query in the order of a cross-encoder; the rest is left out.

    Args:
        run: run to rank anew.
        queries: query id to text.
        passages: passage id to text, for all that are among the best.
        score: function that scores pairs.
        depth: number of passages of each query that are ranked.
    """
    best = best_entries(run, depth)
    query_ids, passage_ids = run.query_ids.to_pylist(), run.passage_ids.to_pylist()
    entries = zip(run.queries[best].tolist(), run.passages[best].tolist(), strict=True)
    pairs = [[queries[query_ids[query]], passages[passage_ids[passage]]] for query, passage in entries]
    parts = [np.empty(0, np.float32)]
    with progress(len(pairs), "rerank", "pairs", visible=not distributed.rank()) as bar:
        for first in range(0, len(pairs), BLOCK_PAIRS):
            parts.append(score(pairs[first : first + BLOCK_PAIRS]))
            bar.update(len(parts[-1]))
    return sorted_run(query_ids, passage_ids, run.queries[best], run.passages[best], np.concatenate(parts))


def best_entries(run: Run, depth: int) -> Any:
    """Return the indices of the first entries of each query, at most `depth`."""
    starts = np.searchsorted(run.queries, run.queries)
    return np.flatnonzero(np.arange(len(run.queries)) - starts < depth)


def rerank_folder(
    folder: Path, collection: Collection, score: Scorer, out: Path, *, name: str, depth: int, context: str
) -> None:
    """Rerank the runs of every pool.

    Args:
        folder: folder of runs, as `retrieve`, `lexical` or `fuse` write them.
        collection: collection that the runs are of.
        score: function that scores pairs.
        out: folder to fill.
        name: name of the cross-encoder.
        depth: passages of each query that are ranked.
        context: text that is read of a passage; see `msm.encoders.usage.Usage`.

    Raises:
        BadInput: no runs, or passages that the collection lacks.
    """
    files = sorted(folder.glob("*.trec.gz"))
    if not files:
        raise BadInput(f"{folder}: no runs (*.trec.gz)")
    queries = {query.query_id: query.text for query in collection.queries}
    for file in files:
        run = read_run(file, may_be_empty=True)
        names = run.passage_ids.to_pylist()
        passage_ids = {names[number] for number in np.unique(run.passages[best_entries(run, depth)]).tolist()}
        texts = _texts(file, collection.passages.texts(passage_ids), passage_ids, context)
        write_run(out / file.name, rerank(run, queries, texts, score, depth), "rerank")
    rules = {"reranked by": name, "reranked depth": depth, "reranked context": context}
    write_protocol(out, read_protocol(folder) | rules)


def _texts(file: Path, passages_by_id: Mapping[str, Passage], passage_ids: set[str], context: str) -> dict[str, str]:
    if ids := sorted(passage_ids - set(passages_by_id)):
        raise BadInput(f"{file}: passage {ids[0]} is not in the collection")
    passages: Sequence[Passage] = list(passages_by_id.values())
    texts = passage_texts(passages, context)
    return {passage.passage_id: str(text) for passage, text in zip(passages, texts, strict=True)}
