"""The folder that `retrieve` and `lexical` write: a TREC run for each pool, and the rules by which they were made.

`multilingual.trec.gz` and `pool.LANG.trec.gz` for LAReQA. Beside each stands `NAME.ranks.parquet`: where its relevant
passages stand in the whole pool. `protocol.json` holds what must be equal for two runs to be made the same way
(lengths, pooling, analyzer ...), and goes into every score.
"""

from pathlib import Path
from typing import Any

from msm.collections.benchmark import Benchmark
from msm.collections.bitext import Bitext
from msm.collections.collection import Collection, Pool
from msm.collections.runs import Floats, Integers, ranked_run, without_own_ids
from msm.collections.trec_files import write_run
from msm.files import check_below, read_json_object, write_json

_PROTOCOL = "protocol.json"
FUSION = "fusion"
"""Key of the protocol for the fusion of two runs; ranks below the end of their lists are unknown."""
POOLS = "pools"
"""Key of the protocol for the names of the pools that have a run, where the benchmark has others too."""


def run_file(folder: Path, pool: Pool) -> Path:
    """Return the file of the run of a pool.

    Raises:
        BadInput: the name of the pool, which data may give, is no name of a file.
    """
    check_below(pool.name, "languages of the collection")
    return folder / f"{pool.name}.trec.gz"


def ranks_file(folder: Path, pool: Pool) -> Path:
    """Return the file of the exact ranks of a pool's relevant passages, where the whole pool was ranked."""
    return folder / f"{pool.name}.ranks.parquet"


def pair_file(folder: Path, bitext: Bitext, measure: str) -> Path:
    """Return the file of the run behind a measure of a pair of languages."""
    return folder / f"{bitext.name}.{measure}.trec.gz"


def write_pool(folder: Path, collection: Collection, pool: Pool, passages: Integers, scores: Floats, tag: str) -> None:
    """Write the run of a pool, without the passages that its collection drops.

    Args:
        folder: folder of the runs.
        collection: collection that gives the ids.
        pool: pool that gives the name and, by its languages, the queries.
        passages: indices of passages in the collection, best first, one row for each query of the pool; -1 for none.
            Where a passage may be dropped, one more than are kept.
        scores: scores of these passages, of the same shape.
        tag: last column of the run.
    """
    query_ids = [collection.queries[position].query_id for position in collection.pool_queries(pool)]
    passage_ids = [passage.passage_id for passage in collection.passages]
    run = ranked_run(query_ids, passage_ids, passages, scores)
    if collection.spare:
        run = without_own_ids(run, passages.shape[1] - collection.spare)
    write_run(run_file(folder, pool), run, tag)


def write_protocol(folder: Path, parts: dict[str, Any]) -> None:
    """Write the rules by which the runs were made."""
    write_json(folder / _PROTOCOL, parts)


def read_protocol(folder: Path) -> dict[str, Any]:
    """Read the rules by which the runs were made; empty for runs that another program wrote."""
    return read_json_object(folder / _PROTOCOL) if (folder / _PROTOCOL).is_file() else {}


def pool_depth(benchmark: Benchmark, pool: Pool, depth: int, language_depth: int) -> int:
    """Return the number of passages to keep for each query of a pool.

    Measures by judgements need none of them: they follow from the exact ranks of the relevant passages.

    Args:
        benchmark: benchmark, whose measures by answers may look deeper than the settings say.
        pool: pool of all languages, or of one.
        depth: setting for the pool of all languages.
        language_depth: setting for the pool of one language.
    """
    return max(depth if pool.candidate_language is None else language_depth, benchmark.least_depth)
