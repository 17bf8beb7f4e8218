"""Draws the facts of the invented world: meanings only, without words of any language."""

import random
from collections.abc import Iterator
from typing import NamedTuple

from msm.corpora.constructed.scripts import CONCEPTS, HERO, NAMES, SCRIPTS, SIZES, Event, Fact, PhraseFacts, Script

ROLES = ("subject", "object", "place", "company", "time")
LOYALTY = 0.8
"""Share of the facts that follow from an earlier fact; the others are drawn freely."""
FULL_NAME = 0.5
"""Share of the sentences after the first that use both names of the hero; the others use one of the two."""


class Phrase(NamedTuple):
    """A thing named in a sentence; words are meanings such as `trade:smith` or `year:12`."""

    words: tuple[str, ...]
    number: str = ""
    owner: tuple[str, ...] = ()


class Clause(NamedTuple):
    """The meaning of one sentence."""

    verb: str
    phrases: dict[str, Phrase]
    """Phrase of each role in `ROLES` that the sentence has."""
    asks: tuple[str, ...]
    """Parts that a question may ask for: roles, or `number` for the number of the object."""


class Story(NamedTuple):
    """The meaning of one document."""

    document_id: str
    hero: tuple[str, str]
    """Given name and family name; no two stories share both."""
    clauses: list[Clause]


def families(stories: int) -> int:
    """Return the number of family names that so many heroes need, if half of all pairs of names are used at most."""
    return max(SIZES["family"], -(-2 * stories // SIZES["given"]))


def stories(sizes: dict[str, int], seed: int) -> dict[str, list[Story]]:
    """Draw the stories of several worlds, which share no hero.

    Args:
        sizes: number of stories of each world, by name.
        seed: seed of all draws.
    """
    total = sum(sizes.values())
    heroes = _heroes(total, random.Random(f"{seed} heroes"))
    customs = _customs(random.Random(f"{seed} customs"))
    worlds: dict[str, list[Story]] = {}
    for world, size in sizes.items():
        rng = random.Random(f"{seed} {world}")
        worlds[world] = [_story(f"{world}/{number:05d}", next(heroes), customs, rng) for number in range(size)]
    return worlds


def _heroes(count: int, rng: random.Random) -> Iterator[tuple[str, str]]:
    pairs = [(f"given:{g}", f"family:{f}") for g in range(SIZES["given"]) for f in range(families(count))]
    return iter(rng.sample(pairs, count))


def _customs(rng: random.Random) -> dict[tuple[str, str], dict[str, str]]:
    """What usually follows from what, for every kind of a deciding fact and of the fact that it decides."""
    customs: dict[tuple[str, str], dict[str, str]] = {}
    for script in SCRIPTS:
        kinds = {fact.name: fact.kind for fact in script.facts}
        for fact in script.facts:
            if fact.after and fact.kind != "year":
                customs.setdefault((kinds[fact.after], fact.kind), _custom(kinds[fact.after], fact.kind, rng))
    return customs


def _custom(cause: str, effect: str, rng: random.Random) -> dict[str, str]:
    if cause == effect:
        return {concept: concept for concept in CONCEPTS[cause]}
    effects = list(CONCEPTS[effect])
    rng.shuffle(effects)
    return {concept: effects[i % len(effects)] for i, concept in enumerate(CONCEPTS[cause])}


def _story(
    document_id: str, hero: tuple[str, str], customs: dict[tuple[str, str], dict[str, str]], rng: random.Random
) -> Story:
    script = rng.choice(SCRIPTS)
    words = _settle(script, hero, customs, rng)
    steps = [step for step in script.steps if rng.random() < step.told]
    names = [hero] + [_mention(hero, rng) for _ in steps[1:]]
    return Story(document_id, hero, [_clause(step, words, name) for step, name in zip(steps, names, strict=True)])


def _settle(
    script: Script, hero: tuple[str, str], customs: dict[tuple[str, str], dict[str, str]], rng: random.Random
) -> dict[str, str]:
    words: dict[str, str] = {}
    for fact in script.facts:
        value = hero[0]
        while value == hero[0]:  # the hero's given name belongs to nobody else
            value = f"{fact.kind}:{_value(fact, words, customs, rng)}"
        words[fact.name] = value
    return words


def _value(
    fact: Fact, words: dict[str, str], customs: dict[tuple[str, str], dict[str, str]], rng: random.Random
) -> str:
    cause = words.get(fact.after, "")
    if fact.kind == "year":
        year = int(cause.split(":")[1]) + rng.randint(*fact.gap) if cause else rng.randrange(SIZES["year"] // 3)
        # The longest life would end one year after the last year that has a word.
        return str(min(year, SIZES["year"] - 1))
    if fact.kind in NAMES:
        return str(rng.randrange(SIZES[fact.kind]))
    if cause and rng.random() < LOYALTY:
        kind, concept = cause.split(":")
        return customs[kind, fact.kind][concept]
    concepts = CONCEPTS[fact.kind]
    return rng.choices(concepts, [1 / (rank + 2) for rank in range(len(concepts))])[0]


def _mention(hero: tuple[str, str], rng: random.Random) -> tuple[str, ...]:
    return hero if rng.random() < FULL_NAME else (rng.choice(hero),)


def _clause(step: Event, words: dict[str, str], hero: tuple[str, ...]) -> Clause:
    parts = {role: part for role in ROLES if isinstance(part := getattr(step, role), PhraseFacts)}
    return Clause(f"verb:{step.verb}", {role: _phrase(part, words, hero) for role, part in parts.items()}, step.asks)


def _phrase(part: PhraseFacts, words: dict[str, str], hero: tuple[str, ...]) -> Phrase:
    if part == HERO:
        return Phrase(hero)
    word = _concept(part.fact.removeprefix("=")) if part.fact.startswith("=") else words[part.fact]
    return Phrase((word,), words[part.number] if part.number else "", hero if part.owner else ())


def _concept(name: str) -> str:
    return next(f"{kind}:{name}" for kind, concepts in CONCEPTS.items() if name in concepts)
