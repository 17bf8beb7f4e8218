"""Settings of the stage `score`."""

from dataclasses import dataclass
from typing import Literal

from msm.settings import Count, Settings


@dataclass(frozen=True, kw_only=True)
class Score(Settings):
    """Runs and judgements to `scores.jsonl`."""

    benchmark: str
    questions: str
    split: str
    setting: Literal["zero-shot", "multilingual", "multilingual, selected on these questions"]
    """Where the fine-tuning data come from. A checkpoint that was selected on the very questions it is scored on is
    said to be, and stands in a table of its own."""
    model: str
    """The row's name in tables."""
    ties: Literal["trec", "list", "pessimistic", "optimistic"]
    seed: Count

    @property
    def name(self) -> str:
        """What scores call the benchmark: `mr_tydi:NAME` is NAME. Pairs of bitext stay part of it: a mean is theirs."""
        return self.benchmark.rpartition(":")[2]
