# ruff: noqa: RUF001 - letters of many scripts are what this file is about
"""Makes languages: invented words in an alphabet of their own, and an order of words."""

import random
from collections.abc import Iterable, Sequence
from string import ascii_lowercase
from typing import NamedTuple

from msm.corpora.constructed.scripts import CONCEPTS, FUNCTION_WORDS, NAMES, SCRIPTS, SIZES

CODES = tuple(f"q{first}{second}" for first in "abc" for second in ascii_lowercase)
"""Codes of the languages, from the range that ISO 639 leaves to private use."""

ALPHABETS = (
    ("b d f g k l m n p r s t v z", "a e i o u"),
    ("β γ δ ζ θ κ λ μ ν ξ π ρ τ φ χ ψ", "α ε η ι ο ω"),
    ("б в г д ж з к л м н п р т ф ш", "а е и о у я"),
    ("բ գ դ զ թ լ կ հ ձ մ ն պ ռ վ տ", "ա ե ի ո է"),
    ("ბ გ დ ვ ზ თ კ ლ მ ნ პ რ ს ტ ფ", "ა ე ი ო უ"),
    ("क ख ग च ज ट ड त द न प ब म ल स", "\u093e \u093f \u0940 \u0941 \u0947"),
    ("ב ג ד ז ח ט כ ל מ נ ס פ צ ק ר ש", "א ו י ע"),
    ("ب ت ج د ر ز س ش ط ف ق ك ل م ن", "ا و ي"),
    ("ক খ গ চ জ ট ড ত দ ন প ব ম ল স", "\u09be \u09bf \u09c0 \u09c1 \u09c7"),
    ("క ఖ గ చ జ ట డ త ద న ప బ మ ల స", "\u0c3e \u0c3f \u0c40 \u0c41 \u0c47"),
    ("ก ข ค ง จ ช ด ต ท น บ ป พ ม ร ล ส", "\u0e32 \u0e34 \u0e35 \u0e38 \u0e39"),
    ("ક ખ ગ ચ જ ટ ડ ત દ ન પ બ મ લ સ", "\u0abe \u0abf \u0ac0 \u0ac1 \u0ac7"),
)
"""Consonants and vowels of each language, in twelve scripts; NFKC leaves all of them as they are. The thirteenth
language and later ones share these scripts, and sometimes a word with another meaning."""

ORDERS = ("SVO", "SOV", "VSO", "VOS", "OVS", "OSV")
"""Orders of subject, verb and object, which the languages take in turn."""

FIRST_YEAR = 1836
FIRST_NUMBER = 2


class Grammar(NamedTuple):
    """The order of the words of a sentence."""

    order: tuple[str, ...]
    """Roles and `verb`, from first to last."""
    markers_first: bool
    """Whether words such as `in` come before their phrase, or after it."""
    owner_first: bool
    """Whether an owner comes before the thing that is owned, or after it."""
    number_first: bool
    """Whether a number comes before the thing that is counted, or after it."""
    question_first: bool
    """Whether a question word opens the sentence, or takes the position of the answer."""


class ConstructedLanguage(NamedTuple):
    """A made-up language."""

    code: str
    grammar: Grammar
    words: dict[str, tuple[str, ...]]
    """Words for each meaning: several for a verb, one for anything else."""
    ending: str
    """Ending without a meaning that any word but the common ones may take, such as the Finnish `-kin`."""


def languages(count: int, *, families: int, common_share: float, synonyms: int, seed: int) -> list[ConstructedLanguage]:
    """Make the languages of a world.

    Args:
        count: number of languages, at most that of `CODES`.
        families: number of family names in use.
        common_share: share of the names and numbers, of each kind, that all languages write alike.
        synonyms: number of words for each verb.
        seed: seed of words and grammars.
    """
    common = common_words(families, common_share, seed)
    own_names = [meaning for meaning in _names(families) if meaning not in common]
    return [_language(index, common, own_names, synonyms, seed) for index in range(count)]


def common_words(families: int, share: float, seed: int) -> dict[str, str]:
    """Make the words that all languages write alike: capitalised names, and numbers in digits.

    Args:
        families: number of family names in use.
        share: share of the names or numbers of each kind.
        seed: seed of the choice and the spelling.
    """
    rng = random.Random(f"{seed} common")
    meanings: list[str] = []
    for kind, size in _sizes(families).items():
        meanings += [f"{kind}:{index}" for index in sorted(rng.sample(range(size), round(share * size)))]
    names = iter(_invent(len(meanings), ALPHABETS[0], (2, 3), (), rng))
    return {meaning: _common(meaning, names) for meaning in meanings}


def _common(meaning: str, names: Iterable[str]) -> str:
    kind, index = meaning.split(":")
    if kind == "year":
        return str(FIRST_YEAR + int(index))
    return str(FIRST_NUMBER + int(index)) if kind == "number" else next(iter(names)).capitalize()


def _sizes(families: int) -> dict[str, int]:
    return {kind: families if kind == "family" else SIZES[kind] for kind in NAMES}


def _names(families: int) -> list[str]:
    return [f"{kind}:{index}" for kind, size in _sizes(families).items() for index in range(size)]


def _language(
    index: int, common: dict[str, str], own_names: list[str], synonyms: int, seed: int
) -> ConstructedLanguage:
    rng = random.Random(f"{seed} {CODES[index]}")
    grammar = _grammar(ORDERS[index % len(ORDERS)], rng)
    verbs = sorted({f"verb:{step.verb}" for script in SCRIPTS for step in script.steps})
    things = [f"{kind}:{concept}" for kind, concepts in CONCEPTS.items() for concept in concepts]
    alphabet = ALPHABETS[index % len(ALPHABETS)]
    (ending,) = _invent(1, alphabet, (1, 1), (), rng)
    grammar_words = _invent(len(FUNCTION_WORDS), alphabet, (1, 2), (ending,), rng)
    count = len(verbs) * synonyms + len(things) + len(own_names)
    content = iter(_invent(count, alphabet, (2, 3), (ending, *grammar_words), rng))
    words = {meaning: (word,) for meaning, word in common.items()}
    words |= {name: (word,) for name, word in zip(FUNCTION_WORDS, grammar_words, strict=True)}
    words |= {verb: tuple(next(content) for _ in range(synonyms)) for verb in verbs}
    words |= {meaning: (next(content),) for meaning in things + own_names}
    return ConstructedLanguage(CODES[index], grammar, words, ending)


def _grammar(order: str, rng: random.Random) -> Grammar:
    core = [{"S": "subject", "V": "verb", "O": "object"}[letter] for letter in order]
    verb_first = order.index("V") < order.index("O")
    # In most languages, a verb before its object goes with markers before their phrase, and an owner after the thing.
    at = len(core) if verb_first else core.index("verb")
    roles = [*core[:at], "company", "place", *core[at:]]
    roles = ["time", *roles] if rng.random() < 0.5 else [*roles, "time"]
    return Grammar(
        tuple(roles),
        markers_first=verb_first,
        owner_first=not verb_first,
        number_first=rng.random() < 0.5,
        question_first=rng.random() < 0.5,
    )


def _invent(
    count: int, alphabet: tuple[str, str], syllables: Sequence[int], endings: Sequence[str], rng: random.Random
) -> list[str]:
    """Invent a number of different words, none of which ends in one of `endings`."""
    onsets, nuclei = (part.split() for part in alphabet)
    words: dict[str, None] = {}
    while len(words) < count:
        size = rng.randint(*syllables)
        word = "".join(rng.choice(onsets) + rng.choice(nuclei) for _ in range(size))
        word += rng.choice(onsets) if rng.random() < 0.3 else ""
        if not word.endswith(tuple(endings)):
            words[word] = None
    return list(words)
