"""Turns the meaning of a sentence into words of one language."""

import random
from typing import NamedTuple

from msm.corpora.constructed.facts import Clause, Phrase
from msm.corpora.constructed.languages import ConstructedLanguage

MARKERS = {"place": "in", "company": "with", "time": "at"}
QUESTION_WORDS = {
    "subject": "what",
    "object": "what",
    "place": "where",
    "company": "what",
    "time": "when",
    "number": "how_many",
}
"""What asks for which part of a sentence; a person is asked for with `who` instead of `what`."""
ENDING_SHARE = 0.05
"""Share of the words that take their language's ending. SentencePiece draws its candidates from strings that go on in
different ways; were every word followed by a blank, it would have few whole words to choose from."""


class Sentence(NamedTuple):
    """A sentence and where its phrases stand."""

    text: str
    spans: dict[str, tuple[int, int]]
    """First and last character, exclusive, of the bare thing named in each role, and of `number`."""


def verb_words(clause: Clause, language: ConstructedLanguage, rng: random.Random) -> tuple[str, str]:
    """A word for the verb of a sentence and one for that of its question: different ones if there are several."""
    words = language.words[clause.verb]
    first = rng.choice(words)
    return first, rng.choice([word for word in words if word != first] or words)


def tell(clause: Clause, verb: str, language: ConstructedLanguage, rng: random.Random) -> Sentence:
    """The sentence that says a clause.

    Args:
        clause: the meaning.
        verb: the word for its verb.
        language: gives the other words and their order.
        rng: picks the words that take an ending.
    """
    words: list[tuple[str, str]] = []
    for role in language.grammar.order:
        if role == "verb":
            words.append(("", verb))
        elif role in clause.phrases:
            words += _phrase(role, clause.phrases[role], language)
    return _join([(name, _ended(word, language, rng)) for name, word in words], ".")


def ask(
    clause: Clause, focus: str, hero: tuple[str, ...], verb: str, language: ConstructedLanguage, rng: random.Random
) -> str:
    """The question that a clause answers.

    The hero is called by the full name; place, company and time are left out unless asked for.

    Args:
        clause: the meaning of the answer's sentence.
        focus: part that is asked for, one of `clause.asks`.
        hero: the hero's given name and family name.
        verb: the word for its verb.
        language: gives the other words and their order.
        rng: picks the words that take an ending.
    """
    role_of_answer = "object" if focus == "number" else focus
    question = language.words[_question_word(clause, focus)][0]
    words = [question] if language.grammar.question_first else []
    for role in language.grammar.order:
        if role == "verb":
            words.append(verb)
        elif role == role_of_answer:
            words += [] if language.grammar.question_first else [question]
            words += _rest(clause.phrases[role], focus, hero, language)
        elif role in ("subject", "object") and role in clause.phrases:
            words += [word for _, word in _phrase(role, _by_full_name(clause.phrases[role], hero), language)]
    return " ".join(_ended(word, language, rng) for word in words) + "?"


def _question_word(clause: Clause, focus: str) -> str:
    if focus != "number" and clause.phrases[focus].words[0].startswith("given:"):
        return "who"
    return QUESTION_WORDS[focus]


def _rest(phrase: Phrase, focus: str, hero: tuple[str, ...], language: ConstructedLanguage) -> list[str]:
    """What stays of a phrase when a part of it is asked for."""
    if focus == "number":
        return [language.words[word][0] for word in phrase.words]
    owner = [("", language.words[word][0]) for word in hero]
    return [word for _, word in _marked("of", owner, language)] if phrase.owner else []


def _by_full_name(phrase: Phrase, hero: tuple[str, ...]) -> Phrase:
    if phrase.owner:
        return phrase._replace(owner=hero)
    return phrase._replace(words=hero) if phrase.words[0] in hero else phrase


def _phrase(role: str, phrase: Phrase, language: ConstructedLanguage) -> list[tuple[str, str]]:
    """The words of a phrase, each with the span it belongs to: the role, `number`, or none."""
    words, grammar = language.words, language.grammar
    thing = [(role, words[word][0]) for word in phrase.words]
    if phrase.number:
        number = [("number", words[phrase.number][0])]
        thing = number + thing if grammar.number_first else thing + number
    if phrase.owner:
        owner = _marked("of", [("", words[word][0]) for word in phrase.owner], language)
        thing = owner + thing if grammar.owner_first else thing + owner
    return _marked(MARKERS[role], thing, language) if role in MARKERS else thing


def _marked(marker: str, words: list[tuple[str, str]], language: ConstructedLanguage) -> list[tuple[str, str]]:
    mark = [("", language.words[marker][0])]
    return mark + words if language.grammar.markers_first else words + mark


def _ended(word: str, language: ConstructedLanguage, rng: random.Random) -> str:
    common = word.isascii() and not word.islower()
    return word + language.ending if not common and rng.random() < ENDING_SHARE else word


def _join(words: list[tuple[str, str]], end: str) -> Sentence:
    spans: dict[str, tuple[int, int]] = {}
    start = 0
    for name, word in words:
        if name:
            spans[name] = (spans.get(name, (start, 0))[0], start + len(word))
        start += len(word) + 1
    return Sentence(" ".join(word for _, word in words) + end, spans)
