"""`per_query.parquet`: the value of every measure for every query, the ground of all averages, intervals and tests.

One row for each query, pool and measure. `candidate_language` says which candidates were ranked: null for the pool
of all languages, else the language of the pool. `question_id` is the same for the translations of a question;
`tied` tells whether the value hangs on the order of equal scores; `chance` is the expected value of a random
ranking of the same pool (null where no formula is known).

Shapes: C questions, L languages.
"""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from msm.artifacts import new_file
from msm.errors import BadInput
from msm.retrieval.runs import Floats, Integers

SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("query_language", pa.string(), nullable=False),
        pa.field("candidate_language", pa.string()),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("tied", pa.bool_(), nullable=False),
        pa.field("chance", pa.float64()),
    ]
)

PoolKind = Literal["multilingual", "same", "other"]
"""Candidates of all languages; of the question's language; of each other language, averaged."""


class ByQuestion(NamedTuple):
    """Values of one measure on one kind of pool."""

    questions: list[str]
    """[C], sorted."""
    languages: list[str]
    """[L], sorted."""
    values: Floats
    """[C, L]; NaN where a question does not exist in a language."""


def write_per_query(path: Path, rows: pa.Table) -> None:
    """Write rows of `SCHEMA`, atomically."""
    with new_file(path, "wb") as file:
        pq.write_table(rows.cast(SCHEMA), file, compression="zstd")


def read_per_query(path: Path) -> pa.Table:
    """Rows of `SCHEMA`.

    Raises:
        BadInput: no such file, or not one of these.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        return pq.read_table(path).cast(SCHEMA)
    except (pa.ArrowInvalid, ValueError) as error:
        raise BadInput(f"{path}: not a table of per-query values: {str(error).splitlines()[0]}") from error


def pool_kinds(rows: pa.Table) -> list[PoolKind]:
    """The kinds of pools that the rows have, in the order of `PoolKind`."""
    candidates, languages = rows["candidate_language"].to_pylist(), rows["query_language"].to_pylist()
    kinds = {_kind(candidate, language) for candidate, language in set(zip(candidates, languages, strict=True))}
    return [kind for kind in ("multilingual", "same", "other") if kind in kinds]


def by_question(rows: pa.Table, measure: str, kind: PoolKind) -> ByQuestion:
    """Values of one measure by question and language of the query.

    Args:
        rows: of `SCHEMA`.
        measure: such as `map@20`.
        kind: which pools; with `other`, a query's values are averaged over the candidate languages.
    """
    chosen = rows.filter(_is_kind(rows, measure, kind))
    questions, question_places = _places(chosen["question_id"])
    languages, language_places = _places(chosen["query_language"])
    shape = (len(questions), len(languages))
    cells = question_places * len(languages) + language_places
    sums = np.bincount(cells, chosen["value"].to_numpy(), minlength=shape[0] * shape[1])
    counts = np.bincount(cells, minlength=shape[0] * shape[1])
    values = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return ByQuestion(questions, languages, values.reshape(shape))


def _places(column: pa.ChunkedArray) -> tuple[list[str], Integers]:
    """Distinct texts, sorted, and the place of every entry among them."""
    encoded = column.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return [texts[place] for place in order], ranks[encoded.indices.to_numpy()]


def _kind(candidate: str | None, language: str) -> PoolKind:
    return "multilingual" if candidate is None else "same" if candidate == language else "other"


def _is_kind(rows: pa.Table, measure: str, kind: PoolKind) -> pa.Array:
    candidates, languages = _texts(rows, "candidate_language"), _texts(rows, "query_language")
    everywhere = candidates == None  # noqa: E711
    right = {
        "multilingual": everywhere,
        "same": candidates == languages,
        "other": ~everywhere & (candidates != languages),
    }
    return pa.array(right[kind] & (_texts(rows, "measure") == measure))


def _texts(rows: pa.Table, column: str) -> Any:
    return rows[column].to_numpy()
