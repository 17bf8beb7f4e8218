"""`msm compare`: paired differences between models, per language and on average.

Every folder is one of stage `score`, or of `msm evaluate`. Folders of one model with different seeds are its seeds:
their values are averaged question by question before anything is compared, and the spread of their means is printed
below. The p values of one measure and kind of pool, of all models and languages, are corrected together.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from msm.collections.measure_names import LESS_IS_BETTER
from msm.collections.runs import Floats
from msm.errors import BadInput
from msm.evaluation.per_query import PoolKind, by_question, pool_kinds, read_per_query
from msm.evaluation.statistics import Comparison, Interval, columns, compare, holm, language_means
from msm.files import read_json_lines
from msm.pipeline.artifacts import payload

KIND = ("benchmark", "split", "setting")
"""Only numbers that agree in these may be compared."""
HEADER = ("language", "baseline", "model", "difference", "95 % interval", "p (Holm)", "wins", "ties", "losses")
TITLES: dict[PoolKind, str] = {
    "multilingual": "candidates of all languages",
    "same": "candidates in the question's language",
    "other": "candidates in each other language",
}


class Scored(NamedTuple):
    """A score folder."""

    path: Path
    facts: dict[str, Any]
    """Benchmark, split, setting, model, seed, protocol."""
    rows: pa.Table
    """Per-query values."""


class Model(NamedTuple):
    """Values of a model, averaged over its seeds."""

    name: str
    values: Floats
    """[C, L]."""
    seed_means: Floats
    """Means of each seed: of the languages, and their mean, [seeds, L + 1]."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm compare`."""
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="score folders to compare")
    parser.add_argument(
        "--baseline",
        type=Path,
        action="append",
        required=True,
        metavar="FOLDER",
        help="score folder to compare with; again for each further seed",
    )
    parser.add_argument("--resamples", type=int, default=10000, help="of intervals and tests")
    parser.add_argument("--seed", type=int, default=1, help="of the resampling")


def main(arguments: Namespace) -> None:
    """Print one table for every measure, kind of pool and model.

    Raises:
        BadInput: a folder is no score folder, or was scored on other questions or in another setting.
    """
    if arguments.resamples < 1:
        raise BadInput(f"--resamples must be at least 1, got {arguments.resamples}")
    if arguments.seed < 0:
        raise BadInput(f"--seed must be at least 0, got {arguments.seed}")
    baseline = [_read(path) for path in arguments.baseline]
    others = [_read(path) for path in arguments.folders]
    _check(baseline, others)
    groups: dict[str, list[Scored]] = {}
    for scored in others:
        groups.setdefault(scored.facts["model"], []).append(scored)
    for seeds in (baseline, *groups.values()):
        _check_seeds(seeds)
    sys.stdout.writelines(f"{line}\n" for line in _report(baseline, list(groups.values()), arguments))


def _read(path: Path) -> Scored:
    folder = payload(path / "score" if (path / "score").is_dir() else path)
    first = next(read_json_lines(folder / "scores.jsonl"), None)
    if first is None:
        raise BadInput(f"{folder / 'scores.jsonl'}: empty")
    missing = [name for name in (*KIND, "model", "seed", "protocol") if name not in first[1]]
    if missing:
        raise BadInput(f"{folder / 'scores.jsonl'}:1: no field {missing[0]!r}")
    return Scored(path, first[1], read_per_query(folder / "per_query.parquet"))


def _check(baseline: list[Scored], others: list[Scored]) -> None:
    first = baseline[0]
    for scored in (*baseline, *others):
        for name in KIND:
            if scored.facts[name] != first.facts[name]:
                found, expected = scored.facts[name], first.facts[name]
                raise BadInput(f"{scored.path}: {name} is {found}, that of {first.path} is {expected}")


def _check_seeds(seeds: list[Scored]) -> None:
    seen: dict[int, Path] = {}
    for scored in seeds:
        model, seed = scored.facts["model"], scored.facts["seed"]
        if model != seeds[0].facts["model"]:
            raise BadInput(f"{scored.path}: model {model}, but the first baseline is {seeds[0].facts['model']}")
        if seed in seen:
            raise BadInput(f"{scored.path}: model {model} with seed {seed}, as {seen[seed]}; compare one by one")
        seen[seed] = scored.path


def _report(baseline: list[Scored], groups: list[list[Scored]], arguments: Namespace) -> Iterator[str]:
    rows = baseline[0].rows
    for measure in dict.fromkeys(rows["measure"].to_pylist()):
        for kind in pool_kinds(rows):
            languages, models = _models([baseline, *groups], measure, kind)
            resamples = arguments.resamples
            made = compare(
                columns(np.stack([model.values for model in models])),
                [(place, 0) for place in range(1, len(models))],
                resamples=resamples,
                signs=resamples,
                seed=arguments.seed,
                less_is_better=measure in LESS_IS_BETTER,
            )
            corrected = np.split(holm(np.concatenate([comparison.p_values for comparison in made])), len(made))
            for seeds, model, comparison, p_values in zip(groups, models[1:], made, corrected, strict=True):
                less = ", less is better" if measure in LESS_IS_BETTER else ""
                yield f"{measure}{less}, {TITLES[kind]}: {_name(seeds)} against {_name(baseline)}"
                yield from _notes(baseline[0], seeds[0])
                yield from _table(languages, models[0], model, comparison, p_values)
                yield from _seed_line(models[0], model)
                yield ""


def _models(groups: list[list[Scored]], measure: str, kind: PoolKind) -> tuple[list[str], list[Model]]:
    """Languages, and the models on the same questions."""
    first = by_question(groups[0][0].rows, measure, kind)
    models = []
    for seeds in groups:
        values = []
        for scored in seeds:
            found = by_question(scored.rows, measure, kind)
            if not found.is_asked_as(first):
                raise BadInput(f"{scored.path}: not scored on the questions of {groups[0][0].path} ({measure}, {kind})")
            values.append(found.values)
        means = np.array([language_means(value) for value in values])
        models.append(Model(seeds[0].facts["model"], np.mean(values, axis=0), means))
    return first.languages, models


def _name(seeds: list[Scored]) -> str:
    facts = seeds[0].facts
    return f"{facts['model']} ({facts['benchmark']} {facts['split']}, {len(seeds)} seed{'s' * (len(seeds) > 1)})"


def _notes(baseline: Scored, model: Scored) -> Iterator[str]:
    protocols = [scored.facts["protocol"] for scored in (baseline, model)]
    if protocols[0] != protocols[1]:
        yield f"note: the protocols differ: {json.dumps(protocols[1])} against {json.dumps(protocols[0])}"


def _table(languages: list[str], baseline: Model, model: Model, made: Comparison, p_values: Floats) -> list[str]:
    cells = zip(
        [*languages, "mean"],
        baseline.seed_means.mean(axis=0),
        model.seed_means.mean(axis=0),
        made.differences,
        made.intervals,
        p_values,
        made.wins,
        made.ties,
        made.losses,
        strict=True,
    )
    rows = [HEADER, *(_row(*cell) for cell in cells)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADER))]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]


def _row(
    language: str, baseline: float, model: float, gap: float, span: Interval, p: float, *counts: int
) -> tuple[str, ...]:
    interval = f"[{span.low:+.4f}, {span.high:+.4f}]"
    return (language, f"{baseline:.4f}", f"{model:.4f}", f"{gap:+.4f}", interval, f"{p:.4f}", *map(str, counts))


def _seed_line(baseline: Model, model: Model) -> Iterator[str]:
    """Standard deviation of the mean over the seeds; with one seed nothing is known of it."""
    spreads = []
    for other in (baseline, model):
        several = len(other.seed_means) > 1
        spread = f"{np.std(other.seed_means[:, -1], ddof=1):.4f}" if several else "unknown (1 seed)"
        spreads.append(f"{other.name} {spread}")
    yield f"standard deviation of the mean over seeds: {', '.join(spreads)}"
