"""Training records as a collection: DPR, Tevatron, FlagEmbedding, sentence-transformers, and all that training reads.

Questions with ids of passages, beside a corpus, are Tevatron 2's (`tevatron_ids`). Otherwise every file of the folder
holds records (`.jsonl`, `.json`, `.parquet`); a file that is named `LANG.jsonl` is in that language. The passages are
those of all records, each once; relevant to a question are its positives.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msm.collections.collection import MULTILINGUAL, Draft
from msm.collections.layout import find_files, refuse_same_names
from msm.collections.readers import tevatron_ids
from msm.collections.readers.passage_records import UNKNOWN_LANGUAGE
from msm.collections.readers.records_json import find_reader, read_row
from msm.collections.records import Example, Passage, Qrel, Query
from msm.collections.rows import ENDINGS, read_rows
from msm.corpora.codes import said_canonical
from msm.corpora.languages import code_of
from msm.corpora.languages import languages as known_languages
from msm.errors import BadInput
from msm.files import plain_name

POSITIVES = ("positive_passages", "positive_ctxs", "pos")
"""Fields that hold several positives."""


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions of training records on all their passages.

    Args:
        folder: folder of the files.
        languages: languages of the questions that are kept; all where none is named.

    Raises:
        BadInput: no file, or a record of another form.
    """
    if tevatron_ids.holds(folder):
        return tevatron_ids.read(folder, languages)
    files = find_files(folder, *(f"*{ending}" for ending in ENDINGS), deep=True)
    refuse_same_names(files)
    queries: dict[str, Query] = {}
    passages: dict[str, Passage] = {}
    qrels: dict[Qrel, None] = {}
    for example in (example for path in files for example in _examples(path)):
        for passage in (example.positive, *example.negatives):
            passages.setdefault(passage.passage_id, passage)
        if not languages or example.query.language in languages:
            queries.setdefault(example.query.query_id, example.query)
            qrels[Qrel(example.query.query_id, example.positive.passage_id, 1)] = None
    if not queries:
        raise BadInput(f"{folder}: no training record here ({', '.join(ENDINGS)})")
    return Draft(list(queries.values()), list(qrels), {None: passages.values}, [MULTILINGUAL])


def _examples(path: Path) -> Iterator[Example]:
    """An example for each positive of a record."""
    language, reader = _language(path), None
    for number, (where, row) in enumerate(read_rows(path), start=1):
        reader = reader or find_reader(row, path, number)
        for one_positive in _turned(row):
            if example := read_row(one_positive, language, reader, where):
                yield example


def _turned(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The record with each of its positives as the first one."""
    name = next((name for name in POSITIVES if isinstance(row.get(name), list) and len(row[name]) > 1), None)
    if name is None:
        yield row
        return
    for position in range(len(row[name])):
        yield row | {name: [*row[name][position:], *row[name][:position]]}


def _language(path: Path) -> str:
    name = plain_name(path).partition(".")[0]
    return said_canonical(name, str(path)) if code_of(name) in known_languages() else UNKNOWN_LANGUAGE
