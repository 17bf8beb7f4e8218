"""Reads the score folders of a recipe without trust: what cannot be used becomes a problem, the rest is kept.

Numbers of different splits, settings or questions never meet: they are different `Benchmark`s, or a problem.
`read` looks at score lines and manifests only; `load` adds the per-query values of the columns asked for.

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
from msm.reporting import lineage, wording
from msm.reporting.published import MEAN

SCORES, CHANCE = "scores.jsonl", "chance.jsonl"
KINDS = {"seed": int, "value": (int, float), "queries": int, "tied": int, "candidate_language": (str, type(None))}
"""Field of a score line to its type, where it is not text."""
RANKS = ("rank_distance",)
"""Measures whose values are numbers of ranks, not shares."""

Column = tuple[str, PoolKind]
"""A measure and a kind of pool."""


class Problem(NamedTuple):
    """A folder that is left out, and the reason."""

    path: Path
    reason: str


class Scored(NamedTuple):
    """A finished score folder: one model, trained with one seed, on one benchmark."""

    path: Path
    manifest: dict[str, Any]
    facts: dict[str, Any]
    """Benchmark, split, setting, model, seed and protocol."""
    means: dict[Column, float]
    """Mean over the languages of every measure and pool."""
    chance: dict[Column, dict[str, float]]
    """Expected value of a random ranking by language, and `mean`. Where all questions of the pools of other languages
    are in one language, by that of the candidates."""
    values: dict[Column, ByQuestion]
    """Per-query values of the columns that were loaded."""
    is_trained: bool = True
    """Whether something was trained behind it; nothing was for BM25, nor for a run that no stage made."""
    choice: Choice = EVERYTHING
    """Languages that are shown."""
    checksums: Mapping[str, str] = MappingProxyType({})
    """Checksums of questions, candidates and judgements; see `msm.evaluation.identity`. Early versions have none."""

    @property
    def kind(self) -> tuple[str, str, str]:
        """Benchmark, split and setting: only numbers of one kind may stand in one table."""
        return (self.facts["benchmark"], self.facts["split"], self.facts["setting"])

    @property
    def name(self) -> str:
        """STAGE/ROW below the recipe's folder."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def source(self) -> str:
        """STAGE/ROW of the run that was scored; empty if no stage wrote it."""
        return lineage.step_name(self.manifest["inputs"].get("run", {}).get("path", ""))


class Model(NamedTuple):
    """A model on a benchmark, with all its seeds."""

    name: str
    runs: list[Scored]
    """Score folders by seed."""

    @property
    def is_trained(self) -> bool:
        """Whether there is a training seed at all; BM25 has none."""
        return self.runs[0].is_trained

    def values(self, column: Column) -> Floats:
        """Return per-query values averaged over the seeds, [C, L]."""
        return self.runs[0].values[column].spread(self.present_values(column))

    def present_values(self, column: Column) -> Floats:
        """Return the values that exist, in the order of `ByQuestion.cells`, [N]."""
        return np.mean([run.values[column].present_values for run in self.runs], axis=0)

    def seed_means(self, column: Column) -> Floats:
        """Return means of every seed over its questions, by language and their mean, [S, L + 1]."""
        return with_mean(np.array([run.values[column].means for run in self.runs]))


class Benchmark(NamedTuple):
    """Every model on one split of a benchmark in one setting: numbers that may stand in one table."""

    name: str
    split: str
    setting: str
    models: list[Model]

    @property
    def first(self) -> Scored:
        """One of its score folders: questions, columns and chance are the same in all."""
        return self.models[0].runs[0]

    @property
    def columns(self) -> list[Column]:
        """Measures of relevance and pools that all models have, of values between 0 and 1."""
        return [column for column in self.first.means if column[0] not in RANKS and column in self.shared]

    @property
    def fairness(self) -> list[Column]:
        """Measures of how alike languages are treated, in the pool of all of them."""
        return [column for column in self.first.means if column[0] in FAIRNESS]

    @property
    def distances(self) -> list[Column]:
        """Measures and pools that all models have, of values that are numbers of ranks."""
        return [column for column in self.first.means if column[0] in RANKS and column in self.shared]

    @property
    def shared(self) -> set[Column]:
        """Columns that all models have, but for those that earlier versions did not have."""
        return set.intersection(*(_relevance(run) for model in self.models for run in model.runs))


def together(models: Sequence[Model], column: Column) -> Columns:
    """Values of models on the same questions, each averaged over its seeds."""
    shape = models[0].runs[0].values[column]
    known = np.stack([model.present_values(column) for model in models], axis=-1)
    rows, languages = np.divmod(shape.cells, len(shape.languages))
    chosen = [np.flatnonzero(languages == place) for place in range(len(shape.languages))]
    return Columns(shape.clusters, [(rows[places], known[places]) for places in chosen])


class Results(NamedTuple):
    """Everything that a recipe has scored so far."""

    root: Path
    """Folder of the recipe."""
    benchmarks: list[Benchmark]
    problems: list[Problem]


def read(scores: Path) -> Results:
    """Read every score folder below `scores`, such as `artifacts/mini/score`, or of an export; none may be there."""
    found: list[Scored] = []
    problems = []
    table = _Table(alike=True)
    exported_paths = exported.score_folders(scores.parent)
    for path in exported_paths or (sorted(scores.iterdir()) if scores.is_dir() else ()):
        if path.name.startswith(".") and path.name.endswith(".partial"):
            problems.append(Problem(path, f"{path}: half-written: being scored, or left by a killed run"))
        elif exported_paths or (path.is_dir() and not path.name.startswith(".")):
            try:
                scored = _read_folder(path)
                table.add(scored)
                found.append(scored)
            except BadInput as error:
                problems.append(Problem(path, str(error)))
    return Results(scores.parent, _benchmarks(found), problems)


def read_folders(paths: Sequence[Path], choice: Choice = EVERYTHING) -> list[Benchmark]:
    """Read score folders of any origin: of stage `score`, of `msm evaluate`, of a recipe or of its export.

    Args:
        paths: the folders.
        choice: languages that are shown; means are those of their values.

    Raises:
        BadInput: a folder is none of these, has nothing that was chosen, or cannot stand in one table with the others.
    """
    found: list[Scored] = []
    table = _Table(alike=False)
    for path in paths:
        for folder in score_folders(path):
            scored = _read_folder(folder, choice)
            table.add(scored)
            found.append(scored)
    benchmarks = _benchmarks(found)
    for benchmark in benchmarks:
        _say_left_out(benchmark)
    return benchmarks


def score_folders(path: Path) -> list[Path]:
    """Return the score folders that a folder stands for: itself, that of `msm evaluate`, or all of a recipe."""
    if exported.is_exported(path):
        return exported.score_folders(path)
    if (path / "score" / "manifest.json").is_file():
        return [path / "score"]
    if (path / "score").is_dir():
        return sorted(folder for folder in (path / "score").iterdir() if (folder / "manifest.json").is_file())
    return [path]


def load(benchmark: Benchmark, columns: Sequence[Column]) -> tuple[Benchmark | None, list[Problem]]:
    """Load per-query values of some columns of a benchmark; folders without usable ones are left out.

    Returns:
        The benchmark, None if no folder is left, and what was left out.
    """
    found: list[Scored] = []
    problems = []
    layouts: dict[Column, Layout] = {}
    runs = [run for model in benchmark.models for run in model.runs]
    # Files are decoded without Python's lock; a third thread would wait for the rest, which needs it.
    with ThreadPoolExecutor(2) as pool:
        for scored, values in [(run, pool.submit(_values, run, columns, layouts)) for run in runs]:
            try:
                loaded = scored._replace(values=values.result())
                _check_questions(scored.path, loaded.values, found[:1])
                found.append(loaded)
            except BadInput as error:
                problems.append(Problem(scored.path, str(error)))
    return next(iter(_benchmarks(found)), None), problems


def with_seeds(benchmark: Benchmark, seeds: Sequence[int]) -> Benchmark | None:
    """Return a benchmark with some seeds only; untrained models stay. None if nothing is left.

    Args:
        benchmark: benchmark to reduce.
        seeds: seeds that are kept; an empty choice keeps all.
    """
    models = [
        model._replace(runs=[run for run in model.runs if run.facts["seed"] in seeds])
        if seeds and model.is_trained
        else model
        for model in benchmark.models
    ]
    left = [model for model in models if model.runs]
    return benchmark._replace(models=left) if left else None


def checked_lines(folder: Path, file: str, absent: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Yield checked lines of a score file that have a value; a run too shallow for a measure has none.

    Args:
        folder: folder of scores, or the path that stands for it in an export.
        file: `scores.jsonl` or `chance.jsonl`.
        absent: fields that its lines do not have.

    Raises:
        BadInput: no such file, a field that is missing or of another kind, or a share outside 0 to 1.
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
    # A column without a mean has blanks.
    known = {(line["measure"], _kind(line)) for line in lines if line["query_language"] == MEAN}
    means = {column: values[MEAN] for column, values in by_language(lines, choice).items() if column in known}
    if not means:
        chosen = "" if choice == EVERYTHING else f" of {', '.join([*choice.languages, *choice.pairs])}"
        raise BadInput(f"{path}: no averages{chosen} in {SCORES}")
    chance = by_language(checked_lines(path, CHANCE, absent=("tied", "run_sha256")), choice)
    facts = {field: lines[0][field] for field in ("benchmark", "split", "setting", "model", "seed", "protocol")}
    _, checksums = next(exported.score_lines(path, COLLECTION), (None, {}))
    scored = Scored(path, manifest, facts, means, chance, {}, choice=choice, checksums=checksums)
    return scored._replace(is_trained=_is_trained(path.parent.parent, scored.source))


def by_language(lines: Iterable[dict[str, Any]], choice: Choice = EVERYTHING) -> dict[Column, dict[str, float]]:
    """Return the values of score lines by column and language, and their `mean`.

    Args:
        lines: lines of `scores.jsonl` or `chance.jsonl`.
        choice: languages that are shown.
    """
    pools: dict[Column, dict[tuple[str, str | None], float]] = {}
    for line in lines:
        asked, searched = line["query_language"], line["candidate_language"]
        if asked not in (MEAN, ALL) and searched not in ("same", "other") and choice.line(line):
            kind: PoolKind = "multilingual" if searched is None else "same" if searched == asked else "other"
            pools.setdefault((line["measure"], kind), {})[asked, searched] = line["value"]
    return {column: _with_mean(values) for column, values in pools.items()}


def _with_mean(pools: dict[tuple[str, str | None], float]) -> dict[str, float]:
    """Return values of pools by language of the questions, or of the candidates where all questions share one."""
    side = 1 if len({asked for asked, _ in pools}) == 1 < len(pools) else 0
    groups: dict[str, list[float]] = {}
    for languages, value in pools.items():
        groups.setdefault(languages[side] or "", []).append(value)
    values = {language: fmean(group) for language, group in groups.items()}
    return values | {MEAN: fmean(values.values())}


def _is_trained(root: Path, source: str) -> bool:
    """Return whether a training stands behind a run; assumed where its folder is missing, unless it is BM25's."""
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
    """Return per-query values of some columns; `layouts` keeps those that were met so far."""
    rows = scored.choice.rows(scored.facts["benchmark"], exported.score_values(scored.path))
    found = {}
    for column in columns:
        fitting = layouts.get(column)
        if fitting is None or not fitting.fits(rows):
            fitting = layouts[column] = layout(rows, *column)
        found[column] = fitting.values(rows)
        if not (len(found[column].present_values) and np.isfinite(found[column].present_values).all()):
            raise BadInput(f"{scored.path}: {column[0]}, {column[1]}: no values, or some that are no numbers")
    return found


def _kind(line: dict[str, Any]) -> str:
    """Kind of pools that a mean averages over."""
    return line["candidate_language"] or "multilingual"


def _benchmarks(found: list[Scored]) -> list[Benchmark]:
    by_seed = sorted(found, key=lambda scored: (scored.facts["model"], scored.facts["seed"]))
    groups: dict[tuple[str, str, str], dict[str, list[Scored]]] = {}
    for scored in by_seed:
        groups.setdefault(scored.kind, {}).setdefault(scored.facts["model"], []).append(scored)
    return [
        Benchmark(*kind, [Model(name, runs) for name, runs in models.items()])
        for kind, models in sorted(groups.items())
    ]


def _say_left_out(benchmark: Benchmark) -> None:
    """Name the measures and pools that no table shows, since not all models have them."""
    columns = [column for model in benchmark.models for run in model.runs for column in _relevance(run)]
    if not benchmark.shared:
        raise BadInput(f"{benchmark.name}: no measure and pool that all folders have")
    names = [f"{measure} ({wording.pool(kind)})" for measure, kind in sorted(set(columns) - benchmark.shared)]
    if names:
        logging.getLogger(__name__).warning("%s: left out, since not all have it: %s", benchmark.name, ", ".join(names))


class _Table:
    """Folders that stand in one table, of each kind; what is asked of a new one does not grow with their number.

    Args:
        alike: whether all measures and pools of a folder must be those of the others; else one is enough.
    """

    def __init__(self, *, alike: bool) -> None:
        self._alike = alike
        self._first: dict[tuple[str, str, str], Scored] = {}
        self._rows: dict[tuple[tuple[str, str, str], str, int], Scored] = {}
        self._checksums: dict[tuple[tuple[str, str, str], str], Scored] = {}

    def add(self, scored: Scored) -> None:
        """Check that a folder may stand beside those that were added, and add it.

        Raises:
            BadInput: the run may not stand beside the others.
        """
        row = (scored.kind, scored.facts["model"], scored.facts["seed"])
        if row in self._rows:
            raise BadInput(f"{scored.path}: the same model and seed as {self._rows[row].path.name}")
        checksums = {(scored.kind, name): scored for name in NAMES if scored.checksums.get(name)}
        for kind, name in checksums:
            other = self._checksums.get((kind, name), scored)
            here, there = (one.checksums[name] for one in (scored, other))
            if here != there:
                raise BadInput(f"{scored.path}: {name} are {here[:12]}, those of {other.path} are {there[:12]}")
        other = self._first.get(scored.kind, scored)
        ours, theirs = _relevance(scored), _relevance(other)
        if ours != theirs if self._alike else not ours & theirs:
            raise BadInput(f"{scored.path}: other measures or pools than {other.path.name}")
        self._first.setdefault(scored.kind, scored)
        self._rows[row] = scored
        self._checksums = checksums | self._checksums


def _relevance(scored: Scored) -> set[Column]:
    """Columns without those that earlier versions did not have."""
    return {column for column in scored.means if column[0] not in FAIRNESS}


def _check_questions(path: Path, values: dict[Column, ByQuestion], found: list[Scored]) -> None:
    for other in found:
        for column, here in values.items():
            if not here.is_asked_as(other.values[column]):
                raise BadInput(f"{path}: scored on other questions than {other.path.name}")
