"""Writes tables and a leaderboard as one HTML page that needs no server, no script and no network."""

from collections.abc import Iterator, Sequence

from msm.reporting import wording
from msm.reporting.colours import colour
from msm.reporting.contents import (
    FAIRNESS_NOTE,
    FairnessRow,
    Row,
    Section,
    Table,
    fairness_head,
    limits,
    training_sources,
)
from msm.reporting.lineage import LineageStep
from msm.reporting.published import MEAN
from msm.reporting.training_sets import HEAD
from msm.reporting.wording import escaped

STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,-apple-system,'Segoe UI','Noto Sans',sans-serif;color:#1a1d21;background:#fff;
 max-width:76rem;margin:0 auto;padding:1rem}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.25rem;margin:2rem 0 .25rem}h3{font-size:1rem;margin:1.25rem 0 .25rem}
p{color:#4a515b;margin:.25rem 0 .5rem;max-width:50rem}nav a{margin-right:1rem}a{color:#0b57a4}
.wide{overflow-x:auto;border:1px solid #e1e4e8;border-radius:6px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:.3rem .5rem;text-align:right;white-space:nowrap}thead th{border-bottom:1px solid #c8cdd3}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:#fff;border-right:1px solid #e1e4e8}
tr.chance td{color:#5f6670}td.mean{font-weight:600}
details{margin:.25rem 0}summary{cursor:pointer}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f5f6f8;
 padding:.5rem;border-radius:6px;font-size:.8rem}
@media(max-width:40rem){body{padding:.5rem;font-size:14px}th,td{padding:.25rem .4rem}
 th:first-child,td:first-child{max-width:8rem;overflow:hidden;text-overflow:ellipsis}}
"""
RANKS = (
    "Values times 100. Rank: the ranks that the means leave open, with 95 % confidence for all pairs at once; models "
    "whose ranks overlap are not told apart."
)


def page(title: str, body: str) -> str:
    """Return a whole HTML document of a title and a body."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def table_html(table: Table, links: dict[str, str] | None = None) -> str:
    """Return one table with its title; the colour of a cell shows how large its value is.

    Args:
        table: table of one measure on one kind of pool.
        links: label of a row to the address of its lineage.
    """
    names = [*table.languages, "95 % interval", "rank", "seeds", *[HEAD] * table.tells_training]
    low, high = limits(table.rows)
    rows = "\n".join(_row(row, table, links or {}, low, high) for row in table.rows)
    return (
        f"<h3>{escaped(table.title)}</h3><p>{escaped(table.subtitle)}</p>\n"
        f'<div class="wide"><table><thead>{_cells("th", ["model", MEAN, *names])}</thead><tbody>\n{rows}\n'
        "</tbody></table></div>"
        + "".join(
            f"<p>{HEAD}, {escaped(labels)}: {escaped(source)}</p>" for labels, source in training_sources(table.rows)
        )
    )


def site(title: str, sections: Sequence[Section], chains: dict[str, list[LineageStep]]) -> str:
    """Return a leaderboard of all tables, of language fairness and of the origin of every number.

    Args:
        title: title of the page.
        sections: sections, one for each benchmark.
        chains: name of a model of a benchmark, as `anchor` returns it, to the steps behind its scores.
    """
    places = [(f"b{number}", section) for number, section in enumerate(sections)]
    links = "".join(f'<a href="#{place}">{escaped(section.title)}</a>' for place, section in places)
    parts = [f"<h1>{escaped(title)}</h1><p>{escaped(RANKS)}</p><nav>{links}</nav>"]
    for place, section in places:
        parts += _section(place, section, chains)
    return page(title, "\n".join(parts))


def anchor(section: Section, model: str) -> str:
    """Return the name of a model of a benchmark as a part of addresses."""
    return f"{section.benchmark.name}/{section.benchmark.split}/{section.benchmark.setting}/{model}"


def _section(place: str, section: Section, chains: dict[str, list[LineageStep]]) -> Iterator[str]:
    yield f'<h2 id="{place}">{escaped(section.title)}</h2>'
    models = [model.name for model in section.benchmark.models]
    links = {name: f"#{place}-m{number}" for number, name in enumerate(models)}
    for table in section.tables.values():
        yield table_html(table, links)
    if section.fairness:
        yield _fairness(section.fairness)
    yield "<h3>Where the numbers come from</h3>"
    for number, name in enumerate(models):
        steps = chains.get(anchor(section, name), [])
        yield f'<details id="{place}-m{number}"><summary>{escaped(name)}</summary>{_lineage(steps)}</details>'


def _fairness(rows: Sequence[FairnessRow]) -> str:
    measures = list(dict.fromkeys(measure for row in rows for measure in row.cells))
    lines = [_cells("td", [row.model, *(_fair(row, measure) for measure in measures)]) for row in rows]
    return (
        f"<h3>Language fairness, one pool of all languages</h3><p>{escaped(FAIRNESS_NOTE)}</p>\n"
        f'<div class="wide"><table><thead>{_cells("th", ["model", *map(fairness_head, measures)])}</thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _fair(row: FairnessRow, measure: str) -> str:
    cell = row.cells.get(measure)
    return "" if cell is None else f"{wording.times_100(cell.value)} {wording.interval(cell.interval)}"


def _lineage(steps: Sequence[LineageStep]) -> str:
    lines = [
        f"<p>{escaped(step.name)}, commit {escaped(str(step.manifest.get('commit', 'unknown'))[:12])}</p>"
        f"<pre>{escaped(str(step.manifest.get('command', '')))}</pre>"
        for step in steps
        if step.manifest
    ]
    return "".join(lines) or "<p>Nothing is known.</p>"


def _row(row: Row, table: Table, links: dict[str, str], low: float, high: float) -> str:
    label = escaped(row.label)
    name = f'<a href="{escaped(links[row.label])}">{label}</a>' if row.label in links else label
    mean = row.cells[MEAN]
    languages = "".join(_filled(row, language, low, high) for language in table.languages)
    seeds = wording.seeds(row.seeds, row.seed_deviation)
    texts = [
        wording.interval(mean.interval),
        wording.rank(row.ranks),
        seeds,
        *[row.training.sets] * table.tells_training,
    ]
    words = "".join(f"<td>{escaped(text)}</td>" for text in texts)
    value = wording.times_100(mean.value, table.mean_digits)
    return f'<tr class="{row.kind}"><td>{name}</td><td class="mean">{value}</td>{languages}{words}</tr>'


def _filled(row: Row, language: str, low: float, high: float) -> str:
    cell = row.cells.get(language)
    if cell is None or cell.value is None:
        return "<td></td>"
    shade = colour(cell.value, low, high)
    return f'<td style="background:{shade.fill};color:{shade.text}">{wording.times_100(cell.value)}</td>'


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escaped(text)}</{tag}>" for text in texts) + "</tr>"
