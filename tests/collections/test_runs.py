import gzip
from pathlib import Path

import numpy as np
import pytest

from msm.collections.runs import Qrels, Run, ranked_run, read_qrels, read_run, write_qrels, write_run
from msm.errors import BadInput


def entries(run: Run) -> list[tuple[str, str, np.float32]]:
    queries, passages = run.query_ids.to_pylist(), run.passage_ids.to_pylist()
    return [(queries[q], passages[p], s) for q, p, s in zip(run.queries, run.passages, run.scores, strict=True)]


def judgements(qrels: Qrels) -> list[tuple[str, str, int]]:
    queries, passages = qrels.query_ids.to_pylist(), qrels.passage_ids.to_pylist()
    return [(queries[q], passages[p], n) for q, p, n in zip(qrels.queries, qrels.passages, qrels.labels, strict=True)]


@pytest.fixture
def run() -> Run:
    rng = np.random.default_rng(1)
    scores = -np.sort(-rng.standard_normal((20, 30)).astype(np.float32) * 10.0 ** rng.integers(-8, 8, (20, 1)), axis=1)
    passages = np.argsort(rng.random((20, 50)), axis=1)[:, :30]
    passages[3, 10:] = -1
    passages[4] = -1
    return ranked_run([f"q{n}" for n in range(20)], [f"ид{n}" for n in range(50)], passages, scores)


@pytest.mark.parametrize("name", ["run.trec", "run.trec.gz"])
def test_a_written_run_reads_back_bit_for_bit(tmp_path: Path, run: Run, name: str) -> None:
    write_run(tmp_path / name, run, "tag")
    assert entries(read_run(tmp_path / name)) == entries(run)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path, run: Run) -> None:
    for name in ("a.gz", "b.gz"):
        write_run(tmp_path / name, run, "tag")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_ranks_count_from_1_in_every_query(tmp_path: Path) -> None:
    write_run(tmp_path / "run", ranked_run(["a", "b"], ["x", "y"], np.array([[1, 0], [0, -1]]), np.ones((2, 2))), "t")
    assert (tmp_path / "run").read_text() == "a Q0 y 1 1 t\na Q0 x 2 1 t\nb Q0 x 1 1 t\n"


def test_columns_may_be_separated_by_any_blanks_and_lines_be_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_bytes(b"\n b\tQ0  x 1 .5 t\r\na Q0 y\t2 1e-1 t \n\nb Q0 y 2 7 t\nb Q0 z 9 +7.0 t")
    assert entries(read_run(path)) == [("b", "y", 7), ("b", "z", 7), ("b", "x", 0.5), ("a", "y", np.float32(0.1))]


def test_qrels_read_back(tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("a 0 x 1\nb 0 x 0\na 0 y -2\na 0 x 1\n")
    qrels = read_qrels(tmp_path / "qrels")
    assert judgements(qrels) == [("a", "x", 1), ("b", "x", 0), ("a", "y", -2)]
    write_qrels(tmp_path / "again.gz", qrels)
    assert gzip.decompress((tmp_path / "again.gz").read_bytes()) == b"a 0 x 1\nb 0 x 0\na 0 y -2\n"


GOOD = "a Q0 x 1 0.5 t\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "{}: empty, expected at least one line"),
        (" \n\n", "{}: empty, expected at least one line"),
        (GOOD + "a Q0 y 2 nan t\n", "{}:2: score is not finite: nan"),
        ("\n" + GOOD + "\n\na Q0 y 2 -Inf t\n", "{}:5: score is not finite: -Inf"),
        (GOOD + "a Q0 y 2 1e39 t\n", "{}:2: score is not finite: 1e39"),
        (GOOD + "a Q0 y 2 high t\n", "{}:2: score is not a number: high"),
        (GOOD + "a Q0 y 2 1_0 t\n", "{}:2: score is not a number: 1_0"),
        (GOOD + "a Q0 y 2 0.4\n", "{}:2: expected 6 columns, got 5"),
        ("a Q0 x 1 0.5 t more\n", "{}:1: expected 6 columns, got 7"),
        (GOOD + "\nb Q0 x 1 3 t\na Q0 x 2 0.4 t\n", "{}:4: query a, passage x: twice in the run (first on line 1)"),
    ],
)
def test_a_bad_run_is_refused_with_file_line_and_value(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "run.trec"
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        read_run(path)
    assert str(error.value) == problem.format(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\n", "{}: empty, expected at least one line"),
        ("a 0 x 1\nb 0 x 1.0\n", "{}:2: label is not an integer: 1.0"),
        ("a 0 x 1\nb x 1\n", "{}:2: expected 4 columns, got 3"),
        ("a 0 x 1\na 0 y 1\na 0 x 1\na 0 x 0\n", "{}:4: query a, passage x: with two labels (first on line 1)"),
    ],
)
def test_bad_qrels_are_refused_with_file_line_and_value(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "qrels"
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        read_qrels(path)
    assert str(error.value) == problem.format(path)


def test_a_broken_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.gz"
    path.write_bytes(gzip.compress(GOOD.encode() * 100)[:-9])
    with pytest.raises(BadInput, match=r"run\.gz: not a whole gzip file"):
        read_run(path)
    (tmp_path / "latin").write_bytes("é Q0 x 1 1 t\n".encode("latin-1"))
    with pytest.raises(BadInput, match="latin:1: not UTF-8"):
        read_run(tmp_path / "latin")
    with pytest.raises(BadInput, match="no such file"):
        read_run(tmp_path / "none")


@pytest.mark.parametrize("passage_id", ["x y", "x\n", ""])
def test_an_id_that_trec_files_cannot_hold_is_not_written(tmp_path: Path, passage_id: str) -> None:
    run = ranked_run(["a"], [passage_id], np.array([[0]]), np.array([[1.0]]))
    with pytest.raises(BadInput, match="an id must have no blanks"):
        write_run(tmp_path / "run", run, "t")
    assert not list(tmp_path.iterdir())
