"""TREC NeuCLIR in its published files: English topics on news in Persian, Russian and Chinese.

| what | file, anywhere below the folder |
|---|---|
| topics | 2022: `topics.0720.utf8.jsonl`; 2023: `neuclir-2023-topics.0605.jsonl`; or `trec-YEAR/topics.jsonl` as ir_datasets keeps them |
| judgements | 2022: `2022-qrels.all`, whose second column is the language; 2023: `qrels.final.gains.fas` (`rus`, `zho`), and `qrels.final.gains` for all languages in one pool, out of the published archive |
| documents | `fas-00000-of-00001.jsonl` (`rus-`, `zho-`), or `fas/docs.jsonl` |

A query is the English title and description of a topic, with a blank between; topics without a judgement are left out.
Documents have `id`, `title` and `text`. Their ids differ between languages, those of topics do not.

Sources: arXiv:2304.12367, arXiv:2404.08071; trec.nist.gov/data/neuclir; ir_datasets 0.6.3 (`formats/extracted_cc.py`).
"""  # noqa: E501

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from msm.collections.collection import MULTILINGUAL, Draft
from msm.collections.layout import find_file
from msm.collections.readers.passage_records import read_passage_records
from msm.collections.readers.trec import QueriesWithPassages, judged_queries, read_qrel_rows, side_by_side
from msm.collections.records import Passage, Qrel, Query
from msm.collections.text_lines import read_lines
from msm.errors import BadInput, bad_line
from msm.files import read_json_lines

LANGUAGES = {"fa": "fas", "ru": "rus", "zh": "zho"}
ASKED_IN = "en"
TOPICS = {2022: "topics.0720.utf8.jsonl", 2023: "neuclir-2023-topics.0605.jsonl"}


def read_2022(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read the topics of 2022 on the documents of each language.

    Args:
        folder: the files lie anywhere below it.
        languages: languages of the documents that are kept; all where none is named.

    Raises:
        BadInput: a file is missing, malformed or there twice.
    """
    path = find_file(folder, "2022-qrels.all", "trec-2022/qrels", deep=True)
    qrels = {language: list(_judgements_of(path, LANGUAGES[language])) for language in _checked_languages(languages)}
    return _side_by_side(folder, 2022, qrels)


def read_2023(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read the topics of 2023 on the documents of each language.

    Raises:
        BadInput: a file is missing, malformed or there twice.
    """
    files = {language: f"qrels.final.gains.{LANGUAGES[language]}" for language in _checked_languages(languages)}
    qrels = {language: read_qrel_rows(find_file(folder, name, deep=True)) for language, name in files.items()}
    return _side_by_side(folder, 2023, qrels)


def read_2023_one_pool(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read the topics of 2023 on all documents in one pool, by the judgements made for that.

    Raises:
        BadInput: a file is missing, malformed or there twice.
    """
    del languages
    qrels = read_qrel_rows(find_file(folder, "qrels.final.gains", deep=True))
    queries = _queries(folder, 2023, qrels)
    parts = [partial(read_passage_records, _documents(folder, code), code) for code in LANGUAGES]
    return Draft(queries, qrels, {None: partial(_all_of, parts)}, [MULTILINGUAL])


def _checked_languages(languages: Sequence[str]) -> Sequence[str]:
    if unknown_codes := [language for language in languages if language not in LANGUAGES]:
        raise BadInput(f"NeuCLIR has no {unknown_codes[0]!r}; it has {', '.join(LANGUAGES)}")
    return languages or list(LANGUAGES)


def _side_by_side(folder: Path, year: int, qrels: dict[str, list[Qrel]]) -> Draft:
    parts = {
        language: QueriesWithPassages(
            _queries(folder, year, judgements),
            partial(read_passage_records, _documents(folder, language), language),
            judgements,
        )
        for language, judgements in qrels.items()
    }
    return side_by_side(parts, asked_in=ASKED_IN, are_translations=True)


def _documents(folder: Path, language: str) -> Path:
    code = LANGUAGES[language]
    return find_file(folder, f"{code}-00000-of-00001.jsonl", f"{code}/docs.jsonl", deep=True)


def _all_of(parts: list[partial[Iterator[Passage]]]) -> Iterator[Passage]:
    return chain.from_iterable(part() for part in parts)


def _judgements_of(path: Path, code: str) -> Iterator[Qrel]:
    """The judgements of one language."""
    for number, line in read_lines(path):
        columns = line.split()
        if not columns:
            continue
        if len(columns) != 4 or not columns[3].lstrip("-").isdigit():
            raise bad_line(path, number, f"expected topic, language, document and a whole label, got {line[:60]!r}")
        if columns[1] == code:
            yield Qrel(columns[0], columns[2], int(columns[3]))


def _queries(folder: Path, year: int, qrels: Sequence[Qrel]) -> list[Query]:
    path = find_file(folder, TOPICS[year], f"trec-{year}/topics.jsonl", deep=True)
    topics = [Query(*_topic(record, path, number)) for number, record in read_json_lines(path)]
    return judged_queries(topics, qrels, path)


def _topic(record: dict[str, Any], path: Path, number: int) -> tuple[str, str, str]:
    try:
        english = next(topic for topic in record["topics"] if topic["lang"] == "eng")
        return str(record["topic_id"]), ASKED_IN, f"{english['topic_title']} {english['topic_description']}"
    except (KeyError, TypeError, StopIteration) as error:
        raise bad_line(path, number, f"not a topic with an English title and description: {error!r}") from error
