"""Names of measures in recipes, files and tables; `msm.evaluation.measures` computes the measures."""

import re
from typing import Literal, NamedTuple

from msm.errors import BadInput

NAMES = ("mrr", "recall", "ndcg", "map", "success", "precision", "rank_distance")
ABBREVIATIONS = {
    "p": "precision",
    "r": "recall",
    "rr": "mrr",
    "ap": "map",
    "recip_rank": "mrr",
    "ndcg_cut": "ndcg",
    "map_cut": "map",
    "hit": "success",
    "accuracy": "success",
}
"""Other names of the measures, and the names that they stand for."""
LESS_IS_BETTER = frozenset({"rank_distance", "xsim", "xsim++"})
"""Measures of which lower values are better."""
BITEXT_MEASURES = ("accuracy", "xsim", "xsim++")
"""Measures of bitext, in which translations are mined; no other benchmark has them."""


SPLIT = ("best_right_own", "best_right_other", "best_wrong_own", "best_wrong_other")
"""Measures of the best answer: relevant or not, in the question's language or not."""
FAIRNESS = ("peer@20", "mrc@20", "other_languages_recall@20", "own_first@100", *SPLIT)
"""Measures of how alike languages are treated, in the order in which they are shown; see `msm.evaluation.fairness`."""
FIRST_FAIRNESS = ("peer@20", "own_first@100")
"""Measures that say the most: whether languages have equal ranks, and whether the question's own comes first."""


AnswerRule = Literal["xor-nltk", "xor-treebank", "dpr"]
"""Rules by which passages are matched with answers, where they are not judged."""
ANSWER_DEPTH = 100
"""Passages of 100 words that hold 5,000 tokens for certain, and the greatest cutoff of measures by answers."""


class Measure(NamedTuple):
    """A measure, such as `mrr@100`."""

    name: str
    cutoff: int | None
    """Number of ranks that the measure looks at; None for the whole ranking."""

    def __str__(self) -> str:
        return self.name if self.cutoff is None else f"{self.name}@{self.cutoff}"


def parse_measure(text: str) -> Measure:
    """Read a measure: a name, and where it has a cutoff `@` and a rank, such as `map` or `ndcg@10`.

    Names are read in any case and by their usual abbreviations: `nDCG@10`, `R@100`, `P@5`, `RR`, `AP`.

    Raises:
        BadInput: an unknown name, or a cutoff that is not a whole number of at least 1.
    """
    spelling, at, cutoff = text.strip().partition("@")
    name = ABBREVIATIONS.get(spelling.lower(), spelling.lower())
    if name not in NAMES:
        raise BadInput(f"unknown measure: {text!r}; known: {', '.join(NAMES)}, each with or without @CUTOFF")
    if at and not re.fullmatch(r"0*[1-9][0-9]{0,17}", cutoff):
        raise BadInput(f"the cutoff of a measure must be a whole number of at least 1, got {text!r}")
    if name == "precision" and not at:
        raise BadInput(f"precision needs a cutoff, such as precision@10, got {text!r}")
    if at and name == "rank_distance":
        raise BadInput(f"rank_distance looks at the whole ranking and has no cutoff, got {text!r}")
    return Measure(name, int(cutoff) if at else None)
