"""The samplers `mono`, `cross` and `hybrid`: batches of one language, of two, or of both kinds (arXiv 2408.10536).

A batch draws its kind first. Then it draws a data set among those that can fill a batch of this kind, in proportion to
their numbers of items; then its languages, uniformly; and then its items, which have different passages. All draws are
functions of the seed and the step. An epoch is as many updates as it takes to read as many items as there are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from msm.collections.records import Example
from msm.errors import BadInput
from msm.finetuning.batches import with_negatives
from msm.finetuning.parallel import Item
from msm.finetuning.settings import Finetune

SAMPLER = 2
"""Number in the seed that separates these draws from other draws of the same step."""
ANY = ("any", "any")
"""Placeholder for a pair of languages that each row draws for itself."""
Pools = dict[tuple[str, str], list[Item]]
"""Items that exist in a pair of languages, by the languages of question and passage."""


class DataSet(NamedTuple):
    """The part of a data set that can fill batches of one kind."""

    pools: Pools
    """Items by languages."""
    items: int
    """Number of different items."""


class LanguageBatches:
    """Batches of one language or of two.

    Args:
        data_sets: items of each data set.
        settings: settings of the stage `finetune`.

    Raises:
        BadInput: no data set has enough different passages for a batch, in any language or pair of languages.
    """

    def __init__(self, data_sets: Sequence[Sequence[Item]], settings: Finetune) -> None:
        self.settings = settings
        self.examples = [item for items in data_sets for item in items]
        mono_share = {"mono": 1.0, "cross": 0.0}.get(settings.batches.sampler, settings.batches.alpha)
        self.mono_share = mono_share
        self.mono = self._filled([_mono_pools(items) for items in data_sets], "mono", is_required=mono_share > 0)
        find_pools = _row_pools if settings.batches.cross_pair == "row" else _pair_pools
        self.cross = self._filled([find_pools(items) for items in data_sets], "cross", is_required=mono_share < 1)

    @property
    def languages(self) -> set[str]:
        """Languages of the questions and passages that can be drawn."""
        codes: set[str] = set()
        for data_sets, share in ((self.mono, self.mono_share), (self.cross, 1 - self.mono_share)):
            for languages, items in (pool for data_set in data_sets for pool in data_set.pools.items() if share):
                codes.update(*(item.queries | item.answers for item in items) if languages == ANY else [languages])
        return codes

    @property
    def epoch_steps(self) -> int:
        """Number of updates in an epoch."""
        return max(1, len(self.examples) // self.settings.batches.batch_queries)

    def batch(self, step: int) -> list[Example]:
        """Return the examples of one update, with the hard negatives that it uses."""
        settings = self.settings
        draw = np.random.default_rng((settings.seed, step, SAMPLER))
        data_sets = self.mono if draw.random() < self.mono_share else self.cross
        sizes = np.array([data_set.items for data_set in data_sets], float)
        pools = data_sets[draw.choice(len(data_sets), p=sizes / sizes.sum())].pools
        languages = sorted(pools)[draw.integers(len(pools))]
        examples = self._fill(pools[languages], languages, draw)
        return with_negatives(examples, settings.batches.hard_negatives, settings.seed, step)

    def _fill(self, items: list[Item], languages: tuple[str, str], draw: Generator) -> list[Example]:
        """Draw different items with different passages: a few first, and all only where these are not enough."""
        examples: dict[str, Example] = {}
        for count in (4 * self.settings.batches.batch_queries, len(items)):
            for index in draw.choice(len(items), size=min(count, len(items)), replace=False):
                pairs = items[index].pairs() if languages == ANY else [languages]
                example = items[index].example(*pairs[draw.integers(len(pairs))])
                examples.setdefault(example.positive.passage_id, example)
                if len(examples) == self.settings.batches.batch_queries:
                    return list(examples.values())
            examples.clear()
        raise BadInput(
            f"batch_queries={self.settings.batches.batch_queries}, but {len(items)} items of one data set do not "
            "have as many different passages"
        )

    def _filled(self, data_sets: list[Pools], kind: str, *, is_required: bool) -> list[DataSet]:
        """Reduce data sets to the languages in which they can fill a batch."""
        size = self.settings.batches.batch_queries
        full_sets = []
        for pools in data_sets:
            able = {languages: items for languages, items in pools.items() if _passages(items, languages) >= size}
            if able:
                full_sets.append(DataSet(able, len({item.item_id for items in able.values() for item in items})))
        if is_required and not full_sets:
            raise BadInput(f"batch_queries={size}: no data set has so many different passages for a {kind} batch")
        return full_sets


def _mono_pools(items: Sequence[Item]) -> Pools:
    pools: Pools = {}
    for item in items:
        for language in item.mono():
            pools.setdefault((language, language), []).append(item)
    return pools


def _pair_pools(items: Sequence[Item]) -> Pools:
    pools: Pools = {}
    for item in items:
        for pair in item.pairs():
            pools.setdefault(pair, []).append(item)
    return pools


def _row_pools(items: Sequence[Item]) -> Pools:
    """All items with a pair of languages, in one pool."""
    able = [item for item in items if item.pairs()]
    return {ANY: able} if able else {}


def _passages(items: Sequence[Item], languages: tuple[str, str]) -> int:
    """Number of different passages with which the items can fill a batch."""
    if languages == ANY:
        return len({item.answers[item.pairs()[0][1]].positive.passage_id for item in items})
    return len({item.answers[languages[1]].positive.passage_id for item in items})
