"""Turns a JSON record into an example, for each published format."""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msm.collections.readers.mewsli_x_texts import entity_text, mention_text
from msm.collections.records import Example, Passage, Query, text_id
from msm.corpora.codes import canonical
from msm.corpora.sentences import split
from msm.errors import BadInput, bad_line
from msm.files import HALF_CHARACTER, holds_half_character, open_text, plain_name

Row = dict[str, Any]
Reader = Callable[[Row, str], Example | None]
CHUNK = 1 << 20
LONGEST = 1 << 26
"""Number of characters after which a record that does not parse is refused."""
BETWEEN = re.compile(r"[ \t\r\n,]*")


def find_reader(row: Row, path: Path, number: int) -> Reader:
    """Return the reader of a file, by the fields of its first record.

    Raises:
        BadInput: no known format has these fields.
    """
    for field, reader in READERS.items():
        if field in row:
            return reader
    raise bad_line(path, number, f"fields of no known training format: {', '.join(sorted(row)) or 'none'}")


def read_dpr(path: Path, language: str, other_negatives: int = 0) -> Iterator[Example]:
    """Yield the examples of a DPR file, which is one list; it is never held in memory as a whole.

    Args:
        path: file.
        language: language of its texts.
        other_negatives: largest number of passages of `negative_ctxs` that an example holds beside its hard negatives.

    Raises:
        BadInput: not JSON, or a record of another form; the message says which, from 0.
    """
    for number, row in enumerate(_list_items(path)):
        example = read_row(row, language, dpr_example, f"{path}: record {number}")
        if example is not None:
            yield example._replace(
                query=example.query._replace(query_id=str(row.get("q_id", f"{plain_name(path)}:{number}"))),
                other_negatives=_other_negatives(row, example, language, other_negatives),
            )


def read_row(row: Row, language: str, reader: Reader, where: str) -> Example | None:
    """Return what a reader makes of a record, with every text checked to be a text that is not empty.

    Args:
        row: the record.
        language: language of its texts.
        reader: reader of its format.
        where: position of the record, for messages.

    Raises:
        BadInput: a record of another form.
    """
    try:
        example = reader(row, language)
        for name, text in _texts(example) if example else ():
            if not isinstance(text, str):
                raise TypeError(f"{name} must be text, got {text!r}")
            if not text.strip():
                raise ValueError(f"empty {name}")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        kind = reader.__name__.removesuffix("_example")
        problem = f"no {error}" if isinstance(error, KeyError) else error
        raise BadInput(f"{where}: not a record of kind {kind}: {problem}") from error
    return example


def _texts(example: Example) -> Iterator[tuple[str, Any]]:
    """Yield every text of an example, and its role; of a negative, the title will do."""
    yield "question", example.query.text
    yield "positive passage", example.positive.text
    for negative in example.negatives:
        yield "negative passage", negative.text or negative.title
    for answer in example.answers:
        yield "answer", answer


def _list_items(path: Path) -> Iterator[Any]:
    decoder, number, commas = json.JSONDecoder(), 0, 0
    with open_text(path) as file:
        buffer = file.read(CHUNK)
        position = buffer.index("[") + 1
        while True:
            between = BETWEEN.match(buffer, position)
            assert between
            commas, position = commas + between.group().count(","), between.end()
            if buffer.startswith("]", position):
                if commas or (buffer[position + 1 :] + file.read(CHUNK)).strip():
                    raise BadInput(f"{path}: not JSON: the list does not end behind record {number - 1}")
                return
            try:
                item, position = decoder.raw_decode(buffer, position)
            except json.JSONDecodeError as error:
                more = file.read(max(CHUNK, len(buffer))) if len(buffer) - position < LONGEST else ""
                if not more:
                    raise BadInput(f"{path}: record {number}: not JSON: {error.msg}") from error
                buffer, position = buffer[position:] + more, 0
                continue
            if commas != min(number, 1):
                raise BadInput(f"{path}: record {number}: not JSON: {commas} commas before it")
            if holds_half_character(item, buffer):
                raise BadInput(f"{path}: record {number}: {HALF_CHARACTER}")
            yield item
            number, commas = number + 1, 0


def dpr_example(row: Row, language: str) -> Example | None:
    """Read a record of DPR. Without a positive it is passed over; easy negatives stand in for missing hard ones."""
    positives = [_dpr_passage(passage, language) for passage in row["positive_ctxs"]]
    if not positives:
        return None
    negatives = row.get("hard_negative_ctxs") or row.get("negative_ctxs") or []
    query_id = row["q_id"] if "q_id" in row else text_id(row["question"])
    query = Query(str(query_id), language, row["question"])
    return _example(query, positives, [_dpr_passage(passage, language) for passage in negatives], row.get("answers"))


def _other_negatives(row: Row, example: Example, language: str, count: int) -> list[Passage]:
    passages = [_dpr_passage(passage, language) for passage in (row.get("negative_ctxs") or [])[:count]]
    right = {example.positive.passage_id, *example.others}
    return [passage for passage in passages if passage.passage_id not in right]


def _dpr_passage(row: Row, language: str) -> Passage:
    title, text = row.get("title") or "", row["text"]
    passage_id = row.get("passage_id") or row.get("psg_id") or text_id(f"{title}\n{text}")
    return Passage(str(passage_id), language, text, title, text)


def tevatron_example(row: Row, language: str) -> Example:
    """Read a record of Tevatron or of Mr. TyDi."""
    positives, negatives = (
        [
            Passage(str(passage["docid"]), language, passage["text"], passage.get("title") or "", passage["text"])
            for passage in row.get(kind) or []
        ]
        for kind in ("positive_passages", "negative_passages")
    )
    if not positives:
        raise ValueError("no positive passage")
    if not any(f"{passage.title}{passage.text}".strip() for passage in positives):
        raise ValueError(
            "its positive passages are ids without a text, as in the dev file of Mr. TyDi; name the folder of the "
            "collection instead"
        )
    return _example(Query(str(row["query_id"]), language, row["query"]), positives, negatives, row.get("answers"))


def flag_example(row: Row, language: str) -> Example:
    """Read a record of FlagEmbedding: `query`, `pos`, `neg`, lists of texts; ids are those of the texts."""
    positives, negatives = (
        [Passage(text_id(text), language, text, "", text) for text in row.get(kind) or []] for kind in ("pos", "neg")
    )
    if not positives:
        raise ValueError("no positive passage")
    return _example(Query(text_id(row["query"]), language, row["query"]), positives, negatives, None)


def pair_example(row: Row, language: str) -> Example:
    """Read a record of sentence-transformers: `anchor` or `query`, `positive`, and any number of negatives.

    Negatives stand in `negative`, a text or a list of texts, or in `negative_1`, `negative_2` and so on.
    """
    question = row["anchor"] if "anchor" in row else row["query"]
    values = [value for name, value in row.items() if re.fullmatch(r"negative(_\d+)?", name)]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    positive, *negatives = (Passage(text_id(text), language, text, "", text) for text in (row["positive"], *texts))
    return _example(Query(text_id(question), language, question), [positive], negatives, None)


def _example(query: Query, positives: list[Passage], negatives: list[Passage], answers: Any) -> Example:
    right = {passage.passage_id for passage in positives}
    texts = {(passage.title, passage.text) for passage in positives}
    others = tuple(dict.fromkeys(passage.passage_id for passage in positives[1:]))
    # The same text under another id is as right as the positive.
    wrong_passages = [
        passage
        for passage in negatives
        if passage.passage_id not in right and (passage.title, passage.text) not in texts
    ]
    if not isinstance(answers or [], list):
        raise TypeError(f"answers must be a list, got {answers!r}")
    return Example(query, positives[0], wrong_passages, others, tuple(answers or ()))


def mewsli_example(row: Row, language: str) -> Example:
    """Read a Mewsli-X pair; both texts bear their own language."""
    del language
    mention, entity = row["contextual_mention"], row["entity"]
    query_id, query_language = mention["mention"]["example_id"], mention["context"]["language"]
    query = Query(str(query_id), canonical(query_language), mention_text(mention))
    text = entity_text(entity)
    passage = Passage(str(entity["entity_id"]), canonical(entity["description_language"]), text, entity["title"], text)
    return Example(query, passage, [])


def iapp_example(row: Row, language: str) -> Example:
    """Read a record of Thai iapp, SQuAD's fields in one flat record; the positive holds the start of the answer."""
    text, answers = row["context"], row["answers"]
    answer = answers["answer_start"][0]
    if not 0 <= answer < len(text):
        raise ValueError(f"answer_start outside the text ({len(text)}): {answer}")
    sentences = split(text, language)
    # The splitter changes blanks only.
    ends, total = [], 0
    for sentence in sentences:
        total += sum(not character.isspace() for character in sentence)
        ends.append(total)
    before = sum(not character.isspace() for character in text[:answer])
    number = min(bisect_right(ends, before), len(sentences) - 1)
    passage = Passage(f"{text_id(text)}/{number}", language, sentences[number], row["title"], text)
    return Example(
        Query(row["question_id"], language, row["question"].strip()), passage, [], (), tuple(answers["text"])
    )


def qed_example(row: Row, language: str) -> Example | None:
    """Read a record of Natural Questions with QED's sentences; rows without a usable offset are passed over.

    Some rows have an offset outside the text or no sentence offsets: nothing says which sentence answers.
    """
    text, starts = row["paragraph_text"], row["sentence_starts"]
    query = Query(str(row["example_id"]), language, row["question_text"])
    # The published development file nests the answer, the compact training file does not.
    span = row["answer_spans"][0] if "answer_spans" in row else _nested_span(row)
    if not (0 <= span[0] < len(text) and starts):
        return None
    number = max(0, bisect_right(starts, span[0]) - 1)
    start, end = (*starts, len(text))[number : number + 2]
    title = str(row.get("title_text", ""))
    passage = Passage(f"{text_id(text)}/{number}", language, text[start:end].strip(), title, text)
    return Example(query, passage, [], (), tuple(filter(None, [text[span[0] : span[1]]])))


def _nested_span(row: Row) -> tuple[int, int]:
    answer = row["original_nq_answers"][0][0]
    return answer["start"], answer["end"]


def translation_example(row: Row, language: str) -> Example:
    """Read a record `language`, `text`, `english`: the text asks for its English translation."""
    del language
    query = Query(text_id(f"{row['language']}\n{row['text']}"), canonical(row["language"]), row["text"].strip())
    english = row["english"].strip()
    return Example(query, Passage(text_id(english), "en", english, "", english), [])


def mined_example(row: Row, language: str) -> Example:
    """Read a record that `msm mine` wrote; see `mined_row`."""
    del language
    return Example(
        Query(*row["mined_query"]),
        Passage(*row["positive"]),
        [Passage(*negative) for negative in row["negatives"]],
        tuple(row["others"]),
        tuple(row["answers"]),
    )


def mined_row(example: Example) -> Row:
    """Return an example as a JSON record that loses nothing."""
    return {
        "mined_query": list(example.query),
        "positive": list(example.positive),
        "negatives": [list(negative) for negative in example.negatives],
        "others": list(example.others),
        "answers": list(example.answers),
    }


READERS: dict[str, Reader] = {
    "mined_query": mined_example,
    "contextual_mention": mewsli_example,
    "positive_passages": tevatron_example,
    "positive_ctxs": dpr_example,
    "paragraph_text": qed_example,
    "article_id": iapp_example,
    "english": translation_example,
    "pos": flag_example,
    "positive": pair_example,
}
"""Field that no format above has, to the reader of its format."""
