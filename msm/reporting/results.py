"""Reads the score folders of a recipe. A folder that cannot be used becomes a problem, and the others are kept.

Scores of different splits, settings or questions never stand in one table: they belong to different `Benchmark`s, or
are a problem. `read` reads score lines and manifests only; `load` adds the per-query values of chosen columns.

Shapes: C questions, L languages, S seeds.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from msm.collections.measure_names import FAIRNESS
from msm.errors import BadInput
from msm.evaluation import exported
from msm.evaluation.choice import EVERYTHING, Choice
from msm.evaluation.identity import FILE as COLLECTION
from msm.evaluation.identity import NAMES
from msm.evaluation.measures import Floats
from msm.evaluation.per_query import ByQuestion, Layout, PoolKind, layout
from msm.evaluation.scores import ALL, FIELDS
from msm.evaluation.statistics import Columns, with_mean
from msm.pipeline.artifacts import check_unaltered
from msm.reporting import lineage, wording
from msm.reporting.published import MEAN

SCORES, CHANCE = "scores.jsonl", "chance.jsonl"
KINDS = {"seed": int, "value": (int, float), "queries": int, "tied": int, "candidate_language": (str, type(None))}
"""Names of the fields of a score line that are not text, to their types."""
RANKS = ("rank_distance",)
"""Names of the measures whose values are numbers of ranks; those of all others are from 0 to 1."""

Column = tuple[str, PoolKind]
"""A measure and a kind of pool."""


class Problem(NamedTuple):
    """A folder that is left out, and the reason."""

    path: Path
    reason: str


class Scored(NamedTuple):
    """A finished score folder: the scores of one training of a model on one benchmark."""

    path: Path
    manifest: dict[str, Any]
    facts: dict[str, Any]
    """Benchmark, split, setting, model, seed and protocol of the scores, by these words."""
    means: dict[Column, float]
    """Mean over the languages, by measure and pool."""
    chance: dict[Column, dict[str, float]]
    """Expected value of a random ranking, by measure and pool, then by language and `mean`. Where all questions of the
    pools of other languages are in one language, the language is that of the candidates."""
    values: dict[Column, ByQuestion]
    """Per-query values, by measure and pool; only those that `load` has read."""
    is_trained: bool = True
    """Whether a training stands behind the scores; none does for BM25, nor for a run that no stage made."""
    choice: Choice = EVERYTHING
    """Choice of the languages that are shown."""
    checksums: Mapping[str, str] = MappingProxyType({})
    """Checksums of questions, candidates and judgements; see `msm.evaluation.identity`. Folders of early versions have
    none."""

    @property
    def kind(self) -> tuple[str, str, str]:
        """Benchmark, split and setting; only scores of one kind may stand in one table."""
        return (self.facts["benchmark"], self.facts["split"], self.facts["setting"])

    @property
    def name(self) -> str:
        """Name of the folder, STAGE/ROW below the recipe's folder."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def source(self) -> str:
        """Name STAGE/ROW of the run that was scored; empty if no stage made the run."""
        return lineage.step_name(self.manifest["inputs"].get("run", {}).get("path", ""))


class Model(NamedTuple):
    """A model on a benchmark, with all its seeds."""

    name: str
    runs: list[Scored]
    """Score folders of the model, sorted by seed."""

    @property
    def is_trained(self) -> bool:
        """Whether the model was trained; BM25 was not."""
        return self.runs[0].is_trained

    def values(self, column: Column) -> Floats:
        """Return the per-query values, averaged over the seeds, [C, L]."""
        return self.runs[0].values[column].spread(self.present_values(column))

    def present_values(self, column: Column) -> Floats:
        """Return the values that exist, in the order of `ByQuestion.cells`, [N]."""
        return np.mean([run.values[column].present_values for run in self.runs], axis=0)

    def seed_means(self, column: Column) -> Floats:
        """Return the means of every seed over its questions, by language and of all languages, [S, L + 1]."""
        return with_mean(np.array([run.values[column].means for run in self.runs]))


class Benchmark(NamedTuple):
    """All models on one split of a benchmark in one setting, whose scores may stand in one table."""

    name: str
    split: str
    setting: str
    models: list[Model]

    @property
    def first(self) -> Scored:
        """One of the score folders, as questions, columns and chance are the same in all."""
        return self.models[0].runs[0]

    @property
    def columns(self) -> list[Column]:
        """Columns of the measures of relevance that all models have and whose values are from 0 to 1."""
        return [column for column in self.first.means if column[0] not in RANKS and column in self.shared]

    @property
    def fairness(self) -> list[Column]:
        """Columns of the measures of language fairness, in the pool of all languages."""
        return [column for column in self.first.means if column[0] in FAIRNESS]

    @property
    def distances(self) -> list[Column]:
        """Columns that all models have and whose values are numbers of ranks."""
        return [column for column in self.first.means if column[0] in RANKS and column in self.shared]

    @property
    def shared(self) -> set[Column]:
        """Columns that all models have, without those that earlier versions did not compute."""
        return set.intersection(*(_relevance(run) for model in self.models for run in model.runs))


def together(models: Sequence[Model], column: Column) -> Columns:
    """Return the values of some models on the same questions, each averaged over the model's seeds."""
    shape = models[0].runs[0].values[column]
    values = np.stack([model.present_values(column) for model in models], axis=-1)
    rows, languages = np.divmod(shape.cells, len(shape.languages))
    language_places = [np.flatnonzero(languages == place) for place in range(len(shape.languages))]
    return Columns(shape.clusters, [(rows[places], values[places]) for places in language_places])


class Results(NamedTuple):
    """Scores of a recipe that are finished so far."""

    root: Path
    """Folder of the recipe."""
    benchmarks: list[Benchmark]
    problems: list[Problem]


def read(scores: Path) -> Results:
    """Read all score folders of a recipe.

    Args:
        scores: folder such as `artifacts/mini/score`, or the same folder of an export. It may be missing or empty.
    """
    folders: list[Scored] = []
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


def read_folders(paths: Sequence[Path], choice: Choice = EVERYTHING) -> list[Benchmark]:
    """Read score folders of any origin: of stage `score`, of `msm evaluate`, of a recipe or of its export.

    Args:
        paths: paths of the folders.
        choice: languages that are shown; means are taken over their values.

    Raises:
        BadInput: a folder is none of these, holds none of the languages, or cannot stand in one table with the others.
    """
    runs: list[Scored] = []
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


def load(benchmark: Benchmark, columns: Sequence[Column]) -> tuple[Benchmark | None, list[Problem]]:
    """Load the per-query values of some columns of a benchmark; folders without usable values are left out.

    Returns:
        The benchmark, or None if no folder is left, and the problems of the folders that were left out.
    """
    usable: list[Scored] = []
    problems = []
    layouts: dict[Column, Layout] = {}
    runs = [run for model in benchmark.models for run in model.runs]
    # Files are decoded without Python's lock; a third thread would wait for the other work, which needs the lock.
    with ThreadPoolExecutor(2) as pool:
        for scored, values in [(run, pool.submit(_values, run, columns, layouts)) for run in runs]:
            try:
                loaded = scored._replace(values=values.result())
                _check_questions(scored.path, loaded.values, usable[:1])
                usable.append(loaded)
            except BadInput as error:
                problems.append(Problem(scored.path, str(error)))
    return next(iter(_benchmarks(usable)), None), problems


def with_seeds(benchmark: Benchmark, seeds: Sequence[int]) -> Benchmark | None:
    """Return a benchmark with the trainings of some seeds and all untrained models, or None if none is left.

    Args:
        benchmark: benchmark to reduce.
        seeds: seeds that are kept; all seeds if there are none.
    """
    models = [
        model._replace(runs=[run for run in model.runs if run.facts["seed"] in seeds])
        if seeds and model.is_trained
        else model
        for model in benchmark.models
    ]
    remaining_models = [model for model in models if model.runs]
    return benchmark._replace(models=remaining_models) if remaining_models else None


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


def _read_folder(path: Path, choice: Choice = EVERYTHING) -> Scored:
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
    scored = Scored(path, manifest, facts, means, chance, {}, choice=choice, checksums=checksums)
    return scored._replace(is_trained=_is_trained(path.parent.parent, scored.source))


def by_language(lines: Iterable[dict[str, Any]], choice: Choice = EVERYTHING) -> dict[Column, dict[str, float]]:
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
    above = [lineage.step_name(inputs[read]["path"]) for read in ("model", "weights", "dense") if read in inputs]
    return any(_is_trained(root, name) for name in above)


def _values(scored: Scored, columns: Sequence[Column], layouts: dict[Column, Layout]) -> dict[Column, ByQuestion]:
    """Return the per-query values of some columns; `layouts` keeps layouts of values for the folders that follow."""
    rows = scored.choice.rows(scored.facts["benchmark"], exported.score_values(scored.path))
    values = {}
    for column in columns:
        column_layout = layouts.get(column)
        if column_layout is None or not column_layout.fits(rows):
            column_layout = layouts[column] = layout(rows, *column)
        values[column] = column_layout.values(rows)
        if not (len(values[column].present_values) and np.isfinite(values[column].present_values).all()):
            raise BadInput(f"{scored.path}: {column[0]}, {column[1]}: no values, or some that are no numbers")
    return values


def _kind(line: dict[str, Any]) -> str:
    """Return the kind of the pools over which a mean is taken."""
    return line["candidate_language"] or "multilingual"


def _benchmarks(runs: list[Scored]) -> list[Benchmark]:
    sorted_runs = sorted(runs, key=lambda scored: (scored.facts["model"], scored.facts["seed"]))
    groups: dict[tuple[str, str, str], dict[str, list[Scored]]] = {}
    for scored in sorted_runs:
        groups.setdefault(scored.kind, {}).setdefault(scored.facts["model"], []).append(scored)
    return [
        Benchmark(*kind, [Model(name, runs) for name, runs in models.items()])
        for kind, models in sorted(groups.items())
    ]


def _say_left_out(benchmark: Benchmark) -> None:
    """Warn of the measures and pools that no table shows, as not all models have them."""
    columns = [column for model in benchmark.models for run in model.runs for column in _relevance(run)]
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
        self._first: dict[tuple[str, str, str], Scored] = {}
        self._rows: dict[tuple[tuple[str, str, str], str, int], Scored] = {}
        self._checksums: dict[tuple[tuple[str, str, str], str], Scored] = {}

    def add(self, scored: Scored) -> None:
        """Check that a folder may stand beside those that were added, and add it.

        Raises:
            BadInput: the folder may not stand beside the others.
        """
        row = (scored.kind, scored.facts["model"], scored.facts["seed"])
        if row in self._rows:
            raise BadInput(f"{scored.path}: the same model and seed as {self._rows[row].path.name}")
        checksums = {(scored.kind, name): scored for name in NAMES if scored.checksums.get(name)}
        for kind, name in checksums:
            other = self._checksums.get((kind, name), scored)
            own_checksum, other_checksum = (one.checksums[name] for one in (scored, other))
            if own_checksum != other_checksum:
                raise BadInput(
                    f"{scored.path}: {name} are {own_checksum[:12]}, those of {other.path} are {other_checksum[:12]}"
                )
        other = self._first.get(scored.kind, scored)
        own_columns, other_columns = _relevance(scored), _relevance(other)
        if own_columns != other_columns if self._alike else not own_columns & other_columns:
            raise BadInput(f"{scored.path}: other measures or pools than {other.path.name}")
        self._first.setdefault(scored.kind, scored)
        self._rows[row] = scored
        self._checksums = checksums | self._checksums


def _relevance(scored: Scored) -> set[Column]:
    """Return the columns of a score folder, without those that earlier versions did not compute."""
    return {column for column in scored.means if column[0] not in FAIRNESS}


def _check_questions(path: Path, values: dict[Column, ByQuestion], others: list[Scored]) -> None:
    for other in others:
        for column, column_values in values.items():
            if not column_values.is_asked_as(other.values[column]):
                raise BadInput(f"{path}: scored on other questions than {other.path.name}")
