"""Reads and writes `per_query.parquet`: the value of every measure for every query, from which all else follows.

One row for each query, pool and measure. `candidate_language` says which candidates were ranked: null for the pool
of all languages, else the language of the pool. `question_id` is the same for the translations of a question.
`cluster_id` names the text that the question is about (a paragraph, a story, a document), whose questions are easy or
hard together; where the benchmark knows none it is the question's own id, and files of earlier versions lack it.
`tied` tells whether the value hangs on the order of equal scores; `chance` is the expected value of a random ranking
of the same pool (null where no formula is known).

Shapes: C questions, L languages, N values: the questions in every language where they exist.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from msm.collections.runs import Floats, Integers
from msm.errors import BadInput
from msm.files import new_file

SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("cluster_id", pa.string()),
        pa.field("query_language", pa.string(), nullable=False),
        pa.field("candidate_language", pa.string()),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("tied", pa.bool_(), nullable=False),
        pa.field("chance", pa.float64()),
    ]
)

_LATER = ("cluster_id",)
"""Columns that files of earlier versions lack; they are read as null."""
_TEXTS = [field.name for field in SCHEMA if field.type == pa.string()]
_ENCODED = pa.schema(
    [field.with_type(pa.dictionary(pa.int32(), pa.string())) if field.name in _TEXTS else field for field in SCHEMA]
)

VALUES = ("question_id", "cluster_id", "query_language", "candidate_language", "measure", "value")
"""Columns that `by_question` reads."""

PoolKind = Literal["multilingual", "same", "other"]
"""Kinds of pools: candidates of all languages, of the question's language, or of each other language, averaged."""
Side = Literal["questions", "candidates"]
"""Side whose languages are the columns of a table."""


class ByQuestion(NamedTuple):
    """Values of one measure on one kind of pool."""

    questions: list[str]
    """Ids of the questions, sorted, [C]."""
    clusters: Integers
    """Number of the cluster of every question, from 0, [C]."""
    languages: list[str]
    """Codes of the languages, sorted, [L]."""
    cells: Integers
    """Index of each value in the flattened [C, L], ascending, [N]."""
    present_values: Floats
    """The values, [N]."""
    side: Side = "questions"
    """Side whose languages these are."""

    @property
    def values(self) -> Floats:
        """Return the value of each question in each language, [C, L]; NaN where the language lacks a question."""
        return self.spread(self.present_values)

    @property
    def means(self) -> Floats:
        """Return the mean of every language over its questions, [L]."""
        columns = self.cells % len(self.languages)
        return np.bincount(columns, self.present_values) / np.bincount(columns)

    def spread(self, values: Floats) -> Floats:
        """Return values of the same questions as a grid, [N] to [C, L]."""
        flat = np.full(len(self.questions) * len(self.languages), np.nan)
        flat[self.cells] = values
        return flat.reshape(len(self.questions), len(self.languages))

    def is_asked_as(self, other: "ByQuestion") -> bool:
        """Return whether both have the same questions in the same languages."""
        is_same_grid = self.questions == other.questions and self.languages == other.languages
        return is_same_grid and np.array_equal(self.cells, other.cells)


def write_per_query(path: Path, rows: pa.Table) -> None:
    """Write rows of `SCHEMA`, whole or not at all."""
    with new_file(path, "wb") as file:
        pq.write_table(rows.cast(SCHEMA), file, compression="zstd")


def read_per_query(path: Path, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    """Read rows of `SCHEMA`, or some of its columns, with texts as dictionaries, which hold each text once.

    Raises:
        BadInput: there is no such file, or it is of another form.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        # Read ahead and by threads, files as small as these take half as long again.
        metadata = pq.read_metadata(path)
        present = metadata.schema.names
        texts = [name for name in _TEXTS if name in present]
        file = pq.ParquetFile(path, metadata=metadata, read_dictionary=texts, pre_buffer=False)
        table = file.read(columns=[name for name in columns if name in present], use_threads=False)
        table = table.unify_dictionaries()
        for name in set(columns).intersection(_LATER).difference(present):
            table = table.append_column(name, pa.nulls(len(table), pa.string()).dictionary_encode())
        return encoded(table, columns)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise BadInput(f"{path}: not a table of per-query values: {str(error).splitlines()[0]}") from error


def encoded(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return some columns of `SCHEMA`, with texts as dictionaries."""
    return table.select(list(columns)).cast(pa.schema([_ENCODED.field(name) for name in columns]))


def measures_and_kinds(rows: pa.Table) -> list[tuple[str, PoolKind]]:
    """Return the measures of rows, each on the kinds of pools that it was taken on, in the order of `PoolKind`."""
    names = ["measure", "candidate_language", "query_language"]
    distinct = rows.select(names).group_by(names, use_threads=False).aggregate([]).to_pylist()
    columns = {(row["measure"], _kind(row["candidate_language"], row["query_language"])) for row in distinct}
    measures = dict.fromkeys(row["measure"] for row in distinct)
    kinds: tuple[PoolKind, ...] = get_args(PoolKind)
    return [(measure, kind) for measure in measures for kind in kinds if (measure, kind) in columns]


class ValueLayout(NamedTuple):
    """Positions of the values of a table, for one measure and kind of pool, the same for every run on its questions."""

    texts: pa.Table
    """Columns that decide the layout."""
    row_indices: Integers
    """Indices of the rows of the measure and kind."""
    value_indices: Integers
    """Index of the value, [N], of every chosen row."""
    questions: list[str]
    clusters: Integers
    languages: list[str]
    cells: Integers
    side: Side
    """Side whose languages are the columns, as in `ByQuestion`."""

    def fits(self, rows: pa.Table) -> bool:
        """Return whether the layout is that of these rows, too."""
        return rows.select(self.texts.column_names).equals(self.texts)

    def values(self, rows: pa.Table) -> ByQuestion:
        """Return the values of rows that it fits; several of a question in a language are averaged."""
        sums = np.bincount(self.value_indices, rows["value"].to_numpy()[self.row_indices], minlength=len(self.cells))
        means = sums / np.bincount(self.value_indices, minlength=len(self.cells))
        return ByQuestion(self.questions, self.clusters, self.languages, self.cells, means, self.side)


def layout(rows: pa.Table, measure: str, kind: PoolKind) -> ValueLayout:
    """Return the positions of the values of some rows; see `by_question`."""
    row_indices = np.flatnonzero(_is_kind(rows, measure, kind))
    questions, rows_of = _distinct(rows["question_id"], row_indices)
    side = _side(rows, row_indices) if kind == "other" else "questions"
    languages, columns_of = _distinct(
        rows["candidate_language" if side == "candidates" else "query_language"], row_indices
    )
    clusters = _clusters(rows["cluster_id"], row_indices, rows_of, len(questions))
    cells, value_indices = np.unique(rows_of * len(languages) + columns_of, return_inverse=True)
    texts = rows.select([name for name in VALUES if name in _TEXTS])
    return ValueLayout(texts, row_indices, value_indices, questions, clusters, languages, cells, side)


def by_question(rows: pa.Table, measure: str, kind: PoolKind) -> ByQuestion:
    """Return values of one measure by question and language of the query.

    Args:
        rows: rows of `SCHEMA`.
        measure: name of a measure, such as `map@20`.
        kind: kind of pools; with `other`, a query's values are averaged over the candidate languages. Where all
            questions are in one language, as English is in Tatoeba, the languages are those of the candidates instead.
    """
    return layout(rows, measure, kind).values(rows)


def _side(rows: pa.Table, row_indices: Integers) -> Side:
    """Whose languages tell the chosen rows of other pools apart."""
    languages = (_encoded(rows[name])[1][row_indices] for name in ("query_language", "candidate_language"))
    query_languages, candidate_languages = (len(np.unique(codes)) for codes in languages)
    return "candidates" if query_languages == 1 < candidate_languages else "questions"


def _distinct(column: pa.ChunkedArray, row_indices: Integers) -> tuple[list[str], Integers]:
    """Return the distinct texts of the chosen entries, sorted, and the index of every chosen entry among them."""
    texts, codes = _encoded(column)
    codes = codes[row_indices]
    order = pc.call_function("sort_indices", [texts]).to_numpy()
    order = order[np.bincount(codes, minlength=len(texts))[order] > 0]
    ranks = np.empty(len(texts), np.int64)
    ranks[order] = np.arange(len(order))
    return texts.take(pa.array(order)).to_pylist(), ranks[codes]


def _clusters(column: pa.ChunkedArray, row_indices: Integers, rows_of: Integers, questions: int) -> Integers:
    """Return the number of the cluster of each question; one without a name is a cluster of its own."""
    numbers = np.empty(questions, np.int64)
    numbers[rows_of] = _encoded(column)[1][row_indices]
    alone = numbers < 0
    numbers[alone] = numbers.max(initial=0) + 1 + np.arange(np.count_nonzero(alone))
    return np.unique(numbers, return_inverse=True)[1]


def _kind(candidate: str | None, language: str) -> PoolKind:
    return "multilingual" if candidate is None else "same" if candidate == language else "other"


def _is_kind(rows: pa.Table, measure: str, kind: PoolKind) -> NDArray[np.bool_]:
    measures, measure_codes = _encoded(rows["measure"])
    languages, language_codes = _encoded(rows["query_language"])
    candidates, candidate_codes = _encoded(rows["candidate_language"])
    # Candidates as codes of the languages of queries: -2 for another language, -1 for all languages.
    code_of = {language: code for code, language in enumerate(languages.to_pylist())}
    pools = np.array([*(code_of.get(language, -2) for language in candidates.to_pylist()), -1])[candidate_codes]
    right = {
        "multilingual": pools == -1,
        "same": pools == language_codes,
        "other": (pools != -1) & (pools != language_codes),
    }
    return right[kind] & (measure_codes == measures.index(measure).as_py())


def _encoded(column: pa.ChunkedArray) -> tuple[pa.Array, Integers]:
    """Return distinct texts, and the index of every entry among them; -1 where it is null."""
    array = column.combine_chunks()
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return array.dictionary, array.indices.fill_null(-1).to_numpy()
