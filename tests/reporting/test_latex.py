"""LaTeX tables: cells, the best in bold, and text that stays text."""

import shutil
import subprocess
from pathlib import Path

import pytest

from msm.evaluation.statistics import Interval, RankInterval
from msm.reporting.contents import Row, Table
from msm.reporting.latex import latex
from msm.reporting.markdown import table_text
from msm.reporting.models import Cell

TABLE = Table(
    "T_1 & 50 %",
    "9 questions",
    ["ar", "de"],
    [
        Row("chance", "chance", {"ar": Cell(0.001), "de": Cell(None), "mean": Cell(0.001)}),
        Row(
            "a_b~{x}\\|", "model", {"ar": Cell(0.25), "mean": Cell(0.25, Interval(0.2, 0.3))}, ranks=RankInterval(1, 2)
        ),
    ],
)


def test_cells_stand_in_their_columns() -> None:
    lines = [line.split(" & ") for line in latex(TABLE).splitlines() if line.endswith(r"\\")]
    assert lines[0] == ["model", "ar", "de", "mean", r"95\,\% interval", r"rank \\"]
    assert lines[1] == ["chance", "0.1", "--", "0.1", "", r" \\"]
    assert lines[2][1:] == [r"\textbf{25.0}", "--", r"\textbf{25.0}", "[20.0, 30.0]", r"1 to 2 \\"]


def test_the_least_is_best_where_less_is_better() -> None:
    text = latex(TABLE._replace(less_is_better=True))
    assert r"\textbf{0.1}" in text and r"\textbf{25.0}" not in text


def test_signs_stand_for_themselves() -> None:
    text = latex(TABLE)
    assert r"a\_b\textasciitilde{}\{x\}\textbackslash{}|" in text
    assert r"\caption{T\_1 \& 50 \% (9 questions)}" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_understands_it(tmp_path: Path) -> None:
    source = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + latex(TABLE) + r"\end{document}"
    (tmp_path / "t.tex").write_text(source)
    subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_markdown_has_the_same_cells() -> None:
    head, _, chance, model = table_text(TABLE).splitlines()[2:]
    assert head == "| model | ar | de | mean | 95 % interval | rank | seeds |"
    assert [cell.strip() for cell in chance.strip("|").split("|")][:3] == ["chance", "0.1", "\N{EN DASH}"]
    assert "**25.0** | [20.0, 30.0]" in model


def test_means_have_the_decimals_that_a_verdict_takes() -> None:
    text = latex(TABLE._replace(mean_digits=2))
    assert r"\textbf{25.00}" in text and r"\textbf{25.0}" in text
