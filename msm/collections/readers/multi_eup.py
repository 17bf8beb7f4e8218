"""Multi-EuP in its published table: `MultiEuP.csv`, or `clean_all_with_did_qid.MEP.csv` of its second version.

A row is a speech in the European Parliament: `did` names it, `LANGUAGE` is its language (`EN`), `TEXT` what was said.
The title of its debate stands in 24 languages, `title_EN` and so on, each with an id, `qid_EN`; where a debate has no
title in a language (Irish, in most cases) they are empty, `null` or a number. A title is a query in its language, and
relevant are the speeches of its debate. The title is not part of the passage: it is the query.

Sources: arXiv:2311.01870; the cards of huggingface.co/datasets/unimelb-nlp/Multi-EuP (commit 108b681) and MultiEup-v2;
the authors' scripts (github.com/jrnlp/Multi-EuP, `runs/`): one index of all languages and one of each, and
`trec_eval -c -M 100`, which is mrr@100. For single languages they read a `test` split that is not published; here all
rows are searched.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import MULTILINGUAL, Draft, Pool
from msm.collections.layout import find_file
from msm.collections.passages import Read
from msm.collections.records import Passage, Qrel, Query
from msm.collections.text_lines import read_records
from msm.corpora.codes import canonical, said_canonical
from msm.errors import BadInput

FILES = ("MultiEuP.csv", "clean_all_with_did_qid.MEP.csv")
COLUMNS = ("did", "LANGUAGE", "TEXT")
TITLE = re.compile(r"title_([A-Z]{2})")
NO_TITLE = re.compile(r"\s*|null|nan|[0-9.]+", re.IGNORECASE)


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read titles of debates on the speeches of all languages in one pool, and on those of their own language.

    Args:
        folder: folder of the table.
        languages: languages of queries and speeches; all where none is named.

    Raises:
        BadInput: the table is missing or malformed.
    """
    path = find_file(folder, *FILES, deep=True)
    queries: dict[str, Query] = {}
    debates: dict[str, str] = {}
    qrels: dict[Qrel, None] = {}
    speeches: dict[str, list[Passage]] = {}
    for _, row in read_records(path, COLUMNS):
        language = said_canonical(row["LANGUAGE"].lower(), str(path))
        if languages and language not in languages:
            continue
        speeches.setdefault(language, []).append(Passage(row["did"], language, row["TEXT"]))
        for query, debate in _titles(row):
            if not languages or query.language in languages:
                queries.setdefault(query.query_id, query)
                debates.setdefault(query.query_id, debate)
                qrels[Qrel(query.query_id, row["did"], 1)] = None
    if not queries:
        raise BadInput(f"{path}: no title of a debate")
    speech_languages = sorted(speeches)
    query_languages = {query.language for query in queries.values()}
    pools = [
        MULTILINGUAL,
        *(Pool(f"pool.{language}", language, language) for language in speech_languages if language in query_languages),
    ]
    parts: dict[str | None, Read] = {language: partial(iter, speeches[language]) for language in speech_languages}
    names = [debates[name] for name in queries]
    return Draft(list(queries.values()), list(qrels), parts, pools, names, clusters=names)


def _titles(row: dict[str, str]) -> Iterator[tuple[Query, str]]:
    """Return the title of the debate in each language, and the name of the debate: its first id."""
    debate = ""
    for column, title in row.items():
        match = TITLE.fullmatch(column)
        name = row.get(f"qid_{match[1]}", "") if match else ""
        if match and not NO_TITLE.fullmatch(title) and name not in ("", "null"):
            language = canonical(match[1].lower())
            debate = debate or f"{language}-{name}"
            yield Query(f"{language}-{name}", language, title.strip()), debate
