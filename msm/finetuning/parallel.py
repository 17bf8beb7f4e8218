"""Parallel training data: questions and passages that exist in several languages.

An item is one question with what answers it; examples of a data set that share a question id in several files, or
that a file of parallel questions ties together, are one item.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msm.collections.examples import find, read_data_sets
from msm.collections.records import Example, Query
from msm.corpora.bitext import read_translations
from msm.errors import BadInput
from msm.finetuning.settings import Finetune
from msm.settings import listed


class Item(NamedTuple):
    """A question, in every language in which it is asked and in every language in which it is answered."""

    item_id: str
    queries: dict[str, Query]
    """By language."""
    answers: dict[str, Example]
    """By the language of the passages: an example whose question is the one of that language."""

    def pairs(self) -> list[tuple[str, str]]:
        """Languages of question and passage, different ones; sorted."""
        return sorted((asked, answered) for asked in self.queries for answered in self.answers if asked != answered)

    def mono(self) -> list[str]:
        """Languages of both question and passage; sorted."""
        return sorted(self.queries.keys() & self.answers.keys())

    def example(self, asked: str, answered: str) -> Example:
        """The question in one language with the passages of another; those of every language are known to be right."""
        return self.answers[answered]._replace(query=self.queries[asked])


def read_items(sources: Path, settings: Finetune) -> list[list[Item]]:
    """Items of every data set; every file of `translations` adds questions in other languages.

    Raises:
        BadInput: a file is missing or malformed, or a translation of none of the questions.
    """
    found = read_data_sets(sources, listed(settings.examples), settings.language, settings.passage_unit)
    items = [join_items(examples) for examples in found]
    for name in listed(settings.batches.translations):
        path = find(sources, name)
        translations = _read_translations(path)
        if not sum(_translate(part, translations) for part in items):
            raise BadInput(f"{path}: parallel to none of the training questions")
    return items


def join_items(examples: Iterable[Example]) -> list[Item]:
    """Examples with the same question id are one item; the first one of a language counts."""
    items: dict[str, Item] = {}
    for example in examples:
        item = items.setdefault(example.query.query_id, Item(example.query.query_id, {}, {}))
        item.queries.setdefault(example.query.language, example.query)
        item.answers.setdefault(example.positive.language, example)
    return list(items.values())


def _read_translations(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """(Language, question) to the question in other languages, of lines `language`, `text`, `english`."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for language, english, text in read_translations(path):
        found.setdefault((language, text), {}).setdefault("en", english)
        found.setdefault(("en", english), {}).setdefault(language, text)
    return found


def _translate(items: Sequence[Item], translations: dict[tuple[str, str], dict[str, str]]) -> int:
    """Add the questions of other languages to the items; returns how many were added."""
    added = 0
    for item in items:
        for query in list(item.queries.values()):
            for language, text in translations.get((query.language, query.text.strip()), {}).items():
                if language not in item.queries:
                    item.queries[language] = Query(query.query_id, language, text)
                    added += 1
    return added
