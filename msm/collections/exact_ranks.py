"""Reads and writes `POOL.ranks.parquet`: the ranks of the relevant passages in a whole pool.

A row is a relevant passage of a query. Its rank under any rule for equal scores follows from four numbers, however deep
it stands, so measures of the whole ranking need no run of the whole pool. The file also says how many passages the pool
has, and whether all of them are ranked (`whole`): BM25 ranks none that shares no term with the question.

Shapes: Q queries, P passages, R relevant pairs.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from msm.collections.runs import Floats, Integers
from msm.errors import BadInput
from msm.files import new_file

COUNTS = ("above", "tied", "tied_before_by_id", "tied_before_in_order")
"""Numbers of other passages of the pool with a greater score; with the same score; with the same score and a greater
id; with the same score and an earlier position in the pool."""
_ENCODED = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("passage_id", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in COUNTS),
    ]
)


class ExactRanks(NamedTuple):
    """Relevant passages of a pool that its ranking holds."""

    query_ids: pa.Array
    """Ids of the queries, text, [Q]."""
    passage_ids: pa.Array
    """Ids of the passages, text, [P]; each once."""
    queries: Integers
    """Index in `query_ids` of each relevant pair, [R]."""
    passages: Integers
    """Index in `passage_ids` of each relevant pair, [R]."""
    scores: Floats
    """Score of each relevant passage, float32, [R]."""
    counts: Integers
    """The four `COUNTS` of each relevant passage, [R, 4]."""
    pool: int
    """Number of passages of the pool."""
    whole: bool
    """Whether all passages of the pool are ranked."""


def write_exact_ranks(path: Path, ranks: ExactRanks) -> None:
    """Write the ranks of a pool, atomically."""
    columns = [ranks.query_ids.take(pa.array(ranks.queries)), ranks.passage_ids.take(pa.array(ranks.passages))]
    table = pa.table([*columns, ranks.scores, *ranks.counts.T], schema=_SCHEMA)
    table = table.replace_schema_metadata({"pool": str(ranks.pool), "whole": str(int(ranks.whole))})
    with new_file(path, "wb") as file:
        pq.write_table(table, file, compression="zstd")


def read_exact_ranks(path: Path) -> ExactRanks:
    """Read the ranks that `write_exact_ranks` wrote.

    Raises:
        BadInput: there is no such file, or it is of another form.
    """
    try:
        table = pq.read_table(path)
        facts = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        pool, whole = int(facts["pool"]), facts["whole"] == "1"
        table = table.cast(_SCHEMA)
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        raise BadInput(f"{path}: not a table of exact ranks: {str(error).splitlines()[0]}") from error
    queries, passages = (table[name].combine_chunks().dictionary_encode() for name in ("query_id", "passage_id"))
    counts = np.stack([table[name].to_numpy() for name in COUNTS], axis=1)
    rows, columns = (array.indices.to_numpy() for array in (queries, passages))
    return ExactRanks(
        queries.dictionary, passages.dictionary, rows, columns, table["score"].to_numpy(), counts, pool, whole
    )
