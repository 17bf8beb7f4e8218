"""Writes the run folder of a model that this package does not run, from its runs or from its vectors.

Pools are filled by the names of the files (`pool.de.trec` is of the pool `pool.de`); what stands in files of other
names is of every pool whose questions and candidates it ranks. A pool without an entry is left out, with a message.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from msm.collections.collection import Collection, Pool
from msm.collections.exact_ranks import write_exact_ranks
from msm.collections.foreign_runs import read_foreign_run
from msm.collections.foreign_vectors import ForeignVectors
from msm.collections.run_folder import POOLS, ranks_file, run_file, write_protocol
from msm.collections.runs import Run, sorted_run
from msm.collections.trec_files import write_run
from msm.errors import BadInput
from msm.files import write_json_lines
from msm.retrieval import approximate
from msm.retrieval.ranking import search_vectors

TAG = "given"
INDEXES_FILE = "indexes.jsonl"
"""Recall of approximate indexes, one line for each index and pool."""
LOG = logging.getLogger(__name__)


def write_foreign_runs(out: Path, collection: Collection, files: Sequence[Path]) -> None:
    """Write the runs of the pools that some files rank.

    Args:
        out: folder of the runs.
        collection: queries, passages and pools.
        files: runs of any form that `msm.collections.foreign_runs` reads.

    Raises:
        BadInput: a malformed file, two files of one pool, a query or passage that is not of the benchmark, or nothing
            for any pool.
    """
    query_ids = [query.query_id for query in collection.queries]
    passage_ids, languages = [], []
    for passage in collection.passages:
        passage_ids.append(passage.passage_id)
        languages.append(passage.language)
    of_passage = dict(zip(passage_ids, languages, strict=True))
    of_query = {query.query_id: query.language for query in collection.queries}
    named_run: dict[str, Run] = {}
    other_runs: list[Run] = []
    for path in files:
        run = read_foreign_run(path, query_ids, passage_ids)
        _check_ids(path, run, of_query, of_passage)
        name = _pool_name(path, collection.pools)
        if name in named_run:
            raise BadInput(f"{path}: a second run of the pool {name}")
        if name:
            named_run[name] = run
        else:
            other_runs.append(run)
    other_run = _together(other_runs) if other_runs else None
    runs = {
        pool: _of_pool(pool, named_run.get(pool.name), other_run, of_query, of_passage) for pool in collection.pools
    }
    pool_runs = {pool: run for pool, run in runs.items() if run is not None and len(run.queries)}
    if not pool_runs:
        raise BadInput(f"{files[0]}: nothing for any pool of {', '.join(pool.name for pool in collection.pools)}")
    for pool, run in pool_runs.items():
        _say_missing(collection, pool, run)
        write_run(run_file(out, pool), run, TAG)
    _write_made(out, collection, pool_runs, {"made": "run given"})


def write_vector_runs(
    out: Path,
    collection: Collection,
    queries: ForeignVectors,
    passages: ForeignVectors,
    similarity: str,
    depth: int,
    indexes: Sequence[str] = (),
) -> None:
    """Write the runs of all pools and the exact ranks of their relevant passages, from vectors.

    Args:
        out: folder of the runs.
        collection: queries, passages and pools.
        queries: vectors of all queries.
        passages: vectors of all passages.
        similarity: `cosine`, or `dot` for the vectors as they are.
        depth: number of passages to keep for each query.
        indexes: approximate indexes whose recall against these runs is written beside them, in `INDEXES_FILE`.

    Raises:
        BadInput: queries and passages of different widths, or a vector that is not finite.
    """
    if queries.width != passages.width:
        raise BadInput(f"{queries.path}: width {queries.width}, but {passages.path} has {passages.width}")
    unit = similarity == "cosine"
    depths = dict.fromkeys(collection.pools, depth)
    query_vectors = queries.read(slice(None), unit)
    ranking = search_vectors(collection, query_vectors, lambda positions: passages.read(positions, unit), depths)
    for pool in collection.pools:
        write_run(run_file(out, pool), ranking.run(pool), TAG)
        if not collection.answers:
            write_exact_ranks(ranks_file(out, pool), ranking.exact_ranks(pool))
    write_protocol(out, {"made": "vectors given", "similarity": similarity})
    if indexes:
        rows = [
            recall._asdict()
            for kind in indexes
            for recall in approximate.recalls(
                kind, collection, query_vectors, lambda positions: passages.read(positions, unit), ranking
            )
        ]
        write_json_lines(out / INDEXES_FILE, rows)


def _pool_name(path: Path, pools: Sequence[Pool]) -> str:
    """Return the name of the pool that a file is named after; empty for none."""
    names = [pool.name for pool in pools if path.name == pool.name or path.name.startswith(f"{pool.name}.")]
    return max(names, key=len, default="")


def _check_ids(path: Path, run: Run, queries: dict[str, str], passages: dict[str, str]) -> None:
    for kind, ids, own_ids in (("query", run.query_ids, queries), ("passage", run.passage_ids, passages)):
        if strangers := [name for name in ids.to_pylist() if name not in own_ids]:
            raise BadInput(
                f"{path}: {len(strangers)} of {len(ids)} {kind} ids are not of this benchmark, such as {strangers[0]}; "
                f"its own look like {next(iter(own_ids), '')}"
            )


def _together(runs: Sequence[Run]) -> Run:
    """Return runs of different queries or passages as one run.

    Raises:
        BadInput: two of them have the same passage of a query.
    """
    if len(runs) == 1:
        return runs[0]
    queries, passages = (
        pa.concat_arrays([getattr(run, ids).take(pa.array(getattr(run, indices))) for run in runs]).dictionary_encode()
        for ids, indices in (("query_ids", "queries"), ("passage_ids", "passages"))
    )
    rows, columns = queries.indices.to_numpy(), passages.indices.to_numpy()
    pairs = rows.astype(np.int64) * len(passages.dictionary) + columns
    _, firsts = np.unique(pairs, return_index=True)
    if len(firsts) < len(pairs):
        twice = np.setdiff1d(np.arange(len(pairs)), firsts)[0]
        raise BadInput(f"query {queries[twice].as_py()}, passage {passages[twice].as_py()}: in two of the runs")
    scores = np.concatenate([run.scores for run in runs])
    return sorted_run(queries.dictionary, passages.dictionary, rows, columns, scores)


def _of_pool(
    pool: Pool, named_run: Run | None, other_run: Run | None, of_query: dict[str, str], of_passage: dict[str, str]
) -> Run | None:
    """Return the run of a pool: of the file that bears its name, else of the other files' entries for it."""
    run = named_run if named_run is not None else other_run
    if run is None or (named_run is None and pool.query_language != pool.candidate_language):
        # A run over all languages says nothing about how one language's candidates stand among themselves.
        return named_run
    query_languages = np.array([of_query[name] for name in run.query_ids.to_pylist()], object)
    passage_languages = np.array([of_passage[name] for name in run.passage_ids.to_pylist()], object)
    is_of_pool = np.ones(len(run.queries), bool)
    if pool.query_language is not None:
        is_of_pool &= query_languages[run.queries] == pool.query_language
    if pool.candidate_language is not None:
        is_of_pool &= passage_languages[run.passages] == pool.candidate_language
    if named_run is not None and not is_of_pool.all():
        raise BadInput(f"the run of {pool.name} ranks other questions or candidates than those of the pool")
    return run._replace(
        queries=run.queries[is_of_pool], passages=run.passages[is_of_pool], scores=run.scores[is_of_pool]
    )


def _say_missing(collection: Collection, pool: Pool, run: Run) -> None:
    """Print how many judged questions a pool's run lacks; they count 0."""
    qrels = collection.pool_qrels(pool)
    judged_ids = qrels.query_ids.take(pa.array(np.unique(qrels.queries))).to_pylist()
    run_ids = set(run.query_ids.take(pa.array(np.unique(run.queries))).to_pylist())
    missing_ids = [name for name in judged_ids if name not in run_ids]
    if missing_ids:
        counts = f"{len(missing_ids)} of {len(judged_ids)} judged questions"
        LOG.warning("%s: the run lacks %s, such as %s; they count 0", pool.name, counts, missing_ids[0])


def _write_made(out: Path, collection: Collection, pool_runs: dict[Pool, Run], protocol: dict[str, Any]) -> None:
    """Write how the runs were made, and which pools exist where some are left out."""
    empty_pools = [pool.name for pool in collection.pools if pool not in pool_runs]
    if empty_pools:
        LOG.warning("no run for the pools %s; they are left out", ", ".join(empty_pools))
        protocol = protocol | {POOLS: ",".join(pool.name for pool in pool_runs)}
    write_protocol(out, protocol)
