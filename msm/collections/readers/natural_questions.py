"""Natural Questions in DPR's files: `nq-test.qa.csv` has 3,610 questions, `psgs_w100.tsv` 21,015,324 passages.

No passage is judged: right is what holds an answer. Files may be compressed.

Source: DPR, arXiv:2004.04906.
"""

from collections.abc import Sequence
from pathlib import Path

from msm.collections.collection import Draft
from msm.collections.layout import find_file
from msm.collections.readers import wikipedia_passages
from msm.collections.readers.answer_files import read_nq_rows
from msm.collections.records import Query

FILE = "nq-test.qa.csv"


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions and passages, which are in English.

    Raises:
        BadInput: a file is missing or malformed.
    """
    del languages
    queries, answers = read_questions(folder)
    return wikipedia_passages.draft(queries, answers, find_file(folder, wikipedia_passages.FILE))


def read_questions(folder: Path) -> tuple[list[Query], dict[str, list[str]]]:
    """Read questions, named by their position, and their answers."""
    rows = list(read_nq_rows(find_file(folder, FILE)))
    queries = [Query(f"nq-{number}", "en", question) for number, (question, _) in enumerate(rows)]
    return queries, {query.query_id: answers for query, (_, answers) in zip(queries, rows, strict=True)}
