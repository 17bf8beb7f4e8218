"""`msm compare`: compares models by paired differences, by language and on average.

Every folder is a score folder, of the stage `score` or of `msm evaluate`. Folders of one model are its seeds: their
values are averaged question by question before models are compared, and the spread of their means is printed below. The
p values of one measure and kind of pool, of all models and languages, are corrected together.

Folders that were scored on other questions, candidates or judgements are refused, and those of other rules, unless
`--any_protocol` is given.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from msm.cli.options import add_resamples
from msm.collections.measure_names import LESS_IS_BETTER
from msm.collections.runs import Floats
from msm.errors import INVISIBLE
from msm.evaluation.compare import MeasureComparisons, ModelValues, Seeds
from msm.evaluation.per_query import PoolKind
from msm.evaluation.score_folder import ScoreFolder
from msm.evaluation.statistics import FEW_CLUSTERS, Comparison, Interval
from msm.reporting import wording
from msm.verbs.compare import compare

HEADER = ("language", "baseline", "model", "difference", "95 % interval", "p (Holm)", "wins", "ties", "losses")
TITLES: dict[PoolKind, str] = {
    "multilingual": "candidates of all languages",
    "same": "candidates in the question's language",
    "other": "candidates in each other language",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm compare`."""
    parser.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="Score folders of the models to compare with the baseline; several folders of one model are its seeds.",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        action="append",
        required=True,
        metavar="FOLDER",
        help="Score folder of the baseline. Repeat the option for each further seed of the baseline.",
    )
    parser.add_argument(
        "--fairness",
        action="store_true",
        help="Compare by every measure of language fairness. Without this option, only peer@20 and own_first@100 are "
        "compared.",
    )
    parser.add_argument(
        "--any_protocol",
        action="store_true",
        help="Compare folders even if they were scored by different rules; the differences are printed as notes.",
    )
    add_resamples(parser, "intervals and p values", default=10000, least=1)


def main(arguments: Namespace) -> None:
    """Print one table for every measure, kind of pool and model.

    Raises:
        BadInput: a folder is no score folder, or was scored on other questions, candidates or judgements, by other
            rules or in another setting.
    """
    comparisons = compare(
        arguments.baseline,
        arguments.folders,
        any_protocol=arguments.any_protocol,
        fairness=arguments.fairness,
        resamples=arguments.resamples,
        seed=arguments.seed,
    )
    sys.stdout.writelines(f"note: {note}\n" for note in comparisons.notes)
    for measure_comparisons in comparisons.comparisons:
        sys.stdout.writelines(
            INVISIBLE.sub("", f"{line}\n") for line in _report(measure_comparisons, comparisons.models)
        )


def _report(comparisons: MeasureComparisons, groups: Sequence[Seeds]) -> Iterator[str]:
    less = ", less is better" if comparisons.measure in LESS_IS_BETTER else ""
    title = f"{comparisons.measure}{less}, {TITLES[comparisons.kind]}"
    baseline, *models = comparisons.models
    for seeds, model, comparison, p_values in zip(
        groups[1:], models, comparisons.comparisons, comparisons.p_values, strict=True
    ):
        yield f"{title}: {_name(seeds)} against {_name(groups[0])}"
        yield from _notes(groups[0][0], seeds[0])
        yield from _table(comparisons.languages, baseline, model, comparison, p_values)
        yield from _seed_line(baseline, model)
        yield ""
    yield f"{title}: ranks by the mean, 95 % confidence for all pairs at once"
    yield from (
        f"  {line}" for line in wording.rank_groups([model.name for model in comparisons.models], comparisons.ranks)
    )
    if comparisons.clusters < FEW_CLUSTERS:
        yield f"note: {wording.few_clusters(comparisons.clusters)}"
    yield ""


def _name(seeds: Seeds) -> str:
    facts = seeds[0].facts
    return f"{facts['model']} ({facts['benchmark']} {facts['split']}, {len(seeds)} seed{'s' * (len(seeds) > 1)})"


def _notes(baseline: ScoreFolder, model: ScoreFolder) -> Iterator[str]:
    protocols = [folder.facts["protocol"] for folder in (baseline, model)]
    if protocols[0] != protocols[1]:
        yield f"note: the protocols differ: {json.dumps(protocols[1])} against {json.dumps(protocols[0])}"


def _table(
    languages: list[str], baseline: ModelValues, model: ModelValues, comparison: Comparison, p_values: Floats
) -> list[str]:
    cells = zip(
        [*languages, "mean"],
        baseline.seed_means.mean(axis=0),
        model.seed_means.mean(axis=0),
        comparison.differences,
        comparison.intervals,
        p_values,
        comparison.wins,
        comparison.ties,
        comparison.losses,
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


def _seed_line(baseline: ModelValues, model: ModelValues) -> Iterator[str]:
    """Yield the standard deviation of the mean over the seeds, which is unknown with one seed."""
    spreads = []
    for other in (baseline, model):
        several = len(other.seed_means) > 1
        deviation = f"{np.std(other.seed_means[:, -1], ddof=1):.4f}" if several else "unknown (1 seed)"
        spreads.append(f"{other.name} {deviation}")
    yield f"standard deviation of the mean over seeds: {', '.join(spreads)}"
