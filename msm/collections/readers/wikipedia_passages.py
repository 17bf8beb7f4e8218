"""XOR-Retrieve and Natural Questions: questions with answer strings, on English Wikipedia in passages of 100 words.

| benchmark | questions | passages (`id`, `text`, `title` with tabs between, a header) |
|---|---|---|
| `xor_retrieve` | `xor_dev_retrieve_eng_span_v1_1.jsonl`, 2,110 | `enwiki_20190201_w100.tsv` |
| `nq` | `nq-test.qa.csv`, 3,610 | `psgs_w100.tsv`, 21,015,324 |

No passage is judged: right is what holds an answer. XOR-Retrieve's questions with no answer but yes and no are left
out. Files may be compressed.

Sources: arXiv:2010.11856; DPR, arXiv:2004.04906.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import Draft, Pool
from msm.collections.layout import find_file
from msm.collections.readers.answer_files import read_nq_rows, read_xor_answers
from msm.collections.records import Passage, Query
from msm.collections.text_lines import read_table
from msm.corpora.codes import said_canonical
from msm.errors import bad_line
from msm.files import read_json_lines

XOR_FILE = "xor_dev_retrieve_eng_span_v1_1.jsonl"
XOR_PASSAGES = "enwiki_20190201_w100.tsv"
NQ_FILE, NQ_PASSAGES = "nq-test.qa.csv", "psgs_w100.tsv"


def read_xor(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions and passages in XOR-Retrieve's files.

    Raises:
        BadInput: a file is missing or malformed.
    """
    queries, answers = read_xor_questions(folder)
    asked_queries = [query for query in queries if not languages or query.language in languages]
    return _draft(asked_queries, answers, find_file(folder, XOR_PASSAGES))


def read_nq(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions and passages in DPR's files, which are in English.

    Raises:
        BadInput: a file is missing or malformed.
    """
    del languages
    queries, answers = read_nq_questions(folder)
    return _draft(queries, answers, find_file(folder, NQ_PASSAGES))


def read_xor_questions(folder: Path) -> tuple[list[Query], dict[str, list[str]]]:
    """Read questions with an answer other than yes and no, and these answers."""
    path = find_file(folder, XOR_FILE)
    answers = {name: [a for a in texts if a not in ("yes", "no")] for name, texts in read_xor_answers(path).items()}
    queries = []
    for number, record in read_json_lines(path):
        if answers[record["id"]]:
            if not isinstance(record.get("question"), str) or not isinstance(record.get("lang"), str):
                raise bad_line(path, number, "a question needs `question` and `lang`")
            # Some published language codes have blanks around them.
            language = said_canonical(record["lang"].strip(), str(path))
            queries.append(Query(record["id"], language, record["question"]))
    return queries, {query.query_id: answers[query.query_id] for query in queries}


def read_nq_questions(folder: Path) -> tuple[list[Query], dict[str, list[str]]]:
    """Read questions, named by their position, and their answers."""
    rows = list(read_nq_rows(find_file(folder, NQ_FILE)))
    queries = [Query(f"nq-{number}", "en", question) for number, (question, _) in enumerate(rows)]
    return queries, {query.query_id: answers for query, (_, answers) in zip(queries, rows, strict=True)}


def read_passages(path: Path) -> Iterator[Passage]:
    """Yield passages of DPR's files, one at a time.

    Raises:
        BadInput: a line that has not three columns.
    """
    for _, (passage_id, text, title) in read_table(path, 3):
        if passage_id != "id":
            yield Passage(passage_id, "en", text, title)


def _draft(queries: list[Query], answers: dict[str, list[str]], path: Path) -> Draft:
    names = [query.query_id for query in queries]
    return Draft(queries, [], {"en": partial(read_passages, path)}, [Pool("pool.en", None, "en")], names, answers)
