"""Batches of one language, of two, or of either kind: the samplers of the hybrid paper (arXiv 2408.10536).

A batch draws its kind, then its data set by the number of its items among those that can fill such a batch, then its
languages, uniformly, and its items. Draws are functions of (seed, step); the rows of a batch are different items with
different passages. An epoch is as many updates as have rows for every item once.
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
"""Separates these draws from others of the same step."""
ANY = ("any", "any")
"""Stands for a pair of languages that each row draws for itself."""
Pools = dict[tuple[str, str], list[Item]]
"""Languages of question and passage to the items that have both."""


class DataSet(NamedTuple):
    """What a data set can fill batches of one kind with."""

    pools: Pools
    items: int


class LanguageBatches:
    """Batches by language.

    Args:
        data_sets: items of each data set.
        settings: `sampler`, `alpha`, `cross_pair`, `batch_queries`, `hard_negatives` and `seed`.

    Raises:
        BadInput: no data set has a language, or a pair of languages, in which a batch can be filled.
    """

    def __init__(self, data_sets: Sequence[Sequence[Item]], settings: Finetune) -> None:
        self.settings = settings
        self.examples = [item for items in data_sets for item in items]
        mono_share = {"mono": 1.0, "cross": 0.0}.get(settings.batches.sampler, settings.batches.alpha)
        self.mono_share = mono_share
        self.mono = self._filled([_mono_pools(items) for items in data_sets], "mono", needed=mono_share > 0)
        find_pools = _row_pools if settings.batches.cross_pair == "row" else _pair_pools
        self.cross = self._filled([find_pools(items) for items in data_sets], "cross", needed=mono_share < 1)

    @property
    def languages(self) -> set[str]:
        """Of the questions and passages that can be drawn."""
        found: set[str] = set()
        for data_sets, share in ((self.mono, self.mono_share), (self.cross, 1 - self.mono_share)):
            for languages, items in (pool for data_set in data_sets for pool in data_set.pools.items() if share):
                found.update(*(item.queries | item.answers for item in items) if languages == ANY else [languages])
        return found

    @property
    def epoch_steps(self) -> int:
        """Updates that an epoch counts as."""
        return max(1, len(self.examples) // self.settings.batches.batch_queries)

    def batch(self, step: int) -> list[Example]:
        """The examples of one update, with the hard negatives that it uses."""
        settings = self.settings
        draw = np.random.default_rng((settings.seed, step, SAMPLER))
        data_sets = self.mono if draw.random() < self.mono_share else self.cross
        sizes = np.array([data_set.items for data_set in data_sets], float)
        pools = data_sets[draw.choice(len(data_sets), p=sizes / sizes.sum())].pools
        languages = sorted(pools)[draw.integers(len(pools))]
        found = self._fill(pools[languages], languages, draw)
        return with_negatives(found, settings.batches.hard_negatives, settings.seed, step)

    def _fill(self, items: list[Item], languages: tuple[str, str], draw: Generator) -> list[Example]:
        """Different items with different passages; a few are drawn first, all only if these are not enough."""
        found: dict[str, Example] = {}
        for count in (4 * self.settings.batches.batch_queries, len(items)):
            for place in draw.choice(len(items), size=min(count, len(items)), replace=False):
                pairs = items[place].pairs() if languages == ANY else [languages]
                example = items[place].example(*pairs[draw.integers(len(pairs))])
                found.setdefault(example.positive.passage_id, example)
                if len(found) == self.settings.batches.batch_queries:
                    return list(found.values())
            found.clear()
        raise BadInput(
            f"batch_queries={self.settings.batches.batch_queries}, but {len(items)} items of one data set do not "
            "have as many different passages"
        )

    def _filled(self, data_sets: list[Pools], kind: str, *, needed: bool) -> list[DataSet]:
        """Data sets with the languages in which they can fill a batch."""
        size = self.settings.batches.batch_queries
        kept = []
        for pools in data_sets:
            able = {languages: items for languages, items in pools.items() if _passages(items, languages) >= size}
            if able:
                kept.append(DataSet(able, len({item.item_id for items in able.values() for item in items})))
        if needed and not kept:
            raise BadInput(f"batch_queries={size}: no data set has so many different passages for a {kind} batch")
        return kept


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
    """One pool: all items with a pair of languages."""
    able = [item for item in items if item.pairs()]
    return {ANY: able} if able else {}


def _passages(items: Sequence[Item], languages: tuple[str, str]) -> int:
    """Different passages with which the items can fill a batch."""
    if languages == ANY:
        return len({item.answers[item.pairs()[0][1]].positive.passage_id for item in items})
    return len({item.answers[languages[1]].positive.passage_id for item in items})
