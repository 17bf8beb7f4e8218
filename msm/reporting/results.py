"""Reads the score folders of a recipe. A folder that cannot be used becomes a problem, and the others are kept.

Scores of different splits, settings or questions never stand in one table: they belong to different
`BenchmarkResults`, or are a problem. `read` reads score lines and manifests only; `load` adds the per-query values of
chosen columns.

Shapes: C questions, L languages, S seeds.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from msm.errors import BadInput
from msm.evaluation import exported
from msm.evaluation.choice import EVERYTHING, LanguageChoice
from msm.evaluation.identity import FILE as COLLECTION
from msm.evaluation.identity import NAMES
from msm.evaluation.per_query import ByQuestion, PoolKind, ValueLayout, layout
from msm.evaluation.scores import ALL, FIELDS
from msm.pipeline.artifacts import check_unaltered
from msm.reporting import lineage, wording
from msm.reporting.models import RANKS, BenchmarkResults, Column, Model, ModelScores, Problem, Results
from msm.reporting.published import MEAN

SCORES, CHANCE = "scores.jsonl", "chance.jsonl"
KINDS = {"seed": int, "value": (int, float), "queries": int, "tied": int, "candidate_language": (str, type(None))}
"""Names of the fields of a score line that are not text, to their types."""


def read(scores: Path) -> Results:
    """Read all score folders of a recipe.

    Args:
        scores: folder such as `artifacts/mini/score`, or the same folder of an export. It may be missing or empty.
    """
    folders: list[ModelScores] = []
    problems = []
    table = _Table(alike=True)
    exported_paths = exported.score_folders(scores.parent)
    for path in exported_paths or (sorted(scores.iterdir()) if scores.is_dir() else ()):
        if path.name.startswith(".") and path.name.endswith(".partial"):
            problems.append(Problem(path, f"{path}: half-written: being run, or left by a killed run"))
        elif exported_paths or (path.is_dir() and not path.name.startswith(".")):
            try:
                run = _read_folder(path)
                table.add(run)
                folders.append(run)
            except BadInput as error:
                problems.append(Problem(path, str(error)))
    return Results(scores.parent, _benchmarks(folders), problems)


def read_folders(paths: Sequence[Path], choice: LanguageChoice = EVERYTHING) -> list[BenchmarkResults]:
    """Read score folders of any origin: of stage `score`, of `msm evaluate`, of a recipe or of its export.

    Args:
        paths: paths of the folders.
        choice: languages that are shown; means are taken over their values.

    Raises:
        BadInput: a folder is none of these, holds none of the languages, or cannot stand in one table with the others.
    """
    runs: list[ModelScores] = []
    table = _Table(alike=False)
    for path in paths:
        for folder in score_folders(path):
            run = _read_folder(folder, choice)
            table.add(run)
            runs.append(run)
    benchmarks = _benchmarks(runs)
    for benchmark in benchmarks:
        _say_left_out(benchmark)
    return benchmarks


def score_folders(path: Path) -> list[Path]:
    """Return the score folders in a folder: itself, the one of `msm evaluate`, or all of a recipe.

    Raises:
        BadInput: a folder is not what its manifest says.
    """
    if exported.is_exported(path):
        return exported.score_folders(path)
    folders = [path]
    if (path / "score" / "manifest.json").is_file():
        folders = [path / "score"]
    elif (path / "score").is_dir():
        folders = sorted(folder for folder in (path / "score").iterdir() if (folder / "manifest.json").is_file())
    for folder in folders:
        check_unaltered(folder)
    return folders


def load(benchmark: BenchmarkResults, columns: Sequence[Column]) -> tuple[BenchmarkResults | None, list[Problem]]:
    """Load the per-query values of some columns of a benchmark; folders without usable values are left out.

    Returns:
        The benchmark, or None if no folder is left, and the problems of the folders that were left out.
    """
    usable: list[ModelScores] = []
    problems = []
    layouts: dict[Column, ValueLayout] = {}
    runs = [scores for model in benchmark.models for scores in model.seeds]
    # Files are decoded without Python's lock; a third thread would wait for the other work, which needs the lock.
    with ThreadPoolExecutor(2) as pool:
        for folder_scores, values in [(run, pool.submit(_values, run, columns, layouts)) for run in runs]:
            try:
                loaded_scores = folder_scores._replace(values=values.result())
                _check_questions(folder_scores.path, loaded_scores.values, usable[:1])
                usable.append(loaded_scores)
            except BadInput as error:
                problems.append(Problem(folder_scores.path, str(error)))
    return next(iter(_benchmarks(usable)), None), problems


def checked_lines(folder: Path, file: str, absent: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Yield the lines of a score file that have a value, after a check of their fields.

    A line has no value where the run keeps too few passages for the measure.

    Args:
        folder: score folder, or the path that stands for it in an export.
        file: `scores.jsonl` or `chance.jsonl`.
        absent: names of fields that the lines of this file do not have.

    Raises:
        BadInput: the file is missing, a field is missing or has another type, or a value is outside 0 to 1.
    """
    for where, line in exported.score_lines(folder, file):
        if line.get("value", 0) is None:
            continue
        for field in FIELDS:
            if field not in absent and not isinstance(line.get(field), KINDS.get(field, str)):
                raise BadInput(f"{where}: {field} is {line.get(field)!r}")
        lowest = -1 if line["measure"].startswith("mrc@") else 0
        highest = math.inf if line["measure"] in RANKS else 1
        if not (math.isfinite(line["value"]) and lowest <= line["value"] <= highest):
            raise BadInput(f"{where}: value is {line['value']}, not between 0 and 1")
        yield line


def _read_folder(path: Path, choice: LanguageChoice = EVERYTHING) -> ModelScores:
    manifest = lineage.read_manifest(path)
    lines = list(checked_lines(path, SCORES))
    # A column has no mean where a language has no value.
    columns_with_mean = {(line["measure"], _kind(line)) for line in lines if line["query_language"] == MEAN}
    means = {
        column: values[MEAN] for column, values in by_language(lines, choice).items() if column in columns_with_mean
    }
    if not means:
        choice_text = "" if choice == EVERYTHING else f" of {', '.join([*choice.languages, *choice.pairs])}"
        raise BadInput(f"{path}: no averages{choice_text} in {SCORES}")
    chance = by_language(checked_lines(path, CHANCE, absent=("tied", "run_sha256")), choice)
    facts = {field: lines[0][field] for field in ("benchmark", "split", "setting", "model", "seed", "protocol")}
    _, checksums = next(exported.score_lines(path, COLLECTION), (None, {}))
    scores = ModelScores(path, manifest, facts, means, chance, {}, choice=choice, checksums=checksums)
    return scores._replace(is_trained=_is_trained(path.parent.parent, scores.source))


def by_language(lines: Iterable[dict[str, Any]], choice: LanguageChoice = EVERYTHING) -> dict[Column, dict[str, float]]:
    """Return the values of score lines by column, then by language and `mean`.

    Args:
        lines: lines of `scores.jsonl` or `chance.jsonl`.
        choice: languages that are shown.
    """
    pools: dict[Column, dict[tuple[str, str | None], float]] = {}
    for line in lines:
        query, candidates = line["query_language"], line["candidate_language"]
        if query not in (MEAN, ALL) and candidates not in ("same", "other") and choice.line(line):
            kind: PoolKind = "multilingual" if candidates is None else "same" if candidates == query else "other"
            pools.setdefault((line["measure"], kind), {})[query, candidates] = line["value"]
    return {column: _with_mean(values) for column, values in pools.items()}


def _with_mean(pools: dict[tuple[str, str | None], float]) -> dict[str, float]:
    """Return values of pools by the language of the questions, or of the candidates where all questions have one."""
    side = 1 if len({query for query, _ in pools}) == 1 < len(pools) else 0
    groups: dict[str, list[float]] = {}
    for languages, value in pools.items():
        groups.setdefault(languages[side] or "", []).append(value)
    values = {language: fmean(group) for language, group in groups.items()}
    return values | {MEAN: fmean(values.values())}


def _is_trained(root: Path, source: str) -> bool:
    """Return whether a training stands behind a run; a run of BM25 has none, any other without its folder has one."""
    if not lineage.is_step(source):
        return False
    if not lineage.has_manifest(root, source):
        return not source.startswith("lexical/")
    manifest = lineage.read_manifest(lineage.folder(root, source))
    settings = manifest.get("settings", {})
    updates = settings.get("steps", 1) or settings.get("epochs", 0)
    if source.startswith(("finetune/", "pretrain/")) and updates:
        return True
    inputs = manifest.get("inputs", {})
    above = [lineage.step_name(inputs[kind]["path"]) for kind in ("model", "weights", "dense") if kind in inputs]
    return any(_is_trained(root, name) for name in above)


def _values(
    scores: ModelScores, columns: Sequence[Column], layouts: dict[Column, ValueLayout]
) -> dict[Column, ByQuestion]:
    """Return the per-query values of some columns; `layouts` keeps layouts of values for the folders that follow."""
    rows = scores.choice.rows(exported.score_values(scores.path))
    values = {}
    for column in columns:
        column_layout = layouts.get(column)
        if column_layout is None or not column_layout.fits(rows):
            column_layout = layouts[column] = layout(rows, *column)
        values[column] = column_layout.values(rows)
        if not (len(values[column].present_values) and np.isfinite(values[column].present_values).all()):
            raise BadInput(f"{scores.path}: {column[0]}, {column[1]}: no values, or some that are no numbers")
    return values


def _kind(line: dict[str, Any]) -> str:
    """Return the kind of the pools over which a mean is taken."""
    return line["candidate_language"] or "multilingual"


def _benchmarks(runs: list[ModelScores]) -> list[BenchmarkResults]:
    sorted_runs = sorted(runs, key=lambda scores: (scores.facts["model"], scores.facts["seed"]))
    groups: dict[tuple[str, str, str], dict[str, list[ModelScores]]] = {}
    for scores in sorted_runs:
        groups.setdefault(scores.kind, {}).setdefault(scores.facts["model"], []).append(scores)
    return [
        BenchmarkResults(*kind, [Model(name, runs) for name, runs in models.items()])
        for kind, models in sorted(groups.items())
    ]


def _say_left_out(benchmark: BenchmarkResults) -> None:
    """Warn of the measures and pools that no table shows, as not all models have them."""
    columns = [column for model in benchmark.models for scores in model.seeds for column in scores.relevance]
    if not benchmark.shared:
        raise BadInput(f"{benchmark.name}: no measure and pool that all folders have")
    names = [f"{measure} ({wording.pool(kind)})" for measure, kind in sorted(set(columns) - benchmark.shared)]
    if names:
        logging.getLogger(__name__).warning("%s: left out, since not all have it: %s", benchmark.name, ", ".join(names))


class _Table:
    """Score folders of each kind that may stand in one table. To add one takes the same time for any number of them.

    Args:
        alike: whether all folders must have the same measures and pools; else one that they share is enough.
    """

    def __init__(self, *, alike: bool) -> None:
        self._alike = alike
        self._first: dict[tuple[str, str, str], ModelScores] = {}
        self._rows: dict[tuple[tuple[str, str, str], str, int], ModelScores] = {}
        self._checksums: dict[tuple[tuple[str, str, str], str], ModelScores] = {}

    def add(self, scores: ModelScores) -> None:
        """Check that a folder may stand beside those that were added, and add it.

        Raises:
            BadInput: the folder may not stand beside the others.
        """
        row = (scores.kind, scores.facts["model"], scores.facts["seed"])
        if row in self._rows:
            raise BadInput(f"{scores.path}: the same model and seed as {self._rows[row].path.name}")
        checksums = {(scores.kind, name): scores for name in NAMES if scores.checksums.get(name)}
        for kind, name in checksums:
            other = self._checksums.get((kind, name), scores)
            own_checksum, other_checksum = (one.checksums[name] for one in (scores, other))
            if own_checksum != other_checksum:
                raise BadInput(
                    f"{scores.path}: {name} are {own_checksum[:12]}, those of {other.path} are {other_checksum[:12]}"
                )
        other = self._first.get(scores.kind, scores)
        own_columns, other_columns = scores.relevance, other.relevance
        if own_columns != other_columns if self._alike else not own_columns & other_columns:
            raise BadInput(f"{scores.path}: other measures or pools than {other.path.name}")
        self._first.setdefault(scores.kind, scores)
        self._rows[row] = scores
        self._checksums = checksums | self._checksums


def _check_questions(path: Path, values: dict[Column, ByQuestion], others: list[ModelScores]) -> None:
    for other in others:
        for column, column_values in values.items():
            if not column_values.is_asked_as(other.values[column]):
                raise BadInput(f"{path}: scored on other questions than {other.path.name}")
