"""SQuAD JSON as a collection: `LANG.json` or `LANG.SPLIT.json`; candidates are the paragraphs.

Relevant is the paragraph that a question was asked about; equal paragraphs of a language are one candidate. The
questions of `LANG.train.json` are not asked, its paragraphs are candidates. Several languages are also searched each
by itself.
"""

from collections.abc import Sequence
from pathlib import Path

from msm.collections.collection import MULTILINGUAL, Draft, Pool
from msm.collections.layout import find_files
from msm.collections.passages import Read
from msm.collections.readers.squad import read_squad
from msm.collections.records import Passage, Qrel, Query
from msm.corpora.codes import said_canonical
from msm.errors import BadInput
from msm.files import plain_name

TRAINING = "train"
"""Split whose questions are not asked."""


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read questions of SQuAD JSON on their paragraphs.

    Args:
        folder: folder of the files.
        languages: languages that are read; all that the folder has where none is named.

    Raises:
        BadInput: no or malformed files.
    """
    queries: list[Query] = []
    qrels: list[Qrel] = []
    clusters: list[str] = []
    passages: dict[str, dict[str, Passage]] = {}
    files: dict[tuple[str, ...], Path] = {}
    for path in find_files(folder, "*.json"):
        name, *split = plain_name(path).removesuffix(".json").split(".")
        language = said_canonical(name, str(path))
        if languages and language not in languages:
            continue
        if (first := files.setdefault((language, *split), path)) != path:
            raise BadInput(f"{path}: {language} stands in {first} too; keep one of them")
        language_passages = passages.setdefault(language, {})
        for paragraph in read_squad(path, language):
            passage_id = f"{language}-{paragraph.paragraph_id}"
            language_passages[passage_id] = Passage(passage_id, language, paragraph.context, paragraph.title)
            for question in paragraph.questions if split != [TRAINING] else []:
                queries.append(Query(f"{language}-{question.question_id}", language, question.text))
                qrels.append(Qrel(queries[-1].query_id, passage_id, 1))
                clusters.append(passage_id)
    if not queries:
        raise BadInput(f"{folder}: no questions here (LANG.json, plain or compressed)")
    query_languages = sorted({query.language for query in queries})
    pools = [
        MULTILINGUAL,
        *(Pool(f"pool.{language}", language, language) for language in query_languages if len(passages) > 1),
    ]
    parts: dict[str | None, Read] = {
        language: language_passages.values for language, language_passages in passages.items()
    }
    return Draft(queries, qrels, parts, pools, clusters=clusters)
