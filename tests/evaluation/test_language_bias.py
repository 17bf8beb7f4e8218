"""Languages of the best answers, counted once more by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from msm.collections.collection import Collection, Pool
from msm.collections.passages import Passages
from msm.collections.records import Passage, Query
from msm.collections.runs import Qrels, Run, sorted_run
from msm.errors import BadInput
from msm.evaluation.language_bias import FILE, bias, bias_rows, read_bias
from msm.files import write_json_lines

QUERIES = [Query("q0", "de", ""), Query("q1", "de", ""), Query("q2", "th", "")]
PASSAGES = [Passage(f"p{number}", language, "") for number, language in enumerate(("ar", "de", "de", "th"))]


@pytest.fixture
def collection() -> Collection:
    ids = pa.array([query.query_id for query in QUERIES]), pa.array([passage.passage_id for passage in PASSAGES])
    qrels = Qrels(*ids, np.array([0, 0, 1, 2]), np.array([0, 1, 2, 3]), np.array([1, 1, 0, 1]))
    passages = Passages({None: lambda: PASSAGES}, ids[1].to_pylist())
    return Collection(QUERIES, ["a", "b", "a"], passages, qrels, [Pool("multilingual", None, None)])


def run(*lines: tuple[str, str, float]) -> Run:
    queries, passages = (sorted({line[place] for line in lines}, reverse=True) for place in (0, 1))
    places = [(queries.index(query), passages.index(passage)) for query, passage, _ in lines]
    columns = np.array(places).T
    return sorted_run(queries, passages, columns[0], columns[1], np.array([line[2] for line in lines]))


def test_shares_are_of_the_best_answers(collection: Collection) -> None:
    ranking = run(("q0", "p1", 3), ("q0", "p2", 2), ("q0", "p0", 1), ("q1", "p3", 1), ("q1", "p1", 2))
    result = bias(collection, ranking, [2])[2]
    assert (result.query_languages, result.candidate_languages) == (["de", "th"], ["ar", "de", "th"])
    np.testing.assert_allclose(result.shares, [[0, 3 / 4, 1 / 4], [np.nan] * 3])
    np.testing.assert_allclose(result.relevant, [[1 / 2, 1 / 2, 0], [0, 0, 1]])
    np.testing.assert_allclose(result.candidates, [1 / 4, 1 / 2, 1 / 4])


def test_own_share_is_the_mean_of_the_diagonal(collection: Collection) -> None:
    result = bias(collection, run(("q0", "p1", 2), ("q0", "p0", 1), ("q2", "p3", 1)), [5])[5]
    assert result.own == pytest.approx(0.75)


def test_run_of_another_benchmark_is_refused(collection: Collection) -> None:
    with pytest.raises(BadInput, match="x9 is no query or passage"):
        bias(collection, run(("q0", "x9", 1.0)), [1])


def test_what_is_written_is_read(collection: Collection, tmp_path: Path) -> None:
    results = bias(collection, run(("q0", "p1", 2), ("q0", "p0", 1)), [1, 2])
    write_json_lines(tmp_path / FILE, bias_rows(results))
    for depth, one in results.items():
        copy = read_bias(tmp_path, depth)
        assert (copy.query_languages, copy.candidate_languages) == (one.query_languages, one.candidate_languages)
        for ours, theirs in zip(copy[2:], one[2:], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(BadInput, match="no shares of languages at depth 3"):
        read_bias(tmp_path, 3)
    (tmp_path / "scores").mkdir()
    with pytest.raises(BadInput, match="score the run again"):
        read_bias(tmp_path / "scores", 1)
