"""Official training formats: small files by hand, real ones where there are any; what is wrong is named."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from msm.collections.examples import read_data_sets, read_examples
from msm.collections.readers import records_json
from msm.collections.records import Example, Passage, Query
from msm.errors import BadInput
from msm.files import write_json_lines
from msm.finetuning.dev import make_dev_set
from tests.finetuning.made import settings


def dpr_record(question: str, **changes: Any) -> dict[str, Any]:
    passages = [{"title": f"T{number}", "text": f"text {number}", "passage_id": str(number)} for number in range(5)]
    record = {
        "question": question,
        "answers": ["a"],
        "positive_ctxs": passages[:2],
        "negative_ctxs": passages[4:],
        "hard_negative_ctxs": passages[2:4],
    }
    return record | changes


def test_dpr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Records longer than what is read at once.
    monkeypatch.setattr(records_json, "CHUNK", 70)
    rows = [
        dpr_record("who?", answers=["a", "b"]),
        dpr_record("nobody?", positive_ctxs=[]),
        dpr_record("hard?", hard_negative_ctxs=[]),
        dpr_record("own?", hard_negative_ctxs=[{"title": "T1", "text": "text 1", "passage_id": "1"}], q_id=7),
    ]
    (tmp_path / "nq.json").write_text("\n" + json.dumps(rows, indent=1))
    examples = read_examples(tmp_path, ["nq.json"], "en")
    assert [example.query.text for example in examples] == ["who?", "hard?", "own?"]
    assert examples[0].positive == Passage("0", "en", "text 0", "T0", "text 0")
    assert [passage.passage_id for passage in examples[0].negatives] == ["2", "3"]
    assert examples[0].others == ("1",)
    assert examples[0].answers == ("a", "b")
    # Easy negatives stand in for missing hard ones; a right passage is no negative.
    assert [passage.passage_id for passage in examples[1].negatives] == ["4"]
    assert examples[2].negatives == []
    assert examples[2].query.query_id == "7"


def test_other_negatives_of_dpr_join_the_development_set_and_not_its_loss(tmp_path: Path) -> None:
    positive = {"title": "T0", "text": "text 0", "passage_id": "0"}
    others = [positive, *({"title": "", "text": f"easy {number}", "passage_id": f"e{number}"} for number in range(3))]
    (tmp_path / "nq.json").write_text(json.dumps([dpr_record("who?", negative_ctxs=others)]))
    assert read_examples(tmp_path, ["nq.json"], "en")[0].other_negatives == []
    (example,) = read_examples(tmp_path, ["nq.json"], "en", other_negatives=3)
    # The first three, without the one that is right.
    assert [passage.passage_id for passage in example.other_negatives] == ["e0", "e1"]
    dev = make_dev_set([example], settings(dev_negatives=1))
    assert [passage.passage_id for passage in dev.passages] == ["0", "2", "e0", "e1"]
    assert dev.positions == {"0": 0, "2": 1, "e0": 2, "e1": 3}
    assert [passage.passage_id for passage in dev.examples[0].negatives] == ["2"]


def test_tevatron_and_mr_tydi(tmp_path: Path) -> None:
    row = {
        "query_id": "1",
        "query": "Je?",
        "positive_passages": [{"docid": "10#0", "title": "Kichwa", "text": "ndiyo"}],
        "negative_passages": [{"docid": "11#2", "title": "", "text": "hapana"}],
    }
    write_json_lines(tmp_path / "train.jsonl.gz", [row])
    assert read_examples(tmp_path, ["sw=train.jsonl"], "en") == [
        Example(
            Query("1", "sw", "Je?"),
            Passage("10#0", "sw", "ndiyo", "Kichwa", "ndiyo"),
            [Passage("11#2", "sw", "hapana", "", "hapana")],
        )
    ]


def test_texts_with_tabs(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("q one\tyes\tno\tnever\nq two\tyes\n")
    first, second = read_examples(tmp_path, ["train.tsv"], "en")
    assert (first.query.text, first.positive.text, [no.text for no in first.negatives]) == (
        "q one",
        "yes",
        ["no", "never"],
    )
    assert second.positive.passage_id == first.positive.passage_id
    assert second.negatives == []


def test_ms_marco_triples_of_ids(tmp_path: Path) -> None:
    (tmp_path / "triples.train.small.tsv").write_text("1\t10\t11\n1\t10\t12\n1\t13\t11\n2\t11\t10\n")
    (tmp_path / "de_queries.train.tsv").write_text("2\tzwei\n1\teins\n3\tdrei\n")
    (tmp_path / "de_collection.tsv").write_text("".join(f"{number}\ttext {number}\n" for number in range(9, 15)))
    examples = read_examples(tmp_path, ["."], "de")
    assert [
        (one.query.text, one.positive.text, [no.passage_id for no in one.negatives], one.others) for one in examples
    ] == [
        ("eins", "text 10", ["11", "12"], ("13",)),
        ("eins", "text 13", ["11"], ("10",)),
        ("zwei", "text 11", ["10"], ()),
    ]
    (tmp_path / "de_collection.tsv").write_text("10\ttext\n")
    with pytest.raises(BadInput, match=r"de_collection.tsv: no text for id 11 \(and 2 more\)"):
        read_examples(tmp_path, ["."], "de")


def mewsli_pair() -> dict[str, Any]:
    text = "Before it.\nThe {old}  verdict came for Smith,\nwho left. After."
    start = text.index("Smith")
    return {
        "contextual_mention": {
            "context": {
                "document_title": "D",
                "document_url": "u",
                "document_id": "Q1",
                "language": "en",
                "text": text,
                "sentence_spans": [{"start": 0, "end": 10}, {"start": 11, "end": 55}, {"start": 56, "end": 62}],
            },
            "mention": {
                "example_id": "m1",
                "mention_span": {"start": start, "end": start + 5, "text": "Smith"},
                "entity_id": "Q2",
            },
        },
        "entity": {
            "entity_id": "Q2",
            "title": "Smith",
            "description": "Smith is a smith.  He\nworks.",
            "sentence_spans": [{"start": 0, "end": 17}, {"start": 19, "end": 28}],
            "description_language": "de",
            "description_url": "u",
        },
    }


def test_mewsli_x_pairs(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "pairs.jsonl", [mewsli_pair()])
    (example,) = read_examples(tmp_path, ["pairs.jsonl"], "xx")
    assert example.query == Query("m1", "en", "Smith: The (old) verdict came for { Smith } , who left.")
    assert example.positive[:4] == ("Q2", "de", "Smith is a smith. He works.", "Smith")
    record = mewsli_pair()
    record["contextual_mention"]["context"]["sentence_spans"] = [{"start": 0, "end": 40}]
    write_json_lines(tmp_path / "pairs.jsonl", [record])
    with pytest.raises(BadInput, match=r"pairs.jsonl:1: not a record of kind mewsli.*lies in no sentence"):
        read_examples(tmp_path, ["pairs.jsonl"], "xx")


def test_paragraphs_as_passages(sources: Path) -> None:
    sentences = read_examples(sources, ["questions/train"], "qaa")
    paragraphs = read_examples(sources, ["questions/train"], "qaa", "paragraph")
    assert [example.positive.context for example in sentences] == [example.positive.text for example in paragraphs]
    assert all(example.answers[0] in example.positive.text for example in paragraphs)


def test_mined_examples_lose_nothing(tmp_path: Path) -> None:
    examples = [
        Example(Query("1", "sw", "q"), Passage("2", "de", "t", "T", "c"), [Passage("3", "en", "n")], ("4",), ("a",))
    ]
    write_json_lines(tmp_path / "mined.jsonl", map(records_json.mined_row, examples))
    assert read_examples(tmp_path, ["mined.jsonl"], "xx") == examples


@pytest.mark.parametrize(
    ("name", "language", "count"),
    [
        ("tydi-goldp/sw.train.json.gz", "sw", None),
        ("tydi-goldp/ko.train.json.gz", "ko", None),
        ("finetune/arcd.ar.train.json.gz", "ar", 693),
        ("finetune/cmrc2018.zh.dev.json.gz", "zh", 3219),
        ("finetune/jsquad.ja.valid.json.gz", "ja", 4442),
        ("finetune/iapp.th.train.jsonl.gz", "th", 5761),
    ],
)
def test_real_files(mirror: Path, name: str, language: str, count: int | None) -> None:
    examples = read_examples(mirror, [f"{language}={name}"], "en")
    if count is None:
        book = json.loads(gzip.open(mirror / name, "rt", encoding="utf-8").read())
        count = sum(len(paragraph["qas"]) for article in book["data"] for paragraph in article["paragraphs"])
    assert len(examples) == count
    # An answer may cross the end of its sentence; it starts within.
    hits = sum(any(answer[:1] in example.positive.text for answer in example.answers) for example in examples)
    assert hits / count > 0.99
    assert {example.query.language for example in examples} == {language}


def test_data_sets_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("q\tp\n")
    (tmp_path / "b.tsv").write_text("q\tp\nr\ts\n")
    data_sets = read_data_sets(tmp_path, ["de=a.tsv", "b.tsv"], "en")
    assert [[example.query.language for example in part] for part in data_sets] == [["de"], ["en", "en"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '[{"question": "q"}]', "a.json: record 0: not a record of kind dpr: no 'positive_ctxs'"),
        ("a.json", '[{"question": "q"', "a.json: record 0: not JSON"),
        ("a.json", "[]", "a.json: no training example"),
        ("a.jsonl", '{"x": 1}\n', "a.jsonl:1: fields of no known training format: x"),
        ("a.jsonl", '{"query_id": 1, "query": "q", "positive_passages": []}\n', "not a record of kind tevatron"),
        (
            "a.jsonl",
            '{"query_id":1,"query":" ","positive_passages":[{"docid":1,"text":"t"}],"negative_passages":[]}',
            "a.jsonl:1: not a record of kind tevatron: empty question",
        ),
        ("a.tsv", "one\ttwo\nthree\n", "a.tsv:2: expected at least 2 columns with tabs, got 1"),
        ("a.tsv", "one\t \n", "a.tsv:1: column 2 is empty"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=message):
        read_examples(tmp_path, [name], "en")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": 5}, "not a record of kind dpr"),
        ({"question": 5, "q_id": 1}, "question must be text, got 5"),
        ({"question": " "}, "empty question"),
        ({"positive_ctxs": ["x"]}, "not a record of kind dpr"),
        ({"positive_ctxs": [{"text": None}]}, "positive passage must be text, got None"),
        ({"hard_negative_ctxs": [{"text": 7}]}, "negative passage must be text, got 7"),
        ({"hard_negative_ctxs": [{"text": ""}]}, "empty negative passage"),
        ({"answers": "yes"}, "answers must be a list, got 'yes'"),
        ({"answers": [5]}, "answer must be text, got 5"),
    ],
)
def test_records_that_hold_no_texts_are_refused(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    rows = [dpr_record("who?"), dpr_record("when?") | changes]
    if name == "a.json":
        (tmp_path / name).write_text(json.dumps(rows))
    else:
        write_json_lines(tmp_path / name, rows)
    with pytest.raises(BadInput, match=f"{name}{': record 1' if name == 'a.json' else ':2'}: .*{message}"):
        read_examples(tmp_path, [name], "en")


@pytest.mark.parametrize("end", ["] x", ",]", " {}]", ""])
def test_a_list_ends_as_json_does(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.json").write_text(f"[{json.dumps(dpr_record('who?'))}{end}")
    with pytest.raises(BadInput, match=r"a\.json: .*not JSON"):
        read_examples(tmp_path, ["a.json"], "en")


@pytest.mark.parametrize("name", ["a.tsv", "a.jsonl", "a.json", "a.json.gz", "a.tsv.gz"])
def test_files_of_other_bytes_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'["\xff\tp')
    with pytest.raises(BadInput, match=name):
        read_examples(tmp_path, [name], "en")


@pytest.mark.parametrize("name", ["a.json.gz", "a.jsonl.gz", "a.tsv.gz"])
def test_torn_files_are_refused(tmp_path: Path, name: str) -> None:
    content = bytearray(gzip.compress(b'[{"a": 1}]'))
    content[12] ^= 0xFF
    (tmp_path / name).write_bytes(bytes(content))
    with pytest.raises(BadInput, match=name):
        read_examples(tmp_path, [name], "en")


def test_a_sentence_without_its_question_is_named(tmp_path: Path) -> None:
    (tmp_path / "src-train.txt").write_text("One.\nTwo.\n")
    (tmp_path / "tgt-train.txt").write_text("what?\n")
    with pytest.raises(BadInput, match=r"tgt-train\.txt:2: empty line"):
        read_examples(tmp_path, ["."], "en")
