"""Results to data frames for the pages: pure, tested, no Streamlit."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pandas as pd
from pandas.io.formats.style import Styler

from dashboards.folders import Folders
from msm.errors import BadInput
from msm.evaluation.language_bias import Bias
from msm.reporting import lineage, wording
from msm.reporting.ablations import REFERENCE, Ablated, Shuffled
from msm.reporting.colours import colour
from msm.reporting.comparisons import Difference
from msm.reporting.contrasts import Contrast
from msm.reporting.published import MEAN
from msm.reporting.results import Benchmark, Scored
from msm.reporting.tables import Row
from msm.settings import Report, make

EXPORTED = " (exported)"
DEFAULTS = {"controls": "untrained, mlm", "bootstrap": 1000, "seed": 1}
"""For a recipe whose report is not written yet."""
RANDOM, PERFECT = "a random ranking", "perfect,"
SIGNS = {"better": "\N{BLACK UP-POINTING TRIANGLE}", "worse": "\N{BLACK DOWN-POINTING TRIANGLE}", "inside": "="}


def recipes(folders: Folders) -> dict[str, Path]:
    """Label to folder of every recipe that has scores, being scored or exported."""
    found = {}
    for folder, suffix in ((folders.artifacts, ""), (folders.results, EXPORTED)):
        for scores in sorted(folder.glob("*/score")):
            found[scores.parent.name + suffix] = scores.parent
    return found


def state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of all files below a folder: equal as long as nothing was written."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return tuple((str(path), (stat := path.stat()).st_mtime_ns, stat.st_size) for path in files)


def report_settings(root: Path) -> Report:
    """How the recipe's own report is made, so that the page shows the same numbers."""
    values: dict[str, Any] = {"recipe": root.name, **DEFAULTS}
    for path in sorted((root / "report").glob("[!.]*")):
        try:
            return make(Report, lineage.read_manifest(path)["settings"], str(path))
        except BadInput:
            continue
    return Report(**values)


def values_frame(rows: Sequence[Row], languages: Sequence[str], links: Mapping[str, str]) -> pd.DataFrame:
    """Rows as they are shown, times 100; NaN where there is no value.

    Args:
        rows: of a table.
        languages: the columns, in this order.
        links: label of a row to the address of its lineage.

    Returns:
        Without the columns at the end that would be empty.
    """
    frame = pd.DataFrame(
        [
            {
                "model": row.label,
                MEAN: _times_100(row, MEAN),
                "95 % interval": wording.interval(row.cells[MEAN].interval) if MEAN in row.cells else "",
                **{language: _times_100(row, language) for language in languages},
                "seeds": wording.seeds(row.seeds, row.seed_deviation),
                "lineage": links.get(row.label, ""),
            }
            for row in rows
        ]
    )
    return frame.drop(columns=[name for name in ("seeds", "lineage") if set(frame[name]) == {""}])


def heat_map(frame: pd.DataFrame, languages: Sequence[str]) -> Styler:
    """Language cells filled by value, from the frame's least (dark) to its greatest (bright); blanks stay blank."""
    style = _filled(frame, languages, *limits(frame, languages)).set_properties(
        subset=[MEAN], **{"font-weight": "bold"}
    )
    return cast(Styler, style.format("{:.1f}", subset=[MEAN], na_rep=""))


def limits(frame: pd.DataFrame, languages: Sequence[str]) -> tuple[float, float]:
    """Between which values the colours run; NaN without any."""
    values = frame[list(languages)]
    return float(values.min().min()), float(values.max().max())


def differences_frame(found: Sequence[Difference], languages: int) -> pd.DataFrame:
    """Differences with their verdicts first, as text."""
    return pd.DataFrame(
        {
            "pair": f"{one.model} {wording.MINUS} {one.control}",
            "verdict": f"{SIGNS[one.verdict.split()[0]]} {one.verdict}",
            "difference": wording.signed(one.value),
            "95 % interval": wording.signed_interval(one.interval),
            "p, corrected": wording.p_value(one.p),
            "languages better": f"{len(one.better)} of {languages}",
            "languages worse": f"{len(one.worse)} of {languages}",
        }
        for one in found
    )


def contrasts_frame(found: Sequence[Contrast]) -> pd.DataFrame:
    """A model against a baseline, a row for each language and the mean, as text."""
    return pd.DataFrame(
        {
            "language": one.language,
            "": SIGNS[one.direction],
            one.model: wording.times_100(one.means[0]),
            one.baseline: wording.times_100(one.means[1]),
            "difference": wording.signed(one.difference),
            "95 % interval": wording.signed_interval(one.interval),
            "p, corrected": wording.p_value(one.p),
            "wins": one.wins,
            "ties": one.ties,
            "losses": one.losses,
        }
        for one in found
    )


def bias_frame(found: Bias) -> pd.DataFrame:
    """Shares of the answers' languages in %, a row for each language of the questions; then the yardsticks."""
    rows = [
        *((language, found.shares[place]) for place, language in enumerate(found.asked)),
        (RANDOM, found.candidates),
        *((f"{PERFECT} {language}", found.relevant[place]) for place, language in enumerate(found.asked)),
    ]
    shares = ({name: 100 * float(share) for name, share in zip(found.answered, row, strict=True)} for _, row in rows)
    return pd.DataFrame([{"questions in": label} | row for (label, _), row in zip(rows, shares, strict=True)])


def shares_map(frame: pd.DataFrame, languages: Sequence[str]) -> Styler:
    """Shares filled from 0 (dark) to 100 (bright); blanks stay blank."""
    return _filled(frame, languages, 0, 100)


def distances_frame(benchmark: Benchmark) -> pd.DataFrame:
    """Rank distances of every run, where they were scored; no rows elsewhere."""
    return pd.DataFrame(
        {
            "model": model.name,
            "seed": run.facts["seed"],
            **{wording.pool(column[1]): f"{run.means[column]:,.1f}" for column in benchmark.distances},
        }
        for model in benchmark.models
        for run in model.runs
        if benchmark.distances
    )


def ablations_frame(rows: Sequence[Ablated]) -> pd.DataFrame:
    """Ours and the printed change of every row, in points; the reference is at 0."""
    found = []
    for row in rows:
        low, high = row.interval or (None, None)
        ours, theirs = (0.0, 0.0) if row.model == REFERENCE else (row.change, row.printed_change)
        found.append([row.label, "paper", theirs, None, None, row.printed])
        if row.value is not None:
            found.append([row.label, "ours", ours, low, high, row.value])
    frame = pd.DataFrame(found, columns=pd.Index(["row", "whose", "change", "low", "high", "value"]))
    return frame.assign(**{name: 100 * frame[name].astype(float) for name in ("change", "low", "high", "value")})


def ablations_text(rows: Sequence[Ablated]) -> pd.DataFrame:
    """The same as text."""
    return pd.DataFrame(
        {
            "table": row.table,
            "row": row.label,
            "model": row.model,
            "ours": wording.times_100(row.value),
            "change": "" if row.change is None else wording.signed(row.change),
            "95 % interval": "" if row.interval is None else wording.signed_interval(row.interval),
            "paper": wording.times_100(row.printed),
            "its change": "" if row.printed_change is None else wording.signed(row.printed_change),
        }
        for row in rows
    )


def order_frames(points: Sequence[Shuffled]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means with intervals, and the means of every seed, all times 100, by the share of shuffled documents in %."""
    means = [
        {
            "objective": one.objective,
            "shuffled": 100 * one.reorder,
            "value": 100 * one.value,
            "low": 100 * one.interval.low,
            "high": 100 * one.interval.high,
        }
        for one in points
    ]
    seeds = [
        {"objective": one.objective, "shuffled": 100 * one.reorder, "seed": seed, "value": 100 * value}
        for one in points
        for seed, value in one.seeds.items()
    ]
    return pd.DataFrame(means), pd.DataFrame(seeds)


def means_frame(run: Scored) -> pd.DataFrame:
    """The averages of a score folder."""
    return pd.DataFrame(
        {
            "measure": wording.column(column),
            "mean": wording.times_100(value),
            "chance": wording.times_100(run.chance.get(column, {}).get(MEAN)),
        }
        for column, value in run.means.items()
    )


def checksums_frame(manifest: dict[str, Any]) -> pd.DataFrame:
    """What a stage read and wrote, with checksums."""
    read = [("read", source["path"], source["checksum"]) for source in manifest["inputs"].values()]
    wrote = [("wrote", file, checksum) for file, checksum in manifest["outputs"].items()]
    return pd.DataFrame([*read, *wrote], columns=pd.Index(["", "path", "SHA-256"]))


def lineage_link(recipe: str, row: str) -> str:
    """Address of the lineage page of a score folder, from any page."""
    return f"lineage?{urlencode({'recipe': recipe, 'row': row})}"


def file_name(*parts: str) -> str:
    """Parts as a file name without ending, of harmless signs only."""
    return "-".join(re.sub(r"[^\w@.]+", "_", part).strip("_.") for part in parts)


def plain(text: str) -> str:
    """Text from data for a Markdown element: every sign stands for itself."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def _times_100(row: Row, name: str) -> float:
    value = row.cells[name].value if name in row.cells else None
    return float("nan") if value is None else 100 * value


def _filled(frame: pd.DataFrame, columns: Sequence[str], low: float, high: float) -> Styler:
    """Cells of some columns filled by value."""

    def fill(value: float) -> str:
        if math.isnan(value):
            return ""
        shade = colour(value, low, high)
        return f"background-color: {shade.fill}; color: {shade.text}"

    return cast(Styler, frame.style.format("{:.1f}", subset=list(columns), na_rep="")).map(fill, subset=list(columns))
