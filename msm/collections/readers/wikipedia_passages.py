"""English Wikipedia in passages of 100 words, in DPR's files: `id`, `text`, `title` with tabs between, and a header.

No passage is judged: right is what holds an answer string. Files may be compressed.

Source: DPR, arXiv:2004.04906.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import Draft, Pool
from msm.collections.records import Passage, Query
from msm.collections.text_lines import read_table

FILE = "psgs_w100.tsv"
"""Name of DPR's file, on which Natural Questions and MKQA are asked."""


def read_passages(path: Path) -> Iterator[Passage]:
    """Yield passages, one at a time.

    Raises:
        BadInput: a line that has not three columns.
    """
    for _, (passage_id, text, title) in read_table(path, 3):
        if passage_id != "id":
            yield Passage(passage_id, "en", text, title)


def draft(queries: Sequence[Query], answers: Mapping[str, list[str]], path: Path) -> Draft:
    """Return questions with answer strings, each a question of its own, on the passages of a file.

    Args:
        queries: questions.
        answers: query id to the answer strings.
        path: file of the passages.
    """
    names = [query.query_id for query in queries]
    pools = [Pool("pool.en", None, "en")]
    return Draft([*queries], [], {"en": partial(read_passages, path)}, pools, names, dict(answers))
