"""Writes a report in Markdown: the recipe, tables, differences with verdicts, and the origin of every score."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from msm.pipeline import artifacts
from msm.reporting import wording
from msm.reporting.contents import (
    FAIRNESS_NOTE,
    Difference,
    FairnessRow,
    Row,
    Section,
    Table,
    fairness_head,
    notes,
    training_sources,
)
from msm.reporting.lineage import LineageStep
from msm.reporting.models import Cell, Column, ModelScores, Problem
from msm.reporting.published import MEAN
from msm.reporting.settings import ABLATIONS, HEATMAP, SCALING, TRADE
from msm.reporting.training_sets import HEAD
from msm.reporting.wording import plain

READING = """\
Values are times 100. *Chance* is what a random ranking scores. Intervals hold the mean with 95 % confidence over
other questions like these (bootstrap; a question, its translations and all questions about the same text are drawn
together). *Rank* is the range of ranks that the means leave open, with 95 % confidence for all pairs of models at
once: models whose ranges overlap are not told apart. p values are two-sided, from random signs of the paired
differences, corrected by Holm for all differences of one table. Where a verdict says *inside the noise*, the data do
not tell the two apart, whichever is printed higher."""
ONE_TRAINING = """\
Questions are one source of noise, training is another: *one training* marks a difference between models of which one
was trained with a single seed, so that nothing is known of the second."""

ABLATED = """\
Differences from the reference of each table, in points: bars are 95 % intervals over the questions, small marks single
trainings, diamonds what the paper prints for its own benchmark and scale."""

NAMED = 4
"""Largest number of languages of a training that the report lists by name."""
OVERLAP = {
    "all": "every language may tell the same documents; their alignment is shown to no objective",
    "disjoint": "each document is kept in one language only",
}


def document(
    recipe: str, sections: Sequence[Section], problems: Sequence[Problem], chains: dict[str, list[LineageStep]]
) -> str:
    """Return the report on a recipe.

    Args:
        recipe: name of the recipe.
        sections: sections, one for each benchmark.
        problems: folders that are left out, with the reasons.
        chains: name of a score folder, STAGE/ROW, to the steps behind it, sources first.
    """
    parts = [f"# Results of the recipe `{recipe}`", READING]
    if any("one training" in one.verdict for part in sections for group in part.differences.values() for one in group):
        parts.append(ONE_TRAINING)
    if problems:
        parts.append("**Left out:**\n\n" + "\n".join(f"- {plain(problem.reason)}" for problem in problems))
    parts += ["## What was run", _what_was_run(sections, chains)]
    for section in sections:
        parts += _section(section)
    parts += ["## Where the numbers come from", _lineage(sections, chains)]
    summary = "<details><summary>Every command, in an order in which they can be run again</summary>"
    parts += [summary, _commands(chains), "</details>", *_recipes(chains)]
    return "\n\n".join(parts) + "\n"


def table_text(table: Table) -> str:
    """Return a table with its title."""
    title = f"**{plain(table.title)}** ({plain(table.subtitle)})"
    rows = [row._replace(label=plain(row.label)) for row in table.rows]
    parts = [title, _table(table._replace(rows=rows)), _training_sources(table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _training_sources(table: Table) -> str:
    return "\n".join(f"- *{HEAD}*, {plain(rows)}: {plain(source)}" for rows, source in training_sources(table.rows))


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    yield f"![Heat map]({HEATMAP.format(section.benchmark.name)})"
    if section.ablations:
        yield f"![Ablations beside the paper's]({ABLATIONS.format(section.benchmark.name)})"
        yield ABLATED
    if section.scaling:
        yield f"![Scores against the size of the pre-training]({SCALING.format(section.benchmark.name)})"
    if section.trade:
        yield f"![Own language against one pool of all]({TRADE.format(section.benchmark.name)})"
    for column, table in section.tables.items():
        yield f"### {wording.column(column)}"
        columns = "; columns are the languages of the questions" * (table.side == "questions")
        yield f"{table.subtitle}{columns}.{_ceiling(section, column)}"
        yield _table(table)
        if sources := _training_sources(table):
            yield sources
        if differences := section.differences[column]:
            yield "Differences of the means:"
            yield _differences(differences, len(table.languages))
        if published_rows := section.published_rows[column]:
            yield (
                "Published for the same benchmark, split and measure, with **other protocols and at another scale**: "
                "a landmark, not a rival."
            )
            yield _printed_table(table.languages, published_rows)
            yield "\n".join(_notes(published_rows))
    if section.fairness:
        yield from _fairness(section.fairness)


def _fairness(rows: Sequence[FairnessRow]) -> Iterator[str]:
    measures = list(dict.fromkeys(measure for row in rows for measure in row.cells))
    yield "### Language fairness, one pool of all languages"
    yield FAIRNESS_NOTE
    lines = ([plain(row.model), *(_with_interval(row.cells.get(measure)) for measure in measures)] for row in rows)
    yield _grid(["model", *map(fairness_head, measures)], lines)


def _with_interval(cell: Cell | None) -> str:
    return wording.BLANK if cell is None else f"{wording.times_100(cell.value)} {wording.interval(cell.interval)}"


def _ceiling(section: Section, column: Column) -> str:
    """Return a note on the score of a ranker that finds one language only, where answers exist in all languages."""
    languages = len(section.tables[column].languages)
    if column[1] != "multilingual" or (column[0], "other") not in section.tables or not column[0].startswith("map"):
        return ""
    return (
        f" Every question has an answer in each of the {languages} languages: a ranker that finds those of the "
        f"question's own language only cannot pass {wording.times_100(1 / languages)}."
    )


def _table(table: Table) -> str:
    return _grid(
        ["model", *table.languages, MEAN, "95 % interval", "rank", "seeds", *[HEAD] * table.tells_training],
        (
            [
                row.label,
                *(_value(row.cells.get(language)) for language in table.languages),
                f"**{wording.times_100(row.cells[MEAN].value, table.mean_digits)}**",
                wording.interval(row.cells[MEAN].interval),
                wording.rank(row.ranks),
                wording.seeds(row.seeds, row.seed_deviation),
                *[row.training.sets] * table.tells_training,
            ]
            for row in table.rows
        ),
    )


def _printed_table(languages: Sequence[str], rows: Iterable[Row]) -> str:
    names = [*languages, MEAN]
    return _grid(
        ["published", *names],
        ([plain(row.label), *(_value(row.cells.get(name)) for name in names)] for row in rows),
    )


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    for about in dict.fromkeys(row.about for row in rows):
        labels = ", ".join(row.label for row in rows if row.about == about)
        yield f"- {plain(labels)}: {plain(about)}"
    for label, cells, note in notes(list(rows)):
        yield f"- {plain(label)}, {cells}: {plain(note)}"


def _differences(differences: Sequence[Difference], languages: int) -> str:
    return _grid(
        ["pair", "difference", "95 % interval", "p", "better in", "worse in", "verdict"],
        (
            [
                f"{difference.model} {wording.MINUS} {difference.control}",
                *wording.difference(difference.value, difference.interval),
                wording.p_value(difference.p),
                _names(difference.better, languages),
                _names(difference.worse, languages),
                f"**{difference.verdict}**",
            ]
            for difference in differences
        ),
    )


def _names(languages: Sequence[str], of: int) -> str:
    return f"all {of}" if len(languages) == of > 1 else " ".join(languages)


def _what_was_run(sections: Sequence[Section], chains: dict[str, list[LineageStep]]) -> str:
    rows = []
    for section in sections:
        for model in section.benchmark.models:
            steps = chains[model.seeds[0].name]
            seeds = ", ".join(str(scores.facts["seed"]) for scores in model.seeds) if model.is_trained else ""
            rows.append(
                [
                    f"{section.benchmark.name} / {model.name}",
                    ", then ".join(_training(step) for step in steps if step.name.startswith("pretrain/")),
                    ", then ".join(_training(step) for step in steps if step.name.startswith("finetune/")),
                    seeds,
                    "; ".join(sorted({scores.facts["protocol"] for scores in model.seeds})),
                ]
            )
    return _grid(["benchmark / model", "pre-training", "fine-tuning", "seeds", "protocol"], rows) + _texts(chains)


def _training(step: LineageStep) -> str:
    settings, facts = step.manifest.get("settings", {}), step.manifest.get("facts", {})
    words = [str(settings["objective"])] if "objective" in settings else []
    if isinstance(languages := facts.get("languages"), list):
        words.append(" ".join(map(str, languages)) if len(languages) <= NAMED else f"{len(languages)} languages")
    words += [f"{settings['steps']:,} steps"] if isinstance(settings.get("steps"), int) else []
    words += [f"{facts['tokens']:,} tokens"] if isinstance(facts.get("tokens"), int) else []
    return plain(", ".join(words))


def _texts(chains: dict[str, list[LineageStep]]) -> str:
    """Return a note on whether the languages were trained on the same documents."""
    steps = {step.name: step for steps in chains.values() for step in steps if step.name.startswith("documents/")}
    lines = []
    for name, step in sorted(steps.items()):
        settings: dict[str, Any] = step.manifest.get("settings", {})
        if overlap := OVERLAP.get(settings.get("document_overlap", "")):
            lines.append(f"\n- `{name}`: {overlap}.")
        if settings.get("reorder"):
            lines.append(f" {100 * settings['reorder']:g} % have their sentences shuffled, but in the first language.")
    return "\n" + "".join(lines) if lines else ""


def _lineage(sections: Sequence[Section], chains: dict[str, list[LineageStep]]) -> str:
    runs = [scores for section in sections for model in section.benchmark.models for scores in model.seeds]
    return _grid(
        ["scores", "scored", "model", "commit", "sources", "as written"],
        ([f"`{run.name}`", f"`{run.source}`", *_origin(run, chains[run.name])] for run in runs),
    )


def _origin(run: ModelScores, steps: Sequence[LineageStep]) -> list[str]:
    models = [step.name for step in steps if step.name.startswith("finetune/")]
    first = [step.manifest for step in steps if step.name.startswith("sources/") and step.manifest]
    sources = [artifacts.checksum(manifest["outputs"]) for manifest in first]
    problems = [problem for step in steps for problem in step.problems]
    return [
        f"`{models[-1]}`" if models else "",
        f"`{str(run.manifest.get('commit', 'unknown'))[:12]}`",
        " ".join(f"`{checksum[:12]}`" for checksum in sources),
        "**no:** " + plain("; ".join(problems)) if problems else "yes",
    ]


def _commands(chains: dict[str, list[LineageStep]]) -> str:
    commands = {step.name: step.manifest["command"] for steps in chains.values() for step in steps if step.manifest}
    return wording.fenced("\n".join(commands.values()), "sh")


def _recipes(chains: dict[str, list[LineageStep]]) -> Iterator[str]:
    """Yield every recipe that the rows were run with, with all its values."""
    rows: dict[str, list[str]] = {}
    for name, steps in chains.items():
        if steps and (recipe := steps[-1].manifest.get("recipe")):
            rows.setdefault(yaml.safe_dump(recipe, width=118, allow_unicode=True), []).append(name)
    for text, names in rows.items():
        of_rows = f" when {', '.join(names)} ran" if len(rows) > 1 else ""
        yield f"<details><summary>The recipe, with every value{of_rows}</summary>"
        yield wording.fenced(text, "yaml")
        yield "</details>"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _value(cell: Cell | None) -> str:
    return wording.BLANK if cell is None else wording.times_100(cell.value)
