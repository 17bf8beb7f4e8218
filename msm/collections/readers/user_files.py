"""Collections of one's own: BEIR layout, TREC files, SQuAD JSON. All candidates form one pool.

SQuAD files of several languages are also searched each by itself.

| name | files |
|---|---|
| `beir` | `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`), `qrels/test.tsv` or the only one there |
| `trec` | one `topics*.tsv`, one `qrels*`, `collection*` or `docs*` (`.tsv` or `.jsonl`) |
| `squad` | `LANG.json` or `LANG.SPLIT.json`; candidates are the paragraphs, relevant is the one that a question was asked about; the questions of `LANG.train.json` are not asked, its paragraphs are candidates |

Records may name their language in `language` or `lang`; without it, it is `und`. Queries without judgements are left
out, as in BEIR.
"""  # noqa: E501

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msm.collections.collection import Collection, Pool
from msm.collections.passages import Read
from msm.collections.readers.squad import read_squad
from msm.collections.readers.trec import assemble, read_passages, read_qrel_rows, read_topics
from msm.collections.records import Passage, Qrel, Query
from msm.collections.text_lines import read_lines
from msm.errors import BadInput, bad_line
from msm.files import read_json_lines

MEASURES = ("ndcg@10", "mrr@100", "recall@100")
UNKNOWN_LANGUAGE = "und"
TRAINING = "train"
"""Split whose questions are not asked."""
_ALL = [Pool("multilingual", None, None)]


def read_beir(folder: Path) -> Collection:
    """A collection in BEIR's layout.

    Raises:
        BadInput: a file is missing or malformed, or a judged query or relevant passage is not there.
    """
    qrels = _beir_qrels(_qrels_file(folder / "qrels"))
    judged = {qrel.query_id for qrel in qrels}
    queries = [
        Query(_id(record, where), _language(record), _text(record, "text", where))
        for where, record in _records(folder, "queries.jsonl")
        if str(record.get("_id")) in judged
    ]
    return _assembled(folder, queries, {None: partial(_beir_passages, folder)}, qrels, _ALL)


def read_trec(folder: Path) -> Collection:
    """A collection in TREC files.

    Raises:
        BadInput: a file is missing, not the only one, or malformed.
    """
    qrels = read_qrel_rows(_only(folder, "qrels*"))
    judged = {qrel.query_id for qrel in qrels}
    topics = read_topics(_only(folder, "topic*"), UNKNOWN_LANGUAGE)
    files = sorted([*folder.glob("collection*.*"), *folder.glob("docs*.*")])
    if not files:
        raise BadInput(f"{folder}: no collection*.tsv or .jsonl, docs*.tsv or .jsonl here")
    queries = [query for query in topics if query.query_id in judged]
    return _assembled(folder, queries, {None: partial(read_passages, files, UNKNOWN_LANGUAGE)}, qrels, _ALL)


def read_squad_folder(folder: Path) -> Collection:
    """Questions of SQuAD JSON and their paragraphs; equal paragraphs of a language are one candidate.

    Raises:
        BadInput: no or malformed files.
    """
    queries: list[Query] = []
    qrels: list[Qrel] = []
    clusters: list[str] = []
    passages: dict[str, dict[str, Passage]] = {}
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.json.gz")]):
        language, *split = path.name.removesuffix(".gz").removesuffix(".json").split(".")
        own = passages.setdefault(language, {})
        for paragraph in read_squad(path, language):
            passage_id = f"{language}-{paragraph.paragraph_id}"
            own[passage_id] = Passage(passage_id, language, paragraph.context, paragraph.title)
            for question in paragraph.questions if split != [TRAINING] else []:
                queries.append(Query(f"{language}-{question.question_id}", language, question.text))
                qrels.append(Qrel(queries[-1].query_id, passage_id, 1))
                clusters.append(passage_id)
    if not queries:
        raise BadInput(f"{folder}: no questions here (LANG.json or LANG.json.gz)")
    asked = sorted({query.language for query in queries})
    pools = _ALL + [Pool(f"pool.{language}", language, language) for language in asked if len(passages) > 1]
    parts = {language: own.values for language, own in passages.items()}
    return _assembled(folder, queries, parts, qrels, pools, clusters)


def _beir_passages(folder: Path) -> Iterator[Passage]:
    for where, record in _records(folder, "corpus.jsonl"):
        text, title = _text(record, "text", where), str(record.get("title") or "")
        yield Passage(_id(record, where), _language(record), text, title)


def _assembled(
    folder: Path,
    queries: list[Query],
    passages: Mapping[str | None, Read],
    qrels: list[Qrel],
    pools: list[Pool],
    clusters: Sequence[str] = (),
) -> Collection:
    try:
        return assemble(queries, passages, qrels, pools, clusters)
    except BadInput as error:
        raise BadInput(f"{folder}: {error}") from error


def _qrels_file(folder: Path) -> Path:
    files = sorted([*folder.glob("*.tsv"), *folder.glob("*.tsv.gz")])
    tests = [path for path in files if path.name.startswith("test.tsv")]
    if len(files) != 1 and len(tests) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise BadInput(f"{folder}: expected test.tsv or one file of judgements, found {names}")
    return (tests or files)[0]


def _beir_qrels(path: Path) -> list[Qrel]:
    """Lines of `query-id corpus-id score` with tabs, below a header."""
    rows: dict[tuple[str, str], Qrel] = {}
    for number, line in read_lines(path):
        columns = line.split("\t")
        if not line.strip() or (number == 1 and columns[0] == "query-id"):
            continue
        if len(columns) != 3 or not columns[2].strip().lstrip("-").isdigit():
            raise bad_line(path, number, f"expected query, passage and a whole label with tabs, got {line[:60]!r}")
        qrel = Qrel(columns[0], columns[1], int(columns[2]))
        if rows.setdefault((qrel.query_id, qrel.passage_id), qrel) != qrel:
            raise bad_line(path, number, f"query {columns[0]}, passage {columns[1]}: with two labels")
    if not rows:
        raise BadInput(f"{path}: no judgement")
    return list(rows.values())


def _records(folder: Path, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    path = folder / name if (folder / name).is_file() else folder / f"{name}.gz"
    return ((f"{path}:{number}", record) for number, record in read_json_lines(path))


def _id(record: dict[str, Any], where: str) -> str:
    if not isinstance(record.get("_id"), (str, int)) or record["_id"] == "":
        raise BadInput(f"{where}: no `_id`")
    return str(record["_id"])


def _text(record: dict[str, Any], name: str, where: str) -> str:
    if not isinstance(record.get(name), str):
        raise BadInput(f"{where}: field {name!r} must be text, got {record.get(name)!r}")
    return record[name]


def _language(record: dict[str, Any]) -> str:
    return str(record.get("language") or record.get("lang") or UNKNOWN_LANGUAGE)


def _only(folder: Path, pattern: str) -> Path:
    files = [path for path in sorted(folder.glob(pattern)) if path.is_file()]
    if len(files) != 1:
        raise BadInput(f"{folder}: expected one file {pattern}, found {', '.join(p.name for p in files) or 'none'}")
    return files[0]
