"""Mines hard negatives: passages that a run or a model ranks high for a question and that do not answer it.

Shapes: Q questions, N passages, H width, K depth.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msm.collections.examples import find, read_examples
from msm.collections.readers.passage_records import read_passage_records
from msm.collections.readers.records_json import mined_row
from msm.collections.records import Example, Passage
from msm.collections.runs import Run
from msm.collections.trec_files import read_run
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import write_json_lines
from msm.finetuning.settings import DEV, TRAIN, Mine
from msm.retrieval.search import BestPassages, nearest
from msm.settings import listed
from msm.training import pick_device

BLOCK_PASSAGES = 16384
"""Number of passages that are encoded and searched at once."""


class RankedPassage(NamedTuple):
    """A passage in the ranking of a question, with its score."""

    passage: Passage
    score: float


Ranking = Callable[[int], tuple[list[RankedPassage], float]]
"""Function from the index of an example to its passages, best first, and the score of its positive: minus infinity
where the ranking does not hold it."""


def run(settings: Mine, *, sources: Path, model: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write training examples with hard negatives, and the development examples beside them, for the next round.

    Args:
        settings: settings of the stage.
        sources: folder that holds the training files.
        model: folder of a fine-tuned model.
        out: empty folder to fill.
        execution: device of the model.

    Returns:
        Counts for the manifest: examples, passages, and how many passages each filter dropped.

    Raises:
        BadInput: files are malformed.
    """
    options = (settings.language, settings.passage_unit)
    examples = read_examples(sources, listed(settings.examples), *options)
    dev = read_examples(sources, listed(settings.dev_examples), *options)
    passages = read_passages(sources, settings.corpus, examples)
    encoder = open_encoder(
        model, device=pick_device(execution.device), precision=settings.precision, batch_tokens=settings.batch_tokens
    )
    counts = MiningCounts()
    rows = mine(examples, rank_by_model(examples, passages, encoder, settings.depth_to), settings, counts)
    write_json_lines(out / TRAIN, map(mined_row, rows))
    write_json_lines(out / DEV, map(mined_row, dev))
    return {"examples": len(examples), "dev_examples": len(dev), "passages": len(passages)} | dataclasses.asdict(counts)


@dataclasses.dataclass
class MiningCounts:
    """Numbers of a mining: examples, passages within the range of ranks, and what each filter dropped."""

    examples: int = 0
    """Number of examples."""
    candidates: int = 0
    """Number of passages within the range of ranks."""
    positive: int = 0
    """Number of passages that are known to be right."""
    answer: int = 0
    """Number of passages that hold an answer string."""
    document: int = 0
    """Number of passages of the positive's document."""
    score: int = 0
    """Number of passages whose score is too close to the positive's, or above it."""
    negatives: int = 0
    """Number of negatives that were kept."""
    without: int = 0
    """Number of examples that have no negative."""


def read_passages(sources: Path, corpus: str, examples: Sequence[Example]) -> list[Passage]:
    """Return the passages that negatives are taken from, each id once.

    Args:
        sources: folder that holds the corpus.
        corpus: name of a JSON Lines file with `docid` (or `_id`, `id`), `title` and `text` (or `contents`); empty for
            the passages of the examples.
        examples: training examples.

    Raises:
        BadInput: a line has no id or no text, or the file is empty.
    """
    if not corpus:
        listed_passages = [passage for example in examples for passage in (example.positive, *example.negatives)]
        return list({passage.passage_id: passage for passage in listed_passages}.values())
    path = find(sources, corpus)
    passages = [passage._replace(context=passage.text) for passage in read_passage_records(path)]
    if not passages:
        raise BadInput(f"{path}: no passage")
    return passages


def rank_by_model(examples: Sequence[Example], passages: Sequence[Passage], encoder: Encoder, depth: int) -> Ranking:
    """Rank passages by exact search with a model, block by block."""
    queries = encoder.encode_queries([example.query.text for example in examples])
    best = BestPassages(len(examples), depth)
    for first in range(0, len(passages), BLOCK_PASSAGES):
        vectors = encoder.encode_passages(passages[first : first + BLOCK_PASSAGES])
        positions, scores = nearest(queries, vectors, depth)
        best.add(positions + first, scores)
    positives = encoder.encode_passages([example.positive for example in examples])
    positive_scores = (queries * positives).sum(1)

    def ranking(index: int) -> tuple[list[RankedPassage], float]:
        rows = zip(best.passages[index].tolist(), best.scores[index].tolist(), strict=True)
        return [RankedPassage(passages[row], score) for row, score in rows if row >= 0], float(positive_scores[index])

    return ranking


def rank_by_run(path: Path, examples: Sequence[Example], passages: Iterable[Passage]) -> Ranking:
    """Rank passages as a TREC run does.

    Raises:
        BadInput: the corpus lacks a passage of the run.
    """
    run, by_id = read_run(path), {passage.passage_id: passage for passage in passages}
    stranger = next((name for name in run.passage_ids.to_pylist() if name not in by_id), None)
    if stranger is not None:
        raise BadInput(f"{path}: passage {stranger} is not in the corpus")
    ids, rows = run.passage_ids.to_pylist(), _rows(run)

    def ranking(index: int) -> tuple[list[RankedPassage], float]:
        example = examples[index]
        low, high = rows.get(example.query.query_id, (0, 0))
        entries = zip(run.passages[low:high].tolist(), run.scores[low:high].tolist(), strict=True)
        entries_by_rank = [RankedPassage(by_id[ids[passage]], score) for passage, score in entries]
        scores = [one.score for one in entries_by_rank if one.passage.passage_id == example.positive.passage_id]
        return entries_by_rank, scores[0] if scores else float("-inf")

    return ranking


def _rows(run: Run) -> dict[str, tuple[int, int]]:
    names = run.query_ids.to_pylist()
    low, high = (np.searchsorted(run.queries, np.arange(len(names)), side=side) for side in ("left", "right"))
    return {name: (int(first), int(last)) for name, first, last in zip(names, low, high, strict=True)}


def mine(examples: Sequence[Example], ranking: Ranking, settings: Mine, counts: MiningCounts) -> Iterator[Example]:
    """Yield examples with mined negatives in place of those that they had.

    Args:
        examples: training examples.
        ranking: function that ranks passages for an example.
        settings: range of ranks, filters and number of negatives.
        counts: counts, which are added to.
    """
    filters = set(listed(settings.filters))
    for index, example in enumerate(examples):
        passages_by_rank, positive_score = ranking(index)
        window = passages_by_rank[settings.depth_from - 1 : settings.depth_to]
        limit = positive_score - settings.margin
        candidates = [one.passage for one in window if not _falls(one, example, limit, filters, counts)]
        counts.examples += 1
        counts.candidates += len(window)
        negatives = _choose(candidates, settings, index)
        counts.negatives += len(negatives)
        counts.without += not negatives
        yield example._replace(negatives=negatives)


def _falls(entry: RankedPassage, example: Example, limit: float, filters: set[str], counts: MiningCounts) -> bool:
    passage = entry.passage
    reasons = {
        "positive": passage.passage_id in (example.positive.passage_id, *example.others)
        or passage.text == example.positive.text,
        "answer": "answer" in filters and _holds_answer(passage, example.answers),
        "document": "document" in filters and _same_document(passage, example.positive),
        "score": "score" in filters and entry.score >= limit,
    }
    reason = next((name for name, true in reasons.items() if true), None)
    if reason:
        setattr(counts, reason, getattr(counts, reason) + 1)
    return reason is not None


def _holds_answer(passage: Passage, answers: Sequence[str]) -> bool:
    text = passage.text.casefold()
    return any(answer.casefold() in text for answer in answers if answer.strip())


def _same_document(passage: Passage, positive: Passage) -> bool:
    """Whether two passages share a title, an article (the part of the id before `#`, as in Mr. TyDi) or a paragraph."""
    if passage.title and passage.title == positive.title and passage.language == positive.language:
        return True
    if "#" in passage.passage_id and passage.passage_id.partition("#")[0] == positive.passage_id.partition("#")[0]:
        return True
    return bool(passage.context) and passage.context == positive.context


def _choose(passages: list[Passage], settings: Mine, index: int) -> list[Passage]:
    if settings.choice == "first":
        return passages[: settings.negatives]
    order = np.random.default_rng((settings.seed, index)).permutation(len(passages))[: settings.negatives]
    return [passages[position] for position in sorted(order)]
