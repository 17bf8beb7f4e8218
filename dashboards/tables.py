"""Turns results into data frames for the pages; pure functions without Streamlit."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlencode

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from msm.corpora.languages import languages
from msm.errors import visible
from msm.evaluation.language_bias import Bias
from msm.evaluation.measures import Floats
from msm.evaluation.statistics import Interval
from msm.reporting import wording
from msm.reporting.colours import colour
from msm.reporting.contents import Difference, FairnessRow, Row, fairness_head, notes
from msm.reporting.contrasts import BestModel, ModelContrast
from msm.reporting.models import BenchmarkResults, Cell, ModelScores, Results
from msm.reporting.published import MEAN
from msm.reporting.training_sets import HEAD

REPORT, NAME = "report", "name"
"""Names of the orders of rows that are not by a value."""
NOT_SCORED, NOT_SHOWN = "not scored on this benchmark and setting yet", "no usable scores with the chosen seeds"
RIVALS = 3
"""Largest number of other models that the answer on the best one names."""
RANDOM, PERFECT = "a random ranking", "perfect,"
SIGNS = {"better": "\N{BLACK UP-POINTING TRIANGLE}", "worse": "\N{BLACK DOWN-POINTING TRIANGLE}", "inside": "="}


def values_frame(rows: Sequence[Row], languages: Sequence[str], links: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of a table as a data frame, values times 100; NaN where there is no value.

    Args:
        rows: rows of a table.
        languages: languages of the columns, in this order.
        links: label of a row to the address of its lineage.

    Returns:
        The data frame, without columns of text that would be empty.
    """
    frame = pd.DataFrame(
        [
            {
                "model": row.label,
                MEAN: _times_100(row, MEAN),
                "95 % interval": wording.interval(row.cells[MEAN].interval) if MEAN in row.cells else "",
                "rank": wording.rank(row.ranks),
                **{language: _times_100(row, language) for language in languages},
                "seeds": wording.seeds(row.seeds, row.seed_deviation),
                "lineage": links.get(row.label, ""),
                HEAD: row.training.sets,
            }
            for row in rows
        ]
    )
    return frame.drop(
        columns=[name for name in ("95 % interval", "rank", "seeds", HEAD, "lineage") if set(frame[name]) == {""}]
    )


def absent_rows(
    results: Results, benchmark: BenchmarkResults, view: BenchmarkResults, languages: Sequence[str]
) -> list[Row]:
    """Return a blank row, with the reason, for every model of the recipe that has no values.

    Args:
        results: results of the recipe.
        benchmark: benchmark with all of the recipe's models.
        view: the same benchmark with the models that have values.
        languages: languages of the columns.
    """
    scored_names = {model.name for model in benchmark.models}
    names = {model.name for one in results.benchmarks for model in one.models} - {model.name for model in view.models}
    reasons = {name: NOT_SHOWN if name in scored_names else NOT_SCORED for name in sorted(names)}
    return [
        Row(name, "model", {column: Cell(None, note=reason) for column in [*languages, MEAN]})
        for name, reason in reasons.items()
    ]


def best_text(best: BestModel, where: str) -> str:
    """Return a text that names the best model, and the models that may be as good, in Markdown.

    Args:
        best: the best model.
        where: language in words, such as `Swahili (sw)`.
    """
    first = f"Best for **{plain(where)}**: **{plain(best.model)}**, {wording.times_100(best.value)}."
    if not best.others:
        return f"{first} It is the only model here."
    training = " Models were trained once: another seed may turn the order round." * best.one_training
    if not best.rivals:
        many = f"each of the {best.others} others" if best.others > 1 else "the other one"
        return f"{first} Sure: better than {many} beyond the noise of the questions.{training}"
    names = [f"{plain(name)} ({wording.times_100(value)})" for name, value in list(best.rivals.items())[:RIVALS]]
    more = f" and {len(best.rivals) - RIVALS} more" if len(best.rivals) > RIVALS else ""
    return f"{first} Not sure: {', '.join(names)}{more} may be as good on other questions.{training}"


def language_name(code: str) -> str:
    """Return the name of a language with its code, such as `Swahili (sw)`; the code alone where it has no name."""
    language = languages().get(code)
    return f"{language.name} ({code})" if language else code


def arranged(rows: Sequence[Row], only: Sequence[str], by: str) -> list[Row]:
    """Return the rows of a table that people have chosen, in the order that they have chosen.

    Args:
        rows: rows of a table.
        only: labels of the rows to keep beside chance; an empty list keeps all.
        by: language or `mean`, for the highest value first and blanks last; `NAME`, for the order of labels; any other
            text keeps the order.
    """
    some = [row for row in rows if not only or row.kind == "chance" or row.label in only]
    if by == NAME:
        return sorted(some, key=lambda row: row.label)
    if not any(by in row.cells for row in some):
        return some
    values = {row.label: row.cells[by].value if by in row.cells else None for row in some}
    return sorted(some, key=lambda row: -math.inf if (value := values[row.label]) is None else value, reverse=True)


def blanks(rows: Sequence[Row], languages: Sequence[str]) -> list[tuple[str, str]]:
    """Return remarks on cells, such as corrections, each with the name of the row and cell."""
    labels_by_note: dict[tuple[str, str], list[str]] = {}
    for label, cells, note in notes(list(rows)):
        is_whole = set(languages) <= set(cells.split(", "))
        labels_by_note.setdefault((note, "" if is_whole else cells), []).append(label)
    return [(note, ", ".join(labels) + (cells and f" ({cells})")) for (note, cells), labels in labels_by_note.items()]


def heat_map(frame: pd.DataFrame, languages: Sequence[str], mean_digits: int = 1) -> Styler:
    """Return a data frame with coloured cells, from its lowest value (dark) to its highest (bright).

    Args:
        frame: data frame of `values_frame`.
        languages: columns whose cells are coloured.
        mean_digits: number of decimals of the means.
    """
    style = _filled(frame, languages, *limits(frame, languages)).set_properties(
        subset=[MEAN], **{"font-weight": "bold"}
    )
    return cast(Styler, style.format(f"{{:.{mean_digits}f}}", subset=[MEAN], na_rep=""))


def limits(frame: pd.DataFrame, languages: Sequence[str]) -> tuple[float, float]:
    """Return the lowest and the highest value of some columns, the ends of the colour scale; NaN without values."""
    values = frame[list(languages)]
    return float(values.min().min()), float(values.max().max())


def fairness_frame(rows: Sequence[FairnessRow]) -> pd.DataFrame:
    """Return the measures of language fairness of each model as text, times 100 with intervals."""
    measures = dict.fromkeys(measure for row in rows for measure in row.cells)
    return pd.DataFrame(
        {"model": row.model, **{fairness_head(measure): _with_interval(row.cells.get(measure)) for measure in measures}}
        for row in rows
    )


def _with_interval(cell: Cell | None) -> str:
    return "" if cell is None else f"{wording.times_100(cell.value)} {wording.interval(cell.interval)}"


def differences_frame(differences: Sequence[Difference], languages: int) -> pd.DataFrame:
    """Return differences as text, with their verdicts in the first column."""
    return pd.DataFrame(
        {
            "pair": f"{one.model} {wording.MINUS} {one.control}",
            "verdict": f"{SIGNS[one.verdict.split()[0]]} {one.verdict}",
            **_difference(one.value, one.interval),
            "p, corrected": wording.p_value(one.p),
            "languages better": f"{len(one.better)} of {languages}",
            "languages worse": f"{len(one.worse)} of {languages}",
        }
        for one in differences
    )


def contrasts_frame(contrasts: Sequence[ModelContrast]) -> pd.DataFrame:
    """Return the comparison of a model with a baseline as text, one row for each language and for the mean."""
    return pd.DataFrame(
        {
            "language": one.language,
            "": SIGNS[one.direction],
            **_means(one),
            **_difference(one.difference, one.interval),
            "p, corrected": wording.p_value(one.p),
            "wins": one.wins,
            "ties": one.ties,
            "losses": one.losses,
        }
        for one in contrasts
    )


def _difference(value: float, interval: Interval) -> dict[str, str]:
    return dict(zip(("difference", "95 % interval"), wording.difference(value, interval), strict=True))


def _means(one: ModelContrast) -> dict[str, str]:
    """Return the means of the model and the baseline, with the decimals that tell them apart."""
    digits = wording.decimals([one.means]) if one.direction != "inside" else 1
    names = (one.model, one.baseline)
    return {name: wording.times_100(mean, digits) for name, mean in zip(names, one.means, strict=True)}


def intervals_frame(contrasts: Sequence[ModelContrast]) -> pd.DataFrame:
    """Return the differences by language with their intervals, times 100, and their directions."""
    return pd.DataFrame(
        {
            "language": one.language,
            "difference": 100 * one.difference,
            "low": 100 * one.interval.low,
            "high": 100 * one.interval.high,
            "direction": one.direction,
        }
        for one in contrasts
    )


def bias_frame(bias: Bias) -> pd.DataFrame:
    """Return shares of the answers' languages in %, a row for each language of the questions."""
    return _shares_frame(bias.query_languages, bias.candidate_languages, bias.shares)


def yardsticks_frame(bias: Bias) -> pd.DataFrame:
    """Return the shares that a random and a perfect ranking give."""
    labels = [RANDOM, *(f"{PERFECT} {language}" for language in bias.query_languages)]
    return _shares_frame(labels, bias.candidate_languages, np.vstack([bias.candidates, bias.relevant]))


def _shares_frame(labels: Sequence[str], languages: Sequence[str], shares: Floats) -> pd.DataFrame:
    columns = {language: 100 * column for language, column in zip(languages, shares.T, strict=True)}
    return pd.DataFrame({"questions in": labels, **columns})


def shares_map(frame: pd.DataFrame, languages: Sequence[str]) -> Styler:
    """Return a data frame of shares with cells coloured from 0 (dark) to 100 (bright); blanks stay blank."""
    return _filled(frame, languages, 0, 100)


def distances_frame(benchmark: BenchmarkResults) -> pd.DataFrame:
    """Return the rank distances of all runs; no rows where they were not scored."""
    return pd.DataFrame(
        {
            "model": model.name,
            "seed": scores.facts["seed"],
            **{wording.pool(column[1]): f"{scores.means[column]:,.1f}" for column in benchmark.distances},
        }
        for model in benchmark.models
        for scores in model.seeds
        if benchmark.distances
    )


def means_frame(run: ModelScores) -> pd.DataFrame:
    """Return the averages of a score folder."""
    return pd.DataFrame(
        {
            "measure": wording.column(column),
            "mean": wording.times_100(value),
            "chance": wording.times_100(run.chance.get(column, {}).get(MEAN)),
        }
        for column, value in run.means.items()
    )


def checksums_frame(manifest: dict[str, Any]) -> pd.DataFrame:
    """Return the inputs and outputs of a stage with their checksums."""
    inputs = [("read", source["path"], source["checksum"]) for source in manifest["inputs"].values()]
    wrote = [("wrote", file, checksum) for file, checksum in manifest["outputs"].items()]
    return pd.DataFrame([*inputs, *wrote], columns=pd.Index(["", "path", "SHA-256"]))


def run_label(run: ModelScores) -> str:
    """Return the text by which people choose a score folder: its model and seed."""
    return f"{run.facts['model']}, seed {run.facts['seed']}" if run.is_trained else run.facts["model"]


def lineage_link(recipe: str, row: str) -> str:
    """Return the address of the lineage page of a score folder, from any page."""
    return f"lineage?{urlencode({'recipe': recipe, 'row': row})}"


def file_name(*parts: str) -> str:
    """Return some texts as one file name without ending, of letters, digits and a few signs."""
    return "-".join(re.sub(r"[^\w@.]+", "_", part).strip("_.") for part in parts)


def plain(text: str) -> str:
    """Return a text from data in which a Markdown element reads every character as itself."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", visible(text))


def _times_100(row: Row, name: str) -> float:
    value = row.cells[name].value if name in row.cells else None
    return float("nan") if value is None else 100 * value


def _filled(frame: pd.DataFrame, columns: Sequence[str], low: float, high: float) -> Styler:
    """Return a data frame in which the cells of some columns are coloured by value."""

    def fill(value: float) -> str:
        if math.isnan(value):
            return ""
        shade = colour(value, low, high)
        return f"background-color: {shade.fill}; color: {shade.text}"

    return cast(Styler, frame.style.format("{:.1f}", subset=list(columns), na_rep="")).map(fill, subset=list(columns))
