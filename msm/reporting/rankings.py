"""Finds the run and the texts behind a score, through its manifest and only below the recipe's folder."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from msm.collections.collection import Collection
from msm.collections.records import Passage
from msm.collections.registry import find_benchmark
from msm.collections.runs import Run
from msm.collections.trec_files import read_run
from msm.errors import BadInput
from msm.evaluation.per_query import PoolKind
from msm.pipeline import artifacts
from msm.reporting import lineage
from msm.reporting.models import ModelScores

RUNS: dict[PoolKind, str] = {"multilingual": "multilingual.trec.gz", "same": "pool.{}.trec.gz"}
"""Kind of pool to the file of its run, with the language of the candidates in place of `{}`. The other kind of pool has
several runs."""


class BenchmarkTexts(NamedTuple):
    """Questions and judgements of a benchmark."""

    collection: Collection
    queries: dict[tuple[str, str], int]
    """Id and language of a question to the index of its query."""
    relevant: set[tuple[str, str]]
    """Pairs of the id of a query and the id of a passage that is relevant to it."""


class RunPassages(NamedTuple):
    """A run with its best passages for every question. Texts of other passages are not held: there may be millions."""

    run: Run
    passages: dict[str, Passage]
    """Id of each of the best passages to the passage."""


class Answer(NamedTuple):
    """One passage of a ranking."""

    rank: int
    """Rank of the passage, counted from 1."""
    score: float
    passage: Passage
    is_relevant: bool


def texts(root: Path, scores: ModelScores) -> BenchmarkTexts:
    """Read the questions and judgements of a score; the passages stay in their files.

    Args:
        root: the recipe's folder.
        scores: score folder whose manifest names the texts.

    Raises:
        BadInput: this machine does not have the texts, or the benchmark cannot read them.
    """
    settings = scores.manifest["settings"]
    folder = _payload(root, scores, "sources")
    questions = (folder / str(settings.get("questions", ""))).resolve()
    if not questions.is_relative_to(folder.resolve()):
        raise BadInput(f"{scores.path}: its questions lie outside the sources")
    collection = find_benchmark(str(settings.get("benchmark", ""))).read(questions)
    questions_of_queries = zip(collection.questions, collection.queries, strict=True)
    qrels = collection.qrels
    relevant_pairs = zip(qrels.queries[qrels.labels >= 1], qrels.passages[qrels.labels >= 1], strict=True)
    return BenchmarkTexts(
        collection,
        {(question, query.language): place for place, (question, query) in enumerate(questions_of_queries)},
        {(collection.queries[query].query_id, qrels.passage_ids[passage].as_py()) for query, passage in relevant_pairs},
    )


def run_passages(
    root: Path, scores: ModelScores, texts: BenchmarkTexts, kind: PoolKind, language: str, depth: int
) -> RunPassages:
    """Return the best passages of the run behind a score; all passages are read once.

    Args:
        root: the recipe's folder.
        scores: score folder whose manifest names its run.
        texts: questions and judgements of its benchmark.
        kind: kind of pool.
        language: language of the candidates, if `kind` is `same`.
        depth: largest number of passages of a question.

    Raises:
        BadInput: the run is missing, malformed, or of another benchmark, or the kind of pool has several runs.
    """
    if kind not in RUNS or (kind == "same" and not lineage.NAME.fullmatch(language)):
        raise BadInput("Rankings are shown of the pool of all languages and of the question's own only.")
    run = read_run(_payload(root, scores, "run") / RUNS[kind].format(language), may_be_empty=True)
    best = np.arange(len(run.queries)) - np.searchsorted(run.queries, run.queries) < depth
    run = run._replace(queries=run.queries[best], passages=run.passages[best], scores=run.scores[best])
    ids = run.passage_ids.take(pa.array(np.unique(run.passages))).to_pylist()
    passages = texts.collection.passages.texts(ids)
    if strange_ids := [passage_id for passage_id in ids if passage_id not in passages]:
        raise BadInput(f"{strange_ids[0]} is no passage of this benchmark; the run was made for another one")
    return RunPassages(run, passages)


def answers(rankings: RunPassages, texts: BenchmarkTexts, query: int) -> list[Answer]:
    """Return the best passages for a question.

    Args:
        rankings: the best passages of a run.
        texts: questions and judgements of its benchmark.
        query: index of the query in the collection.
    """
    run = rankings.run
    query_id = texts.collection.queries[query].query_id
    place = run.query_ids.index(query_id).as_py()
    best = slice(*np.searchsorted(run.queries, (place, place + 1))) if place >= 0 else slice(0)
    ids = run.passage_ids.take(pa.array(run.passages[best])).to_pylist()
    return [
        Answer(rank, float(score), rankings.passages[passage_id], (query_id, passage_id) in texts.relevant)
        for rank, (passage_id, score) in enumerate(zip(ids, run.scores[best], strict=True), start=1)
    ]


def model(root: Path, scores: ModelScores) -> Path:
    """Return the folder of the fine-tuned model behind a score.

    Raises:
        BadInput: the folder of the model is missing, or no stage made the model.
    """
    run = lineage.read_manifest(_step(root, scores.manifest, "run"))
    return _payload_of(_step(root, run, "model"))


def _payload(root: Path, scores: ModelScores, input_name: Literal["sources", "run"]) -> Path:
    """Return the folder of the sources or of the run of a score."""
    return _payload_of(_step(root, scores.manifest, input_name))


def _step(root: Path, manifest: dict[str, Any], input_name: str) -> Path:
    """Return the folder of an input, of whose path only STAGE/ROW is used."""
    path = str(manifest["inputs"].get(input_name, {}).get("path", ""))
    name = lineage.step_name(path)
    folder = lineage.folder(root, name) if lineage.is_step(name) else None
    if folder is None or not (folder / artifacts.MANIFEST).is_file():
        raise BadInput(
            f"{path or f'the {input_name}'} is not on this machine: exported results hold no texts, runs or models. "
            f"'msm run {root.name}' makes it, and its rankings can be shown then."
        )
    return folder


def _payload_of(folder: Path) -> Path:
    payload = folder / Path(lineage.read_manifest(folder)["payload"]).name
    if not payload.is_dir():
        name = f"{folder.parent.name}/{folder.name}"
        raise BadInput(f"The content of {name} is missing on this machine, so its rankings cannot be shown.")
    return payload
