"""Scripts of the invented world: kinds of documents, the usual order of their events, and the facts behind them.

English words name concepts only; no language of the world uses them.
"""

from typing import NamedTuple

NAMES = ("given", "family", "place", "year", "number")
"""Kinds of words that all languages may write alike."""

SIZES = {"given": 60, "family": 100, "place": 40, "year": 64, "number": 10}
"""Number of names or numbers of each kind; the number of family names grows with that of documents."""

CONCEPTS: dict[str, tuple[str, ...]] = {
    "landscape": ("coast", "mountain", "forest", "plain", "island", "valley"),
    "trade": ("smith", "weaver", "baker", "fisher", "healer", "mason", "farmer", "singer", "potter", "hunter"),
    "workplace": ("forge", "mill", "market", "harbour", "hospital", "quarry", "field", "theatre", "yard", "inn"),
    "product": ("sword", "carpet", "bread", "net", "potion", "arch", "cheese", "song", "jar", "coat"),
    "kin": ("mother", "uncle", "sister", "brother", "aunt", "grandfather"),
    "disaster": ("flood", "avalanche", "fire", "drought", "storm", "plague"),
    "loss": ("house", "herd", "tools", "harvest", "boat", "savings"),
    "building": ("school", "bridge", "tower", "bathhouse", "library", "well"),
    "honour": ("medal", "crown", "ring", "statue", "pension", "title"),
    "illness": ("fever", "cough", "blindness", "lameness", "poisoning", "melancholy"),
    "vessel": ("brig", "raft", "galley", "schooner", "canoe", "barge"),
    "cargo": ("salt", "wool", "iron", "wine", "grain", "timber"),
    "weather": ("hail", "fog", "gale", "calm", "lightning", "ice"),
    "part": ("mast", "rudder", "hull", "sail", "anchor", "oar"),
    "remedy": ("rope", "tar", "plank", "canvas", "chain", "nail"),
    "people": ("herders", "monks", "pirates", "divers", "nomads", "miners"),
    "goods": ("pepper", "pearls", "silk", "ivory", "amber", "silver"),
    "creature": ("whale", "bear", "serpent", "eagle", "wolf", "seal"),
    "role": ("sailors", "children", "pupils", "coins", "helpers", "winters"),
    "father": ("father",),
    "ship": ("ship",),
}
"""Concepts by kind, the frequent ones first."""


class Fact(NamedTuple):
    """A fact that is drawn before a document is told."""

    name: str
    kind: str
    """A kind of `CONCEPTS` or `NAMES`."""
    after: str = ""
    """Name of an earlier fact that usually decides this one; for a year, of the year before it."""
    gap: tuple[int, int] = (0, 0)
    """Smallest and largest number of years after the fact `after`, for a year."""


class PhraseFacts(NamedTuple):
    """A phrase of a sentence: the thing it names, a number of it, and its owner."""

    fact: str
    """Name of a fact, `hero`, or a concept itself as `=concept`."""
    number: str = ""
    """Name of a number fact."""
    owner: str = ""
    """`hero` where the phrase names the owner, else empty."""


class Event(NamedTuple):
    """An event: one sentence of the document."""

    verb: str
    subject: PhraseFacts
    object: PhraseFacts | None = None
    place: PhraseFacts | None = None
    company: PhraseFacts | None = None
    time: PhraseFacts | None = None
    told: float = 1.0
    """Share of the documents that tell this event."""
    asks: tuple[str, ...] = ()
    """Phrases that a question may ask for: names of the fields above, or `number` for the number of the object."""


class Script(NamedTuple):
    """One kind of document: its facts and its events in their usual order."""

    name: str
    facts: tuple[Fact, ...]
    steps: tuple[Event, ...]


HERO = PhraseFacts("hero")


def _of_hero(fact: str) -> PhraseFacts:
    return PhraseFacts(fact, owner="hero")


LIFE = Script(
    "life",
    (
        Fact("birth", "year"),
        Fact("town", "place"),
        Fact("land", "landscape"),
        Fact("father_trade", "trade", "land"),
        Fact("helper", "kin"),
        Fact("trade", "trade", "father_trade"),
        Fact("master", "given"),
        Fact("workplace", "workplace", "trade"),
        Fact("product", "product", "trade"),
        Fact("wedding", "year", "birth", (18, 24)),
        Fact("spouse", "given"),
        Fact("children", "number"),
        Fact("disaster", "disaster", "land"),
        Fact("loss", "loss", "disaster"),
        Fact("refuge", "place"),
        Fact("building", "building", "loss"),
        Fact("pupils", "number"),
        Fact("honour", "honour", "product"),
        Fact("illness", "illness", "trade"),
        Fact("death", "year", "wedding", (12, 20)),
    ),
    (
        Event("born", HERO, place=PhraseFacts("town"), time=PhraseFacts("birth"), asks=("place", "time")),
        Event("lie", PhraseFacts("town", owner="hero"), place=PhraseFacts("land"), told=0.7, asks=("place",)),
        Event(
            "be",
            _of_hero("=father"),
            PhraseFacts("father_trade"),
            place=PhraseFacts("town"),
            told=0.8,
            asks=("object",),
        ),
        Event("help", HERO, _of_hero("helper"), place=PhraseFacts("town"), told=0.6, asks=("object",)),
        Event("learn", HERO, PhraseFacts("trade"), company=PhraseFacts("master"), asks=("object", "company")),
        Event("work", HERO, PhraseFacts("trade"), place=PhraseFacts("workplace"), asks=("place",)),
        Event("make", HERO, PhraseFacts("product"), place=PhraseFacts("workplace"), told=0.8, asks=("object",)),
        Event("marry", HERO, PhraseFacts("spouse"), time=PhraseFacts("wedding"), asks=("object", "time")),
        Event(
            "raise",
            HERO,
            PhraseFacts("=children", "children"),
            company=PhraseFacts("spouse"),
            told=0.7,
            asks=("number",),
        ),
        Event("strike", PhraseFacts("disaster"), PhraseFacts("town", owner="hero"), told=0.8, asks=("subject",)),
        Event("lose", HERO, PhraseFacts("loss"), company=PhraseFacts("disaster"), asks=("object",)),
        Event("flee", HERO, place=PhraseFacts("refuge"), company=PhraseFacts("spouse"), asks=("place",)),
        Event("build", HERO, PhraseFacts("building"), place=PhraseFacts("refuge"), told=0.8, asks=("object",)),
        Event(
            "teach", HERO, PhraseFacts("=pupils", "pupils"), place=PhraseFacts("building"), told=0.6, asks=("number",)
        ),
        Event("win", HERO, PhraseFacts("honour"), company=PhraseFacts("product"), told=0.8, asks=("object",)),
        Event("suffer", HERO, PhraseFacts("illness"), place=PhraseFacts("refuge"), told=0.7, asks=("object",)),
        Event("die", HERO, place=PhraseFacts("refuge"), time=PhraseFacts("death"), asks=("time",)),
    ),
)

VOYAGE = Script(
    "voyage",
    (
        Fact("goal", "landscape"),
        Fact("vessel", "vessel", "goal"),
        Fact("crew", "number"),
        Fact("cargo", "cargo"),
        Fact("port", "place"),
        Fact("departure", "year"),
        Fact("weather", "weather", "goal"),
        Fact("broken", "part", "weather"),
        Fact("remedy", "remedy", "broken"),
        Fact("creature", "creature", "goal"),
        Fact("island", "place"),
        Fact("people", "people", "goal"),
        Fact("goods", "goods", "people"),
        Fact("winters", "number"),
        Fact("return", "year", "departure", (2, 5)),
        Fact("price", "number"),
        Fact("honour", "honour", "goods"),
    ),
    (
        Event("plan", HERO, PhraseFacts("goal"), place=PhraseFacts("port"), asks=("object",)),
        Event("buy", HERO, PhraseFacts("vessel"), place=PhraseFacts("port"), asks=("object",)),
        Event("hire", HERO, PhraseFacts("=sailors", "crew"), place=PhraseFacts("port"), told=0.8, asks=("number",)),
        Event("load", HERO, PhraseFacts("cargo"), place=PhraseFacts("vessel"), told=0.8, asks=("object",)),
        Event("depart", HERO, place=PhraseFacts("port"), time=PhraseFacts("departure"), asks=("place", "time")),
        Event("catch", PhraseFacts("weather"), _of_hero("=ship"), told=0.8, asks=("subject",)),
        Event("break", _of_hero("=ship"), PhraseFacts("broken"), company=PhraseFacts("weather"), asks=("object",)),
        Event("mend", HERO, PhraseFacts("broken"), company=PhraseFacts("remedy"), asks=("company",)),
        Event("fight", HERO, PhraseFacts("creature"), company=PhraseFacts("=sailors"), told=0.6, asks=("object",)),
        Event("reach", HERO, PhraseFacts("island"), company=PhraseFacts("=sailors"), asks=("object",)),
        Event("meet", HERO, PhraseFacts("people"), place=PhraseFacts("island"), asks=("object",)),
        Event("trade", HERO, PhraseFacts("goods"), company=PhraseFacts("people"), asks=("object",)),
        Event(
            "stay", HERO, PhraseFacts("=winters", "winters"), place=PhraseFacts("island"), told=0.7, asks=("number",)
        ),
        Event("return", HERO, place=PhraseFacts("port"), time=PhraseFacts("return"), asks=("time",)),
        Event("sell", HERO, PhraseFacts("goods"), company=PhraseFacts("=coins", "price"), told=0.8, asks=("object",)),
        Event("receive", HERO, PhraseFacts("honour"), place=PhraseFacts("port"), told=0.8, asks=("object",)),
    ),
)

SCRIPTS = (LIFE, VOYAGE)

FUNCTION_WORDS = ("in", "with", "at", "of", "what", "who", "where", "when", "how_many")
"""Words of grammar: markers of a place, a companion or means, a time and an owner, and the question words."""
