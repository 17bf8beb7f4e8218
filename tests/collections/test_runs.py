import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
import zstandard

from msm.collections.runs import Qrels, Run, ranked_run
from msm.collections.trec_files import read_qrels, read_run, write_qrels, write_run
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
    with pytest.raises(BadInput, match=r"run\.gz: not a whole \.gz file"):
        read_run(path)
    (tmp_path / "latin").write_bytes("é Q0 x 1 1 t\n".encode("latin-1"))
    with pytest.raises(BadInput, match="latin:1: not UTF-8"):
        read_run(tmp_path / "latin")
    with pytest.raises(BadInput, match="no such file"):
        read_run(tmp_path / "none")


@pytest.mark.parametrize("passage_id", ["x\u2420y", ""])
def test_an_id_that_trec_files_cannot_hold_is_not_written(tmp_path: Path, passage_id: str) -> None:
    run = ranked_run(["a"], [passage_id], np.array([[0]]), np.array([[1.0]]))
    with pytest.raises(BadInput, match="an id must not be empty or hold the picture of a blank"):
        write_run(tmp_path / "run", run, "t")
    assert not list(tmp_path.iterdir())


def test_blanks_of_ids_are_written_as_pictures_and_read_back(tmp_path: Path) -> None:
    queries, passages = ["a b", "c"], [" x", "y\tz\n", "w"]
    run = ranked_run(queries, passages, np.array([[0, 1], [2, -1]]), np.array([[2, 1], [1, 0.0]]))
    write_run(tmp_path / "run", run, "t")
    assert all(len(line.split()) == 6 for line in (tmp_path / "run").read_text().splitlines())
    assert entries(read_run(tmp_path / "run")) == entries(run)
    qrels = Qrels(run.query_ids, run.passage_ids, np.array([0, 1]), np.array([1, 2]), np.array([1, 2]))
    write_qrels(tmp_path / "qrels", qrels)
    assert judgements(read_qrels(tmp_path / "qrels")) == [("a b", "y\tz\n", 1), ("c", "w", 2)]


def test_comments_are_passed_over_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_text("# made by hand\na Q0 x#1 1 2 t\n  # more\na Q0 # 2 1 t\n")
    assert entries(read_run(path)) == [("a", "x#1", 2), ("a", "#", 1)]
    path.write_text("# one\na Q0 x 1 2 t\n# three\na Q0 y 2 high t\n")
    with pytest.raises(BadInput, match=r"run:4: score is not a number: high"):
        read_run(path)
    path.write_text("# judgements\na 0 x#1 1\n")
    assert judgements(read_qrels(path)) == [("a", "x#1", 1)]


def test_scores_of_others_are_double_on_demand(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a Q0 x 1 1.00000001 t\na Q0 y 2 1.00000002 t\n")
    assert entries(read_run(tmp_path / "run")) == [("a", "x", 1), ("a", "y", 1)]
    assert entries(read_run(tmp_path / "run", double=True)) == [("a", "y", 1.00000002), ("a", "x", 1.00000001)]


def test_an_empty_file_may_be_a_run_that_found_nothing(tmp_path: Path) -> None:
    run = ranked_run(["a"], ["x"], np.array([[-1]]), np.array([[0.0]]))
    write_run(tmp_path / "run.gz", run, "t")
    assert entries(read_run(tmp_path / "run.gz", may_be_empty=True)) == []
    with pytest.raises(BadInput, match="empty"):
        read_run(tmp_path / "run.gz")


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_runs_may_be_compressed(tmp_path: Path, ending: str) -> None:
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}[ending]
    whole = pack(b"\xef\xbb\xbfa Q0 x 1 2 t\n")
    (tmp_path / f"run{ending}").write_bytes(whole)
    assert entries(read_run(tmp_path / f"run{ending}")) == [("a", "x", 2)]
    (tmp_path / f"run{ending}").write_bytes(whole[:-6])
    with pytest.raises(BadInput, match=f"run{ending}: not a whole {ending} file"):
        read_run(tmp_path / f"run{ending}")
