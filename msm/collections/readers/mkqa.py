"""MKQA as retrieval: questions in 26 languages with English answer strings, on English Wikipedia.

Files: `mkqa.jsonl` (`example_id`, `queries` and `answers` by language) and DPR's `psgs_w100.tsv`. As in mContriever,
questions whose English answer is of the type `unanswerable`, `binary` or `long_answer` are left out, and the answers of
the others, texts and aliases, are those in English. `zh_cn`, `zh_hk` and `zh_tw` are `zh-CN`, `zh-HK` and `zh-TW`.

Sources: arXiv:2007.15207, github.com/apple/ml-mkqa (README of commit 094cac0); github.com/facebookresearch/contriever,
data_scripts/preprocess_xmkqa.py.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msm.collections.collection import Draft, Pool
from msm.collections.layout import find_file
from msm.collections.readers.wikipedia_passages import FILE as WIKIPEDIA
from msm.collections.readers.wikipedia_passages import read_passages
from msm.collections.records import Query
from msm.corpora.codes import said_canonical
from msm.errors import bad_line
from msm.files import read_json_lines

FILE = "mkqa.jsonl"
WITHOUT_SPAN = frozenset({"unanswerable", "binary", "long_answer"})
"""Types of answers that are no text of a passage."""


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions in some languages, all of them on the same English passages.

    Args:
        folder: folder of the files.
        languages: languages of the questions; all where none is named.

    Raises:
        BadInput: a file is missing or malformed.
    """
    queries, questions, answers = [], [], {}
    for question, spans, translations in _questions(find_file(folder, FILE)):
        for query in translations:
            if not languages or query.language in languages:
                queries.append(query)
                questions.append(question)
                answers[query.query_id] = spans
    passages = partial(read_passages, find_file(folder, WIKIPEDIA))
    return Draft(queries, [], {"en": passages}, [Pool("pool.en", None, "en")], questions, answers)


def _questions(path: Path) -> Iterator[tuple[str, list[str], list[Query]]]:
    """Yield each question that a passage can answer: its id, its English answers, and itself in all languages."""
    for number, record in read_json_lines(path):
        try:
            spans = _spans(record["answers"]["en"])
            name, texts = str(record["example_id"]), record["queries"].items()
            queries = [_query(name, code, text, path) for code, text in texts] if spans else []
        except (KeyError, TypeError, AttributeError) as error:
            raise bad_line(path, number, f"not a question of MKQA: {error!r}") from error
        if spans:
            yield name, spans, queries


def _query(name: str, code: str, text: Any, path: Path) -> Query:
    if not isinstance(text, str):
        raise TypeError(f"query must be text, got {text!r:.60}")
    language = said_canonical(code, str(path))
    return Query(f"{language}-{name}", language, text)


def _spans(answers: list[dict[str, Any]]) -> list[str]:
    span_answers = [answer for answer in answers if answer["type"] not in WITHOUT_SPAN]
    texts = [text for answer in span_answers for text in (*(answer.get("aliases") or ()), answer.get("text"))]
    return [text for text in texts if isinstance(text, str) and text.strip()]
