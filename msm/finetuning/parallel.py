"""Parallel training data: questions and passages that exist in several languages.

An item is one question with its passages, in all its languages: the examples of a data set that share a question id,
and the questions that a file of parallel questions adds.
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
    """The question in each language, by language."""
    answers: dict[str, Example]
    """An example with passages in each language, by the language of the passages."""

    def pairs(self) -> list[tuple[str, str]]:
        """Return all pairs of different languages of question and passage, sorted."""
        return sorted((query, passage) for query in self.queries for passage in self.answers if query != passage)

    def mono(self) -> list[str]:
        """Return the languages that the question and a passage share, sorted."""
        return sorted(self.queries.keys() & self.answers.keys())

    def example(self, query_language: str, passage_language: str) -> Example:
        """Return the question in one language with the passages in another."""
        return self.answers[passage_language]._replace(query=self.queries[query_language])


def read_items(sources: Path, settings: Finetune) -> list[list[Item]]:
    """Read the items of every data set. Every file of `translations` adds questions in other languages.

    Raises:
        BadInput: a file is missing or malformed, or a file of translations holds none of the questions.
    """
    data_sets = read_data_sets(sources, listed(settings.examples), settings.language, settings.passage_unit)
    items = [join_items(examples) for examples in data_sets]
    for name in listed(settings.batches.translations):
        path = find(sources, name)
        translations = _read_translations(path)
        if not sum(_translate(part, translations) for part in items):
            raise BadInput(f"{path}: parallel to none of the training questions")
    return items


def join_items(examples: Iterable[Example]) -> list[Item]:
    """Join examples with the same question id to one item. In each language the first example counts."""
    items: dict[str, Item] = {}
    for example in examples:
        item = items.setdefault(example.query.query_id, Item(example.query.query_id, {}, {}))
        item.queries.setdefault(example.query.language, example.query)
        item.answers.setdefault(example.positive.language, example)
    return list(items.values())


def _read_translations(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The question in other languages by language and question, from lines `language`, `text`, `english`."""
    questions: dict[tuple[str, str], dict[str, str]] = {}
    for language, english, text in read_translations(path):
        questions.setdefault((language, text), {}).setdefault("en", english)
        questions.setdefault(("en", english), {}).setdefault(language, text)
    return questions


def _translate(items: Sequence[Item], translations: dict[tuple[str, str], dict[str, str]]) -> int:
    """Add the questions of other languages to the items, and return how many were added."""
    count = 0
    for item in items:
        for query in list(item.queries.values()):
            for language, text in translations.get((query.language, query.text.strip()), {}).items():
                if language not in item.queries:
                    item.queries[language] = Query(query.query_id, language, text)
                    count += 1
    return count
