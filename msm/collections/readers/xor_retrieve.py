"""XOR-Retrieve: 2,110 questions in `xor_dev_retrieve_eng_span_v1_1.jsonl`, passages in `enwiki_20190201_w100.tsv`.

The passages are in DPR's format. No passage is judged: right is what holds an answer. Questions with no answer but
yes and no are left out. Files may be compressed.

Source: arXiv:2010.11856.
"""

from collections.abc import Sequence
from pathlib import Path

from msm.collections.collection import Draft
from msm.collections.layout import find_file
from msm.collections.readers import wikipedia_passages
from msm.collections.readers.answer_files import read_xor_answers
from msm.collections.records import Query
from msm.corpora.codes import said_canonical
from msm.errors import bad_line
from msm.files import read_json_lines

FILE, PASSAGES = "xor_dev_retrieve_eng_span_v1_1.jsonl", "enwiki_20190201_w100.tsv"


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions and passages.

    Raises:
        BadInput: a file is missing or malformed.
    """
    queries, answers = read_questions(folder)
    asked_queries = [query for query in queries if not languages or query.language in languages]
    return wikipedia_passages.draft(asked_queries, answers, find_file(folder, PASSAGES))


def read_questions(folder: Path) -> tuple[list[Query], dict[str, list[str]]]:
    """Read questions with an answer other than yes and no, and these answers."""
    path = find_file(folder, FILE)
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
