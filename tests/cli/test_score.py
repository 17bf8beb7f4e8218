import json
import subprocess
import sys
from pathlib import Path

import pytest

from msm.cli.main import main

QRELS = "q1 0 a 1\nq1 0 b 2\nq2 0 c 1\nq3 0 d 0\n"
RUN = "q1 Q0 c 1 3 t\nq1 Q0 a 2 2 t\nq1 Q0 b 3 2 t\nother Q0 a 1 1 t\n"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "qrels").write_text(QRELS)
    (tmp_path / "run").write_text(RUN)
    return ["score", "--qrels", str(tmp_path / "qrels"), "--run", str(tmp_path / "run"), "--measures"]


def test_it_prints_one_object_a_measure(files: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main([*files, "mrr@100, recall@2,map@20", "--out", str(tmp_path / "out")])
    lines = capsys.readouterr().out
    assert [json.loads(line) for line in lines.splitlines()] == [
        {"measure": "mrr@100", "value": pytest.approx(0.5 / 3), "queries": 3},
        {"measure": "recall@2", "value": pytest.approx(0.5 / 3), "queries": 3},
        {"measure": "map@20", "value": pytest.approx((1 / 2 + 2 / 3) / 2 / 3), "queries": 3},
    ]
    assert (tmp_path / "out").read_text() == lines


def test_the_tie_rule_can_be_chosen(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main([*files, "ndcg@2", "--ties", "pessimistic"])
    low = json.loads(capsys.readouterr().out)["value"]
    main([*files, "ndcg@2", "--ties", "trec"])
    assert json.loads(capsys.readouterr().out)["value"] == pytest.approx(2 * low)


@pytest.mark.parametrize(
    ("words", "measures"),
    [
        ([], ["ndcg@10", "mrr@100", "recall@100"]),
        (["--benchmark", "miracl"], ["ndcg@10", "recall@100"]),
        (["--benchmark", "lareqa"], ["map@20"]),
        (["--benchmark", "mr_tydi", "--measures", "P@5"], ["precision@5"]),
    ],
)
def test_measures_are_those_of_the_benchmark_where_none_is_named(
    files: list[str], words: list[str], measures: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*files[:-1], *words])
    names = [json.loads(line)["measure"] for line in capsys.readouterr().out.splitlines()]
    assert names[: len(measures)] == measures


@pytest.mark.parametrize("benchmark", ["xor_retrieve", "tatoeba", "nobody"])
def test_benchmarks_without_judgements_have_no_measures_of_them(files: list[str], benchmark: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([*files[:-1], "--benchmark", benchmark])
    assert end.value.code == 2


@pytest.mark.parametrize("measures", ["mrr@0", "nope", ","])
def test_bad_measures_end_with_exit_code_2(files: list[str], capsys: pytest.CaptureFixture[str], measures: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([*files, measures])
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_it_loads_no_torch() -> None:
    code = "import sys, msm.cli.score; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
