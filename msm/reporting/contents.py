"""What a report shows of a benchmark, for any renderer: tables, differences between models, and language fairness."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msm.evaluation.per_query import Side
from msm.evaluation.statistics import Interval, RankInterval
from msm.reporting.models import BenchmarkResults, Cell, Column
from msm.reporting.training_sets import UNKNOWN, Training

FAIRNESS_HEADS = {
    "peer": "PEER",
    "mrc": "rank correlation",
    "other_languages_recall": "other languages' recall",
    "own_first": "own language first",
    "best_right_own": "best: right, own",
    "best_right_other": "right, other",
    "best_wrong_own": "wrong, own",
    "best_wrong_other": "wrong, other",
}
FAIRNESS_NOTE = (
    "Values times 100, mean over the languages of the questions, with 95 % intervals. PEER: how probable it is that "
    "relevant passages of all languages have one expected rank. Rank correlation: of a question's ranking with those "
    "of its translations. Own language first: of parallel relevant passages, the one in the question's language stands "
    "first. The last four say what the best answer is, and sum to 100."
)


class Row(NamedTuple):
    """One row of a table."""

    label: str
    kind: Literal["chance", "model", "published"]
    cells: dict[str, Cell]
    """Code of each language, and `mean`, to the cell."""
    about: str = ""
    """Protocol of the row's values; for published rows, where they are printed, too."""
    seeds: int = 0
    """Number of trainings whose values are averaged; 0 where nothing was trained."""
    seed_deviation: float | None = None
    """Standard deviation of the means of the seeds; None for fewer than two."""
    ranks: RankInterval | None = None
    """Ranks that the model may have by its mean, where all pairs of models are compared together; None without other
    models."""
    training: Training = UNKNOWN
    """Training sets of the benchmark on which the model was trained."""


class Table(NamedTuple):
    """Table of one measure on one kind of pool, with rows of models and columns of languages."""

    title: str
    subtitle: str
    languages: list[str]
    rows: list[Row]
    less_is_better: bool = False
    side: Side = "questions"
    """Side, questions or candidates, whose languages are the columns."""
    mean_digits: int = 1
    """Number of decimals of the means, with which models of different ranks are printed differently."""

    @property
    def tells_training(self) -> bool:
        """Whether the training sets of any model are known."""
        return any(row.training.sets for row in self.rows)


class Difference(NamedTuple):
    """Difference of a model and a control on the same questions, the mean over the languages."""

    model: str
    control: str
    value: float
    interval: Interval
    """95 % interval over the questions."""
    p: float
    """P value, corrected for all differences of the same measure and pool."""
    better: list[str]
    """Codes of the languages in which the model is better, corrected for their number."""
    worse: list[str]
    verdict: str


class FairnessRow(NamedTuple):
    """Row of the table: the values of one model, averaged over its seeds."""

    model: str
    cells: dict[str, Cell]
    """Name of each measure to the model's value, for measures that the score folders hold."""


class AblationRow(NamedTuple):
    """One row of a table of the paper, and the recipe's model for it."""

    table: str
    label: str
    """Name of the row as the paper prints it."""
    model: str
    """Name of the recipe's model, which may not have been trained."""
    value: float | None
    """Value of the recipe's model, the mean over languages; None where it was not trained."""
    change: float | None
    """Value of the model less that of the recipe's reference, on the same questions; None where it was not trained."""
    interval: Interval | None
    """95 % interval of the change; None where the model was not trained."""
    printed_value: float | None
    printed_change: float | None
    """Printed value less that of the printed reference; None where one of them was not printed."""
    seed_changes: list[float]
    """Value of each training of the model less the mean of the reference's trainings; those of the reference too."""


class ScalingPoint(NamedTuple):
    """A model by the size of its pre-training."""

    objective: str
    """Objective of the last pre-training."""
    parameters: int
    """Number of parameters of the encoder."""
    tokens: int
    """Number of tokens that the last pre-training read."""
    value: float
    """Value of the model, the mean over languages and seeds."""
    interval: Interval
    """95 % interval of the value over the questions."""


class TradePoint(NamedTuple):
    """A model by the share of its fine-tuning's batches that are of one language."""

    series: str
    """Words for the models that differ in this share alone."""
    share: float | None
    """Share of batches of one language, from 0 to 1; None for a model without fine-tuning."""
    own: float
    """Value in the pool of the question's own language, the mean over languages and seeds."""
    own_interval: Interval
    """95 % interval of it over the questions."""
    every: float
    """Value in one pool of all languages, the mean over languages and seeds."""
    every_interval: Interval
    """95 % interval of it over the questions."""


class Section(NamedTuple):
    """Contents of a report on one benchmark."""

    benchmark: BenchmarkResults
    title: str
    """Title of the benchmark, its split and setting."""
    tables: dict[Column, Table]
    published_rows: dict[Column, list[Row]]
    """Published rows by column; none for most benchmarks."""
    differences: dict[Column, list[Difference]]
    fairness: list[FairnessRow]
    """Rows of language fairness; none where no pool holds several languages."""
    ablations: list[AblationRow]
    """Rows of the masked sentence model's paper and the models for them, on the first column; none for most recipes."""
    scaling: list[ScalingPoint]
    """Models by the size of their pre-training, on the first column; none where sizes do not differ."""
    trade: list[TradePoint]
    """Models by the share of batches of one language; none where no models differ in it."""


def fairness_head(measure: str) -> str:
    """Return the heading of a measure's column, with the depth of the measure."""
    name, at, depth = measure.partition("@")
    return FAIRNESS_HEADS[name] + at + depth


def notes(rows: list[Row]) -> list[tuple[str, str, str]]:
    """Return remarks on cells, such as corrections, each with the label of the row and the names of the cells."""
    names_by_note: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, cell in row.cells.items():
            if cell.note:
                names_by_note.setdefault((row.label, cell.note), []).append(name)
    return [(label, ", ".join(names), note) for (label, note), names in names_by_note.items()]


def training_sources(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the labels of rows whose models others have trained, with the source for their training sets."""
    labels_by_source: dict[str, list[str]] = {}
    for row in rows:
        if row.training.source:
            labels_by_source.setdefault(row.training.source, []).append(row.label)
    return [(", ".join(labels), source) for source, labels in labels_by_source.items()]


def limits(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the smallest and the largest value of some rows, the ends of the colour scale; 0 and 1 without values."""
    values = [cell.value for row in rows for cell in row.cells.values() if cell.value is not None]
    return (min(values), max(values)) if values else (0.0, 1.0)
