"""XOR-Retrieve and Natural Questions: questions with answer strings, on English Wikipedia in passages of 100 words.

| benchmark | questions | passages (`id`, `text`, `title` with tabs between, a header) |
|---|---|---|
| `xor_retrieve` | `xor_dev_retrieve_eng_span_v1_1.jsonl`, 2,110 | `enwiki_20190201_w100.tsv` |
| `nq` | `nq-test.qa.csv`, 3,610 | `psgs_w100.tsv`, 21,015,324 |

No passage is judged: right is what holds an answer. XOR-Retrieve's questions with no answer but yes and no are left
out. Files may be `.gz`.

Sources: arXiv:2010.11856; DPR, arXiv:2004.04906.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from msm.collections.collection import Collection, Pool
from msm.collections.passages import Passages
from msm.collections.readers.answer_files import read_nq_rows, read_xor_answers
from msm.collections.records import Passage, Query
from msm.collections.runs import Qrels
from msm.collections.text_lines import read_table
from msm.errors import BadInput, bad_line
from msm.files import read_json_lines

XOR_FILE = "xor_dev_retrieve_eng_span_v1_1.jsonl"
XOR_QUESTIONS = {"ar": 309, "bn": 304, "fi": 314, "ja": 241, "ko": 285, "ru": 237, "te": 238}
"""Of dev, with another answer than yes and no; 1,928 in all."""
XOR_PASSAGES = "enwiki_20190201_w100.tsv"
XOR_LEAST_PASSAGES = 10_000_000
"""The published file's exact count is not known to us; a file with fewer is not the English Wikipedia."""
NQ_FILE, NQ_QUESTIONS = "nq-test.qa.csv", 3610
NQ_PASSAGES, NQ_PASSAGE_COUNT = "psgs_w100.tsv", 21015324


def read_official_xor(folder: Path) -> Collection:
    """XOR-Retrieve dev.

    Raises:
        BadInput: a file is missing or malformed, or the counts are not the published ones.
    """
    queries, answers = read_xor_questions(folder)
    found = Counter(query.language for query in queries)
    for language in sorted(XOR_QUESTIONS | found):
        if found[language] != XOR_QUESTIONS.get(language, 0):
            expected = XOR_QUESTIONS.get(language, 0)
            raise _unofficial(
                folder, "xor_retrieve", f"{language} has {found[language]} questions instead of {expected}"
            )
    collection = _collection(queries, answers, _file(folder, XOR_PASSAGES))
    if len(collection.passages) < XOR_LEAST_PASSAGES:
        raise _unofficial(folder, "xor_retrieve", f"{len(collection.passages)} passages are not the English Wikipedia")
    return collection


def read_xor(folder: Path) -> Collection:
    """Questions and passages of one's own in XOR-Retrieve's files."""
    queries, answers = read_xor_questions(folder)
    return _collection(queries, answers, _file(folder, XOR_PASSAGES))


def read_official_nq(folder: Path) -> Collection:
    """Natural Questions, test.

    Raises:
        BadInput: a file is missing or malformed, or the counts are not the published ones.
    """
    queries, answers = read_nq_questions(folder)
    if len(queries) != NQ_QUESTIONS:
        raise _unofficial(folder, "nq", f"{len(queries)} questions instead of {NQ_QUESTIONS}")
    collection = _collection(queries, answers, _file(folder, NQ_PASSAGES))
    if len(collection.passages) != NQ_PASSAGE_COUNT:
        raise _unofficial(folder, "nq", f"{len(collection.passages)} passages instead of {NQ_PASSAGE_COUNT}")
    return collection


def read_nq(folder: Path) -> Collection:
    """Questions and passages of one's own in DPR's files."""
    queries, answers = read_nq_questions(folder)
    return _collection(queries, answers, _file(folder, NQ_PASSAGES))


def read_xor_questions(folder: Path) -> tuple[list[Query], dict[str, list[str]]]:
    """Questions with an answer other than yes and no, and these answers."""
    path = _file(folder, XOR_FILE)
    answers = {name: [a for a in found if a not in ("yes", "no")] for name, found in read_xor_answers(path).items()}
    queries = []
    for number, record in read_json_lines(path):
        if answers[record["id"]]:
            if not isinstance(record.get("question"), str) or not isinstance(record.get("lang"), str):
                raise bad_line(path, number, "a question needs `question` and `lang`")
            # Some published language codes have blanks around them.
            queries.append(Query(record["id"], record["lang"].strip(), record["question"]))
    return queries, {query.query_id: answers[query.query_id] for query in queries}


def read_nq_questions(folder: Path) -> tuple[list[Query], dict[str, list[str]]]:
    """Questions, named by their place, and their answers."""
    rows = list(read_nq_rows(_file(folder, NQ_FILE)))
    queries = [Query(f"nq-{place}", "en", question) for place, (question, _) in enumerate(rows)]
    return queries, {query.query_id: answers for query, (_, answers) in zip(queries, rows, strict=True)}


def read_passages(path: Path) -> Iterator[Passage]:
    """Passages of DPR's files, one at a time.

    Raises:
        BadInput: a line that has not three columns.
    """
    for _, (passage_id, text, title) in read_table(path, 3):
        if passage_id != "id":
            yield Passage(passage_id, "en", text, title)


def _collection(queries: list[Query], answers: dict[str, list[str]], path: Path) -> Collection:
    nothing = np.empty(0, np.int64)
    query_ids = [query.query_id for query in queries]
    qrels = Qrels(pa.array(query_ids, pa.string()), pa.array([], pa.string()), nothing, nothing, nothing)
    passages = Passages({"en": partial(read_passages, path)})
    return Collection(queries, query_ids, passages, qrels, [Pool("pool.en", None, "en")], answers)


def _file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise BadInput(f"{folder}: no {name} (or .gz)")


def _unofficial(folder: Path, name: str, what: str) -> BadInput:
    return BadInput(
        f"{folder}: not the official {name}: {what}; give a pool of your own a name of its own, such as {name}:NAME"
    )
