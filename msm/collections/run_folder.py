"""The folder that `retrieve` and `lexical` write: a TREC run for each pool, and how they were made.

`multilingual.trec.gz` and `pool.LANG.trec.gz` for LAReQA. Beside each stands `NAME.ranks.parquet`: where its relevant
passages stand in the whole pool. `protocol.json` holds what must be equal for two runs to be made the same way
(lengths, pooling, analyzer ...), and goes into every score.
"""

from pathlib import Path
from typing import Any

from msm.collections.benchmark import Benchmark
from msm.collections.collection import Collection, Pool
from msm.collections.readers.bitext import Bitext
from msm.collections.runs import Floats, Integers, ranked_run, without_own_ids, write_run
from msm.files import read_json, write_json

_PROTOCOL = "protocol.json"
FUSION = "fusion"
"""Key of the protocol for how two runs were fused; no rank below the end of its lists is known."""
POOLS = "pools"
"""Key of the protocol for the names of the pools that have a run, where the benchmark has others too."""


def run_file(folder: Path, pool: Pool) -> Path:
    """The run of a pool."""
    return folder / f"{pool.name}.trec.gz"


def ranks_file(folder: Path, pool: Pool) -> Path:
    """The exact ranks of a pool's relevant passages, where the whole pool was ranked."""
    return folder / f"{pool.name}.ranks.parquet"


def pair_file(folder: Path, bitext: Bitext, measure: str) -> Path:
    """The run that a measure of a pair of languages is of."""
    return folder / f"{bitext.name}.{measure}.trec.gz"


def write_pool(folder: Path, collection: Collection, pool: Pool, passages: Integers, scores: Floats, tag: str) -> None:
    """Write the run of a pool, without the passages that its collection drops.

    Args:
        folder: of the runs.
        collection: gives the ids.
        pool: gives the name and, by its languages, the queries.
        passages: places in the collection, best first, one row for each query of the pool; -1 for none. Where a
            passage may be dropped, one more than are kept.
        scores: of the same shape.
        tag: last column of the run.
    """
    query_ids = [collection.queries[place].query_id for place in collection.pool_queries(pool)]
    passage_ids = [passage.passage_id for passage in collection.passages]
    run = ranked_run(query_ids, passage_ids, passages, scores)
    if collection.spare:
        run = without_own_ids(run, passages.shape[1] - collection.spare)
    write_run(run_file(folder, pool), run, tag)


def write_protocol(folder: Path, parts: dict[str, Any]) -> None:
    """Write how the runs were made."""
    write_json(folder / _PROTOCOL, parts)


def read_protocol(folder: Path) -> dict[str, Any]:
    """How the runs were made; nothing is known of runs that another program wrote."""
    return read_json(folder / _PROTOCOL) if (folder / _PROTOCOL).is_file() else {}


def pool_depth(benchmark: Benchmark, pool: Pool, depth: int, language_depth: int) -> int:
    """Passages to keep for each query of a pool: as the settings say, or as many as answers are looked for in.

    Measures by judgements need none of them: they follow from the exact ranks of the relevant passages.

    Args:
        benchmark: its answers are looked for in so many.
        pool: of all languages, or of one.
        depth: setting for the pool of all languages.
        language_depth: setting for the pool of one language.
    """
    return max(depth if pool.candidate_language is None else language_depth, benchmark.least_depth)
