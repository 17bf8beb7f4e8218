"""Settings of the stage `score`."""

from dataclasses import dataclass
from typing import Literal

from msm.settings import Count, Settings

Setting = Literal["zero-shot", "multilingual", "multilingual, selected on these questions"]
TieRule = Literal["benchmark", "trec", "list", "reversed", "pessimistic", "optimistic"]


@dataclass(frozen=True, kw_only=True)
class Score(Settings):
    """Scores runs by the judgements of a benchmark."""

    benchmark: str
    """Reference of the benchmark, such as `mr_tydi`, `mr_tydi-sw,bn`, `tatoeba@deu-eng` or `beir:NAME`."""
    questions: str
    """Folder of the benchmark's files, below the sources."""
    split: str
    """Split of the questions that are scored, such as `test`."""
    setting: Setting = "zero-shot"
    """Origin of the fine-tuning data: other languages than the test's, all of them, or all of them with a
    checkpoint that was selected on the test questions. Scores of the last kind are reported in a separate table."""
    model: str
    """Name of the model in tables, such as `msm`."""
    ties: TieRule = "benchmark"
    """Order of passages with equal scores: the order of the benchmark's official scorer (`benchmark`), by passage id as
    in trec_eval (`trec`), the order of the run or its reverse (`list`, `reversed`), or the order that is worst or best
    for the model (`pessimistic`, `optimistic`)."""
    measures: str = ""
    """Names of measures, separated by commas, such as `ndcg@10, recall@100`; empty for the official measures of the
    benchmark."""
    seed: Count
    """Seed of the training behind the run; 0 where nothing was trained."""

    @property
    def name(self) -> str:
        """Name of the benchmark in scores: NAME for `mr_tydi:NAME`. Pairs of bitext stay part of the name."""
        return self.benchmark.rpartition(":")[2]
