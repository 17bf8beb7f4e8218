"""Writes a table in LaTeX for `booktabs`: values times 100, intervals of the means, the best of each column in bold."""

from msm.errors import visible
from msm.reporting import wording
from msm.reporting.contents import Table
from msm.reporting.models import Cell
from msm.reporting.published import MEAN
from msm.reporting.training_sets import HEAD

SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def latex(table: Table) -> str:
    """Return a table as a `table` environment."""
    names = [*table.languages, MEAN]
    digits = {name: table.mean_digits if name == MEAN else 1 for name in names}
    best = {name: _best(table, name, digits[name]) for name in names}
    head = " & ".join(["model", *map(_plain, names), r"95\,\% interval", "rank", *[HEAD] * table.tells_training])
    lines = [
        " & ".join(
            [
                _plain(row.label),
                *(_value(row.cells.get(name), best[name], digits[name]) for name in names),
                _plain(wording.interval(row.cells[MEAN].interval)) if MEAN in row.cells else "",
                wording.rank(row.ranks),
                *[_plain(row.training.sets)] * table.tells_training,
            ]
        )
        for row in table.rows
    ]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_plain(table.title)} ({_plain(table.subtitle)})}}",
            rf"\begin{{tabular}}{{l{'r' * len(names)}ll{'l' * table.tells_training}}}",
            r"\toprule",
            head + r" \\",
            r"\midrule",
            *(line + r" \\" for line in lines),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _best(table: Table, name: str, digits: int) -> str:
    """Return the best value of a column as it is printed; an empty text where the column has no value."""
    values = [cell.value for row in table.rows if (cell := row.cells.get(name)) and cell.value is not None]
    return wording.times_100((min if table.less_is_better else max)(values), digits) if values else ""


def _value(cell: Cell | None, best: str, digits: int) -> str:
    if cell is None or cell.value is None:
        return "--"
    text = wording.times_100(cell.value, digits)
    return rf"\textbf{{{text}}}" if text == best else text


def _plain(text: str) -> str:
    """Return a text from data in which LaTeX reads every sign as itself."""
    return "".join(SIGNS.get(sign, sign) for sign in visible(text))
