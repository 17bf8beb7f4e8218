"""Hard negatives: passages that a run or a model ranks high for a question and that do not answer it.

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
from msm.collections.runs import Run, read_run
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import write_json_lines
from msm.finetuning.settings import Mine
from msm.retrieval.search import BestPassages, nearest
from msm.settings import listed
from msm.training import pick_device

SHARD_PASSAGES = 16384
TRAIN, DEV = "train.jsonl.gz", "dev.jsonl.gz"
"""Files of the stage's folder; named in the settings of the next fine-tuning."""


class Found(NamedTuple):
    """A passage found for a question."""

    passage: Passage
    score: float


Ranking = Callable[[int], tuple[list[Found], float]]
"""Place of an example to its passages, best first, and the score of its positive (minus infinity if not found)."""


def run(settings: Mine, *, sources: Path, model: Path, out: Path, execution: Execution) -> dict[str, Any]:
    """Write training examples with hard negatives, and the dev examples beside them, as sources of a next round.

    Args:
        settings: of the stage.
        sources: folder of the training files.
        model: fine-tuned model folder.
        out: empty folder to fill.
        execution: the device.

    Returns:
        Counts for the manifest: what the filters took.

    Raises:
        BadInput: malformed files, or settings without sense.
    """
    read = (settings.language, settings.passage_unit)
    examples = read_examples(sources, listed(settings.examples), *read)
    dev = read_examples(sources, listed(settings.dev_examples), *read)
    passages = read_passages(sources, settings.corpus, examples)
    encoder = open_encoder(
        model, device=pick_device(execution.device), precision=settings.precision, batch_tokens=settings.batch_tokens
    )
    counts = Counts()
    mined = mine(examples, rank_by_model(examples, passages, encoder, settings.depth_to), settings, counts)
    write_json_lines(out / TRAIN, map(mined_row, mined))
    write_json_lines(out / DEV, map(mined_row, dev))
    return {"examples": len(examples), "dev_examples": len(dev), "passages": len(passages)} | dataclasses.asdict(counts)


@dataclasses.dataclass
class Counts:
    """What became of the candidates within the depth."""

    candidates: int = 0
    positive: int = 0
    """Known to be right."""
    answer: int = 0
    """Hold an answer string."""
    document: int = 0
    """Of the positive's document."""
    score: int = 0
    """Too close to the positive's score, or above it."""
    kept: int = 0
    without: int = 0
    """Examples that are left without a negative."""


def read_passages(sources: Path, corpus: str, examples: Sequence[Example]) -> list[Passage]:
    """The passages that negatives are taken from, each id once.

    Args:
        sources: folder of the sources.
        corpus: JSON Lines below it with `docid` (or `_id`, `id`), `title` and `text` (or `contents`); empty for the
            passages of the examples.
        examples: the training set.

    Raises:
        BadInput: a line without id or text, or no line.
    """
    if not corpus:
        own = [passage for example in examples for passage in (example.positive, *example.negatives)]
        return list({passage.passage_id: passage for passage in own}.values())
    path = find(sources, corpus)
    found = [passage._replace(context=passage.text) for passage in read_passage_records(path)]
    if not found:
        raise BadInput(f"{path}: no passage")
    return found


def rank_by_model(examples: Sequence[Example], passages: Sequence[Passage], encoder: Encoder, depth: int) -> Ranking:
    """Exact search with a model, shard by shard."""
    queries = encoder.encode_queries([example.query.text for example in examples])
    best = BestPassages(len(examples), depth)
    for first in range(0, len(passages), SHARD_PASSAGES):
        vectors = encoder.encode_passages(passages[first : first + SHARD_PASSAGES])
        places, scores = nearest(queries, vectors, depth)
        best.add(places + first, scores)
    positives = encoder.encode_passages([example.positive for example in examples])
    own = (queries * positives).sum(1)

    def ranking(place: int) -> tuple[list[Found], float]:
        rows = zip(best.passages[place].tolist(), best.scores[place].tolist(), strict=True)
        return [Found(passages[index], score) for index, score in rows if index >= 0], float(own[place])

    return ranking


def rank_by_run(path: Path, examples: Sequence[Example], passages: Iterable[Passage]) -> Ranking:
    """The ranking of a TREC run.

    Raises:
        BadInput: a passage of the run that the corpus does not hold.
    """
    run, by_id = read_run(path), {passage.passage_id: passage for passage in passages}
    missing = next((name for name in run.passage_ids.to_pylist() if name not in by_id), None)
    if missing is not None:
        raise BadInput(f"{path}: passage {missing} is not in the corpus")
    ids, rows = run.passage_ids.to_pylist(), _rows(run)

    def ranking(place: int) -> tuple[list[Found], float]:
        example = examples[place]
        low, high = rows.get(example.query.query_id, (0, 0))
        entries = zip(run.passages[low:high].tolist(), run.scores[low:high].tolist(), strict=True)
        found = [Found(by_id[ids[passage]], score) for passage, score in entries]
        own = [one.score for one in found if one.passage.passage_id == example.positive.passage_id]
        return found, own[0] if own else float("-inf")

    return ranking


def _rows(run: Run) -> dict[str, tuple[int, int]]:
    names = run.query_ids.to_pylist()
    low, high = (np.searchsorted(run.queries, np.arange(len(names)), side=side) for side in ("left", "right"))
    return {name: (int(first), int(last)) for name, first, last in zip(names, low, high, strict=True)}


def mine(examples: Sequence[Example], ranking: Ranking, settings: Mine, counts: Counts) -> Iterator[Example]:
    """Examples with the negatives that the filters leave, in place of those they had.

    Args:
        examples: the training set.
        ranking: of each.
        settings: depth range, filters, number.
        counts: is added up.

    Raises:
        BadInput: an empty depth range, or an unknown filter.
    """
    filters = set(listed(settings.filters))
    if unknown := sorted(filters - {"answer", "document", "score"}):
        raise BadInput(f"filters are answer, document and score, got {unknown[0]}")
    if settings.depth_from > settings.depth_to:
        raise BadInput(f"depth_from must be at most depth_to, got {settings.depth_from} and {settings.depth_to}")
    for place, example in enumerate(examples):
        found, own = ranking(place)
        window = found[settings.depth_from - 1 : settings.depth_to]
        left = [one.passage for one in window if not _falls(one, example, own - settings.margin, filters, counts)]
        counts.candidates += len(window)
        chosen = _choose(left, settings, place)
        counts.kept += len(chosen)
        counts.without += not chosen
        yield example._replace(negatives=chosen)


def _falls(found: Found, example: Example, most: float, filters: set[str], counts: Counts) -> bool:
    passage = found.passage
    reasons = {
        "positive": passage.passage_id in (example.positive.passage_id, *example.others)
        or passage.text == example.positive.text,
        "answer": "answer" in filters and _holds_answer(passage, example.answers),
        "document": "document" in filters and _same_document(passage, example.positive),
        "score": "score" in filters and found.score >= most,
    }
    reason = next((name for name, true in reasons.items() if true), None)
    if reason:
        setattr(counts, reason, getattr(counts, reason) + 1)
    return reason is not None


def _holds_answer(passage: Passage, answers: Sequence[str]) -> bool:
    text = passage.text.casefold()
    return any(answer.casefold() in text for answer in answers if answer.strip())


def _same_document(passage: Passage, positive: Passage) -> bool:
    """Of one article by its title or, as in Mr. TyDi, by the part of the id before `#`; or of one paragraph."""
    if passage.title and passage.title == positive.title and passage.language == positive.language:
        return True
    if "#" in passage.passage_id and passage.passage_id.partition("#")[0] == positive.passage_id.partition("#")[0]:
        return True
    return bool(passage.context) and passage.context == positive.context


def _choose(passages: list[Passage], settings: Mine, place: int) -> list[Passage]:
    if settings.choice == "first":
        return passages[: settings.negatives]
    order = np.random.default_rng((settings.seed, place)).permutation(len(passages))[: settings.negatives]
    return [passages[index] for index in sorted(order)]
