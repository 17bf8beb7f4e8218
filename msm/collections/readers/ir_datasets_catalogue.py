"""`ir_datasets:ID`: a data set of ir_datasets' catalogue, such as `beir/scifact/test`, read by that library.

The library is in the extra `hub`. The folder of the data is its home (`IR_DATASETS_HOME`): what is not there is
downloaded to it first. Texts are in the languages that the catalogue says. A title is kept apart where a document has
one; of other documents, and of queries, the text is what the library takes for it. Queries without a judgement are left
out.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from msm.collections.collection import MULTILINGUAL, Draft
from msm.collections.readers.passage_records import UNKNOWN_LANGUAGE
from msm.collections.records import Passage, Qrel, Query
from msm.corpora.codes import canonical
from msm.errors import BadInput
from msm.imports import needed_package

PACKAGE, HOME = "ir_datasets", "IR_DATASETS_HOME"
NEEDED = ("docs", "queries", "qrels")


def fetch(name: str, folder: Path) -> None:
    """Download what the folder lacks.

    Raises:
        BadInput: the library is not installed or does not know the data set, or a download fails.
    """
    data_set = _find(name, folder)
    for kind in NEEDED:
        next(_records(name, data_set, kind), None)


def read(name: str, folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read documents, queries and judgements of a data set.

    Args:
        name: name in the catalogue.
        folder: home of the library.
        languages: languages of the queries that are kept; all where none is named.

    Raises:
        BadInput: the library is not installed or does not know the data set, or a download fails.
    """
    data_set = _find(name, folder)
    asked_in = _language(data_set.queries_lang())
    if languages and asked_in not in languages:
        raise BadInput(f"ir_datasets:{name}: its queries are in {asked_in}, not {', '.join(languages)}")
    qrels = [Qrel(row.query_id, row.doc_id, int(row.relevance)) for row in _records(name, data_set, "qrels")]
    judged_ids = {qrel.query_id for qrel in qrels}
    queries = [Query(row.query_id, asked_in, row.default_text()) for row in _records(name, data_set, "queries")]
    asked_queries = [query for query in queries if query.query_id in judged_ids]
    return Draft(asked_queries, qrels, {None: partial(_passages, name, data_set)}, [MULTILINGUAL])


def _find(name: str, folder: Path) -> Any:
    library = _library(folder)
    try:
        data_set = library.load(name)
    except KeyError as error:
        raise BadInput(f"ir_datasets:{name}: not in the catalogue (ir-datasets.com)") from error
    if absent_kinds := [kind for kind in NEEDED if not getattr(data_set, f"has_{kind}")()]:
        raise BadInput(f"ir_datasets:{name}: it has no {absent_kinds[0]}; a name below it may, such as {name}/test")
    return data_set


def _library(folder: Path) -> ModuleType:
    """Return the library with the folder as its home, which it reads once."""
    home = str(folder.resolve())
    if PACKAGE not in sys.modules:
        os.environ[HOME] = home
    elif os.environ.get(HOME) != home:
        raise BadInput(
            f"{folder}: {PACKAGE} keeps its files in {os.environ.get(HOME)} already; take a process for each"
        )
    return needed_package(PACKAGE, "hub")


def _records(name: str, data_set: Any, kind: str) -> Iterator[Any]:
    try:
        yield from getattr(data_set, f"{kind}_iter")()
    except Exception as error:
        problem = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"ir_datasets:{name}: {kind}: {problem[:300]}") from error


def _passages(name: str, data_set: Any) -> Iterator[Passage]:
    language = _language(data_set.docs_lang())
    for document in _records(name, data_set, "docs"):
        title = getattr(document, "title", "") or ""
        text = document.text if title and hasattr(document, "text") else document.default_text()
        yield Passage(document.doc_id, language, text.strip(), title.strip())


def _language(code: str | None) -> str:
    return canonical(code) if code else UNKNOWN_LANGUAGE
