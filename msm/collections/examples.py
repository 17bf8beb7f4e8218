"""Reads training data of any usual form, files and folders, as examples.

What a file is, is read off its name and its first record:

| file | kind |
|---|---|
| `.json`, an object | SQuAD; `sentence_breaks` are used where it has them |
| `.json`, a list | DPR: `question`, `positive_ctxs`, `hard_negative_ctxs` (NQ, XOR-Retrieve's) |
| `.jsonl` | by its fields: Tevatron, Mr. TyDi, DPR, FlagEmbedding, sentence-transformers, QED, iapp, Mewsli-X, translations, `msm mine` |
| `.tsv` | `query`, `positive` and any number of negatives, with tabs |
| folder with `triples*.tsv` | ids, beside `queries*.tsv` and `collection*.tsv` (mMARCO: `LANG_collection.tsv`) |
| folder of a collection | Tevatron 2; BEIR's `train` split; Mr. TyDi's or MIRACL's training questions, with judged negatives |
| folder with `src-*.txt` | sentences; the questions in `tgt-*.txt` |
| other folder | SQuAD, `LANG.json` |
"""  # noqa: E501

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from msm.collections.collection import Draft
from msm.collections.layout import find_file, find_files, only, refuse_same_names
from msm.collections.readers import beir, miracl, mr_tydi, ms_marco, records_json, tevatron_ids
from msm.collections.readers.squad import language_files, read_squad
from msm.collections.records import Example, Passage, Query, text_id
from msm.collections.text_lines import read_lines
from msm.corpora.codes import said_canonical
from msm.errors import BadInput, bad_line
from msm.files import NO_TEXT, OPENERS, open_text, plain_name, read_json_lines, within

ALL = "all"
NAMED = re.compile(r"([a-z]{2,3})=(.+)")


def read_examples(
    sources: Path, names: Sequence[str], language: str, unit: str = "sentence", other_negatives: int = 0
) -> list[Example]:
    """Read the examples of all files, in order.

    Args:
        sources: folder of the sources.
        names: files or folders below it; `LANG=NAME` for one whose texts are in another language, `all=FOLDER` for
            every `LANG.json` of a folder.
        language: language of the questions of all other files, and of those read from a folder with several languages.
        unit: `sentence` or `paragraph`: the passage that answers a question of a SQuAD file.
        other_negatives: largest number of DPR's `negative_ctxs` that an example holds beside its hard negatives.

    Raises:
        BadInput: a file is missing, malformed, of unknown kind or without an example.
    """
    examples = [example for part in read_data_sets(sources, names, language, unit, other_negatives) for example in part]
    if not examples:
        raise BadInput(f"{sources}: no training example in {', '.join(names) or 'nothing'}")
    return examples


def read_data_sets(
    sources: Path, names: Sequence[str], language: str, unit: str = "sentence", other_negatives: int = 0
) -> list[list[Example]]:
    """Read the examples by data set; names that differ only in their `LANG=` are one data set."""
    data_sets: dict[str, list[Example]] = {}
    for name in names:
        match = NAMED.fullmatch(name)
        file_language, file = match.groups() if match else (language, name)
        path = find(sources, file)
        file_language = file_language if file_language == ALL else said_canonical(file_language, name)
        languages = language_files(path) if file_language == ALL else [file_language]
        try:
            examples = [
                example for text_language in languages for example in _read(path, text_language, unit, other_negatives)
            ]
        except NO_TEXT as error:
            raise BadInput(f"{path}: {error}") from error
        if not examples:
            raise BadInput(f"{sources / file}: no training example")
        data_sets.setdefault(file, []).extend(examples)
    return [_with_others(examples) for examples in data_sets.values()]


def _with_others(examples: list[Example]) -> list[Example]:
    """Give examples of one question, in several languages or on several lines, each other's positives."""
    right: dict[str, dict[str, None]] = {}
    for example in examples:
        right.setdefault(example.query.query_id, {})[example.positive.passage_id] = None
    return [_joined(example, right[example.query.query_id]) for example in examples]


def _joined(example: Example, right: Iterable[str]) -> Example:
    others = dict.fromkeys((*example.others, *right))
    others.pop(example.positive.passage_id, None)
    return example._replace(others=tuple(others))


def find(sources: Path, name: str) -> Path:
    """Return a file or folder below the sources, plain or compressed.

    Raises:
        BadInput: there is no such file, or there are several.
    """
    plain = within(sources, name)
    paths = [
        path for path in (plain, *(plain.with_name(f"{plain.name}{ending}") for ending in OPENERS)) if path.exists()
    ]
    if not paths:
        raise BadInput(f"{sources / name}: no such file among the sources")
    return only(paths)


def _read(path: Path, language: str, unit: str, other_negatives: int) -> Iterable[Example]:
    kind = plain_name(path)
    if path.is_dir():
        return _read_folder(path, language, unit)
    if kind.endswith(".json"):
        return (
            records_json.read_dpr(path, language, other_negatives) if _is_list(path) else _squad(path, language, unit)
        )
    if kind.endswith(".jsonl"):
        return _json_lines(path, language)
    if kind.endswith(".tsv"):
        return ms_marco.read_texts(path, language)
    raise BadInput(f"{path}: examples are read from .json, .jsonl, .tsv and folders")


def _read_folder(path: Path, language: str, unit: str) -> Iterator[Example]:
    if draft := _collection(path, language):
        yield from draft_examples(draft)
    elif find_files(path, "triples*.tsv"):
        yield from ms_marco.read_ids(path, language)
    elif sources := find_files(path, "src-*.txt"):
        refuse_same_names(sources)
        for source in sources:
            target = find_file(path, plain_name(source).replace("src-", "tgt-", 1))
            yield from _sentence_pairs(source, target, language)
    else:
        yield from _squad(language_files(path, [language])[language], language, unit)


def _collection(path: Path, language: str) -> Draft | None:
    """Return the training questions of a folder in a collection's layout; None where it has another."""
    if tevatron_ids.holds(path):
        return tevatron_ids.read(path, language=language)
    if find_files(path, "corpus.jsonl"):
        return beir.read(path, split="train")
    if find_files(path, "topic.train.tsv", f"topics.mrtydi-v1.1-{language}.train.txt"):
        return mr_tydi.read(path.parent, [mr_tydi.language_of(path)], "train")
    if find_files(path, f"topics.miracl-v1.0-{language}-train.tsv", deep=True):
        return miracl.read(path, [language], "train")
    return None


def draft_examples(draft: Draft) -> Iterator[Example]:
    """Yield examples of a collection: a question, a relevant passage, and passages that are judged not to be.

    The passages are read once; those that nobody judged are not held.
    """
    judged_ids = {qrel.passage_id for qrel in draft.qrels}
    texts = {
        passage.passage_id: passage._replace(context=passage.context or passage.text)
        for read_part in draft.passages.values()
        for passage in read_part()
        if passage.passage_id in judged_ids
    }
    judged_passages: dict[str, tuple[list[Passage], list[Passage]]] = {}
    for qrel in draft.qrels:
        if qrel.passage_id in texts:
            right, wrong = judged_passages.setdefault(qrel.query_id, ([], []))
            (right if qrel.label >= 1 else wrong).append(texts[qrel.passage_id])
    for query in draft.queries:
        right, wrong = judged_passages.get(query.query_id, ([], []))
        for passage in right:
            others = tuple(other.passage_id for other in right if other != passage)
            yield Example(query, passage, wrong, others)


def _is_list(path: Path) -> bool:
    with open_text(path) as file:
        return file.read(64).lstrip("\ufeff \t\r\n").startswith("[")


def _json_lines(path: Path, language: str) -> Iterator[Example]:
    reader = None
    for number, row in read_json_lines(path):
        reader = reader or records_json.find_reader(row, path, number)
        if example := records_json.read_row(row, language, reader, f"{path}:{number}"):
            yield example


def _squad(path: Path, language: str, unit: str) -> Iterator[Example]:
    for paragraph in read_squad(path, language):
        title, context = paragraph.title, paragraph.context
        for question in paragraph.questions:
            ids = [f"{paragraph.paragraph_id}/{number}" for number in question.answer_sentences]
            sentence = paragraph.sentences[question.answer_sentence]
            passage = (
                Passage(ids[0], language, sentence, title, context)
                if unit == "sentence"
                else Passage(paragraph.paragraph_id, language, context, title, context)
            )
            others = tuple(ids[1:]) if unit == "sentence" else ()
            query = Query(question.question_id, language, question.text)
            yield Example(query, passage, [], others, question.answers)


def _sentence_pairs(source: Path, target: Path, language: str) -> Iterator[Example]:
    # Where one file is shorter, its next line is as good as empty.
    lines = zip_longest(read_lines(source), read_lines(target), fillvalue=(0, ""))
    for number, ((_, sentence), (_, question)) in enumerate(lines, start=1):
        if not sentence.strip() or not question.strip():
            raise bad_line(source if not sentence.strip() else target, number, "empty line")
        query = Query(f"{plain_name(target)}:{number}", language, question.strip())
        passage = Passage(text_id(sentence), language, sentence.strip(), "", sentence.strip())
        yield Example(query, passage, [])
