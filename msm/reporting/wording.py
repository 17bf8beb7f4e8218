"""Writes numbers and verdicts as people read them; every measure is shown times 100."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from msm.errors import visible
from msm.evaluation.statistics import FEW_CLUSTERS, Interval, RankInterval

BLANK = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
MEASURES = {"map": "mAP", "precision": "P", "mrr": "MRR", "ndcg": "nDCG", "recall": "R", "success": "success"}
POOLS = {
    "multilingual": "one pool of all languages",
    "same": "pool of the question's language",
    "other": "pools of the other languages",
}
SHORT_POOLS = {"multilingual": "all languages", "same": "own language", "other": "other languages"}


def plain(text: str) -> str:
    """Return a text from data in which Markdown, and the HTML within, reads every character as itself."""
    return re.sub(r"([\\`*_\[\]<>|#~$&])", r"\\\1", visible(text))


def escaped(text: str) -> str:
    """Return a text from data in which HTML reads every character as itself."""
    return escape(visible(text))


def fenced(text: str, language: str = "") -> str:
    """Return a text from data as a block of code in Markdown, whose fence is longer than any fence in the text."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def measure(name: str) -> str:
    """Return the name of a measure as people write it, such as `mAP@20`."""
    kind, at, cutoff = name.partition("@")
    return MEASURES.get(kind, kind) + at + cutoff


def pool(kind: str) -> str:
    """Return the words for a kind of pool."""
    return POOLS[kind]


def column(column: tuple[str, str]) -> str:
    """Return the words for a measure on a kind of pool."""
    return f"{measure(column[0])}, {pool(column[1])}"


def decimals(apart: Iterable[tuple[float, float]]) -> int:
    """Return the number of decimals, 1 to 4, with which values times 100 that differ are printed differently.

    Args:
        apart: pairs of values from 0 to 1 that differ for sure.
    """
    pairs = list(apart)
    for count in (1, 2, 3):
        if all(round(100 * one, count) != round(100 * other, count) for one, other in pairs):
            return count
    return 4 if pairs else 1


def times_100(value: float | None, digits: int = 1) -> str:
    """Return the text of a value times 100; a dash where there is none."""
    return BLANK if value is None else f"{100 * value:.{digits}f}".replace("-", MINUS)


def interval(limits: Interval | None) -> str:
    """Return the text of an interval times 100, such as `[3.4, 3.8]`; an empty one without limits."""
    return "" if limits is None else f"[{times_100(limits.low)}, {times_100(limits.high)}]"


def seeds(count: int, deviation: float | None) -> str:
    """Return the text of the number of trainings and the standard deviation of their means; empty without training."""
    return str(count or "") if deviation is None else f"{count}, SD {times_100(deviation)}"


def signed(value: float, digits: int = 1) -> str:
    """Return the text of a difference times 100 with its sign; `0.0` has none."""
    text = f"{100 * value:+.{digits}f}"
    return text.replace("-", MINUS) if float(text) else f"{0:.{digits}f}"


def signed_interval(limits: Interval, digits: int = 1) -> str:
    """Return the text of the interval of a difference, times 100."""
    return f"[{signed(limits.low, digits)}, {signed(limits.high, digits)}]"


def difference(value: float, limits: Interval) -> tuple[str, str]:
    """Return the texts of a difference and of its interval, in which no limit other than 0 reads as 0."""
    is_clear = limits.low > 0 or limits.high < 0
    digits = decimals((limit, 0.0) for limit in (value, *limits)) if is_clear else 1
    return signed(value, digits), signed_interval(limits, digits)


def rank_groups(names: Sequence[str], ranks: Sequence[RankInterval]) -> list[str]:
    """Return the models of each group of ranks, such as `1: mexma` and `2 to 3: msm, mlm: not separable`.

    Args:
        names: names of the models.
        ranks: ranks of each model.
    """
    groups: dict[RankInterval, list[str]] = {}
    for span, name in sorted(zip(ranks, names, strict=True), key=lambda pair: pair[0]):
        groups.setdefault(span, []).append(name)
    return [
        f"{rank(span)}: {', '.join(members)}" + ": not separable" * (len(members) > 1)
        for span, members in groups.items()
    ]


def rank(span: RankInterval | None) -> str:
    """Return the text of ranks, such as `1`, or `2 to 3` where the rank is not certain; empty without ranks."""
    if span is None:
        return ""
    return str(span.first) if span.first == span.last else f"{span.first} to {span.last}"


def few_clusters(clusters: int) -> str:
    """Return a warning that there are fewer independent texts than intervals need."""
    return f"the questions are about {clusters} texts, fewer than {FEW_CLUSTERS}: intervals and tests are rough"


def p_value(value: float) -> str:
    """Return the text of a p value, such as `.032` or `< .001`, in which no value below .05 reads as .050."""
    if value < 0.001:
        return "< .001"
    digits = 4 if 0.0495 <= value < 0.05 else 3
    return f"{value:.{digits}f}".removeprefix("0")
