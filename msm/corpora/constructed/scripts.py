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


class Part(NamedTuple):
    """A phrase of a sentence: the thing it names, a number of it, and its owner."""

    fact: str
    """Name of a fact, `hero`, or a concept itself as `=concept`."""
    number: str = ""
    """Name of a number fact."""
    owner: str = ""
    """`hero` where the phrase names the owner, else empty."""


class Step(NamedTuple):
    """An event: one sentence of the document."""

    verb: str
    subject: Part
    object: Part | None = None
    place: Part | None = None
    company: Part | None = None
    time: Part | None = None
    told: float = 1.0
    """Share of the documents that tell this event."""
    asks: tuple[str, ...] = ()
    """Phrases that a question may ask for: names of the fields above, or `number` for the number of the object."""


class Script(NamedTuple):
    """One kind of document: its facts and its events in their usual order."""

    name: str
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]


HERO = Part("hero")


def _of_hero(fact: str) -> Part:
    return Part(fact, owner="hero")


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
        Step("born", HERO, place=Part("town"), time=Part("birth"), asks=("place", "time")),
        Step("lie", Part("town", owner="hero"), place=Part("land"), told=0.7, asks=("place",)),
        Step("be", _of_hero("=father"), Part("father_trade"), place=Part("town"), told=0.8, asks=("object",)),
        Step("help", HERO, _of_hero("helper"), place=Part("town"), told=0.6, asks=("object",)),
        Step("learn", HERO, Part("trade"), company=Part("master"), asks=("object", "company")),
        Step("work", HERO, Part("trade"), place=Part("workplace"), asks=("place",)),
        Step("make", HERO, Part("product"), place=Part("workplace"), told=0.8, asks=("object",)),
        Step("marry", HERO, Part("spouse"), time=Part("wedding"), asks=("object", "time")),
        Step("raise", HERO, Part("=children", "children"), company=Part("spouse"), told=0.7, asks=("number",)),
        Step("strike", Part("disaster"), Part("town", owner="hero"), told=0.8, asks=("subject",)),
        Step("lose", HERO, Part("loss"), company=Part("disaster"), asks=("object",)),
        Step("flee", HERO, place=Part("refuge"), company=Part("spouse"), asks=("place",)),
        Step("build", HERO, Part("building"), place=Part("refuge"), told=0.8, asks=("object",)),
        Step("teach", HERO, Part("=pupils", "pupils"), place=Part("building"), told=0.6, asks=("number",)),
        Step("win", HERO, Part("honour"), company=Part("product"), told=0.8, asks=("object",)),
        Step("suffer", HERO, Part("illness"), place=Part("refuge"), told=0.7, asks=("object",)),
        Step("die", HERO, place=Part("refuge"), time=Part("death"), asks=("time",)),
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
        Step("plan", HERO, Part("goal"), place=Part("port"), asks=("object",)),
        Step("buy", HERO, Part("vessel"), place=Part("port"), asks=("object",)),
        Step("hire", HERO, Part("=sailors", "crew"), place=Part("port"), told=0.8, asks=("number",)),
        Step("load", HERO, Part("cargo"), place=Part("vessel"), told=0.8, asks=("object",)),
        Step("depart", HERO, place=Part("port"), time=Part("departure"), asks=("place", "time")),
        Step("catch", Part("weather"), _of_hero("=ship"), told=0.8, asks=("subject",)),
        Step("break", _of_hero("=ship"), Part("broken"), company=Part("weather"), asks=("object",)),
        Step("mend", HERO, Part("broken"), company=Part("remedy"), asks=("company",)),
        Step("fight", HERO, Part("creature"), company=Part("=sailors"), told=0.6, asks=("object",)),
        Step("reach", HERO, Part("island"), company=Part("=sailors"), asks=("object",)),
        Step("meet", HERO, Part("people"), place=Part("island"), asks=("object",)),
        Step("trade", HERO, Part("goods"), company=Part("people"), asks=("object",)),
        Step("stay", HERO, Part("=winters", "winters"), place=Part("island"), told=0.7, asks=("number",)),
        Step("return", HERO, place=Part("port"), time=Part("return"), asks=("time",)),
        Step("sell", HERO, Part("goods"), company=Part("=coins", "price"), told=0.8, asks=("object",)),
        Step("receive", HERO, Part("honour"), place=Part("port"), told=0.8, asks=("object",)),
    ),
)

SCRIPTS = (LIFE, VOYAGE)

FUNCTION_WORDS = ("in", "with", "at", "of", "what", "who", "where", "when", "how_many")
"""Words of grammar: markers of a place, a companion or means, a time and an owner, and the question words."""
