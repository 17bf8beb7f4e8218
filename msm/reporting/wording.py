"""Writes numbers and verdicts as people read them; every measure is shown times 100."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from msm.collections.registry import describe
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


INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and the marks that turn the direction of the text around them."""


def visible(text: str) -> str:
    """Text from data in one line, without signs that change how the text around it is read."""
    return INVISIBLE.sub("", " ".join(text.split()))


def plain(text: str) -> str:
    """Text from data for Markdown and the HTML within: every sign stands for itself."""
    return re.sub(r"([\\`*_\[\]<>|#~$&])", r"\\\1", visible(text))


def escaped(text: str) -> str:
    """Text from data for HTML: every sign stands for itself."""
    return escape(visible(text))


def fenced(text: str, language: str = "") -> str:
    """Text from data as a block of code, whose fence is longer than any within."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def benchmark(name: str) -> str:
    """Return a benchmark as people write it."""
    described = describe(name)
    return described.title if described and described.name == name else name


def measure(name: str) -> str:
    """Return a measure as people write it, such as `mAP@20`."""
    kind, at, cutoff = name.partition("@")
    return MEASURES.get(kind, kind) + at + cutoff


def pool(kind: str) -> str:
    """Return a kind of pool in words."""
    return POOLS[kind]


def column(column: tuple[str, str]) -> str:
    """Return a measure and its kind of pool in words."""
    return f"{measure(column[0])}, {pool(column[1])}"


def decimals(apart: Iterable[tuple[float, float]]) -> int:
    """Return the decimals of values times 100, 1 to 4, that print values differently which were told apart."""
    pairs = list(apart)
    for count in (1, 2, 3):
        if all(round(100 * one, count) != round(100 * other, count) for one, other in pairs):
            return count
    return 4 if pairs else 1


def times_100(value: float | None, digits: int = 1) -> str:
    """Return a share times 100; a dash where there is none."""
    return BLANK if value is None else f"{100 * value:.{digits}f}".replace("-", MINUS)


def interval(limits: Interval | None) -> str:
    """Return an interval, such as `[3.4, 3.8]`; empty without limits."""
    return "" if limits is None else f"[{times_100(limits.low)}, {times_100(limits.high)}]"


def seeds(count: int, deviation: float | None) -> str:
    """Return the number of trainings and the deviation of their means; empty where nothing was trained."""
    return str(count or "") if deviation is None else f"{count}, SD {times_100(deviation)}"


def signed(value: float, digits: int = 1) -> str:
    """Return a difference times 100 with its sign; `0.0` has none."""
    text = f"{100 * value:+.{digits}f}"
    return text.replace("-", MINUS) if float(text) else f"{0:.{digits}f}"


def signed_interval(limits: Interval, digits: int = 1) -> str:
    """Return the limits of a difference."""
    return f"[{signed(limits.low, digits)}, {signed(limits.high, digits)}]"


def difference(value: float, limits: Interval) -> tuple[str, str]:
    """Return a difference and its limits, with more decimals where limits that exclude 0 would print as 0."""
    is_clear = limits.low > 0 or limits.high < 0
    digits = decimals((limit, 0.0) for limit in (value, *limits)) if is_clear else 1
    return signed(value, digits), signed_interval(limits, digits)


def rank_groups(names: Sequence[str], ranks: Sequence[RankInterval]) -> list[str]:
    """Return models by their ranks, such as `1: mexma` and `2 to 3: msm, mlm: not separable`.

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
    """Return ranks, such as `1`, or `2 to 3` where a rank is open; empty without one."""
    if span is None:
        return ""
    return str(span.first) if span.first == span.last else f"{span.first} to {span.last}"


def few_clusters(clusters: int) -> str:
    """Return a sentence about fewer independent texts than intervals need."""
    return f"the questions are about {clusters} texts, fewer than {FEW_CLUSTERS}: intervals and tests are rough"


def p_value(value: float) -> str:
    """Return a p value, such as `.032` or `< .001`; a fourth digit where three would print a p below .05 as .050."""
    if value < 0.001:
        return "< .001"
    digits = 4 if 0.0495 <= value < 0.05 else 3
    return f"{value:.{digits}f}".removeprefix("0")
