"""One reader a format: the same records are scored, trained on and mined, from files of every kind."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from msm.collections.collection import Collection
from msm.collections.examples import read_examples
from msm.collections.registry import find_benchmark
from msm.errors import BadInput
from msm.files import read_json, read_json_lines
from msm.finetuning.mine import read_passages


def judged(collection: Collection) -> set[tuple[str, str, int]]:
    passages = collection.qrels.passage_ids.to_pylist()
    return {
        (collection.queries[query].query_id, passages[passage], int(label))
        for query, passage, label in zip(*collection.qrels[2:], strict=True)
    }


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


TEVATRON = {
    "query_id": "7",
    "query": "where?",
    "positive_passages": [{"docid": "a", "title": "A", "text": "here"}, {"docid": "b", "title": "", "text": "there"}],
    "negative_passages": [{"docid": "c", "title": "", "text": "nowhere"}],
}
RECORDS = {
    "tevatron": TEVATRON,
    "dpr": {
        "question": "where?",
        "answers": [],
        "positive_ctxs": [{"title": "A", "text": "here", "passage_id": "a"}, {"text": "there", "passage_id": "b"}],
        "hard_negative_ctxs": [{"text": "nowhere", "passage_id": "c"}],
    },
    "flag_embedding": {"query": "where?", "pos": ["here", "there"], "neg": ["nowhere"]},
    "sentence_transformers": {"anchor": "where?", "positive": "here", "negative_1": "nowhere", "negative_2": "gone"},
}


@pytest.mark.parametrize("name", RECORDS)
def test_training_records_are_scored_and_trained_on(tmp_path: Path, name: str) -> None:
    (tmp_path / "en.jsonl").write_text(lines([RECORDS[name]]))
    collection = find_benchmark(f"{name}:mine").read(tmp_path)
    assert [(query.language, query.text) for query in collection.queries] == [("en", "where?")]
    texts = {passage.passage_id: passage.text for passage in collection.passages}
    assert {texts[passage] for _, passage, _ in judged(collection)} == {"here", "there"} & set(texts.values())
    [example] = read_examples(tmp_path, ["en.jsonl"], "en")
    assert example.positive.text == "here"
    assert {passage.text for passage in example.negatives} == set(texts.values()) - {"here", "there"}


def test_tevatron_in_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([TEVATRON]), tmp_path / "train-00000-of-00001.parquet")
    collection = find_benchmark("tevatron:mine").read(tmp_path)
    assert judged(collection) == {("7", "a", 1), ("7", "b", 1)}


def test_tevatron_2_names_its_passages_by_id(tmp_path: Path) -> None:
    rows = [
        {"query_id": "7", "query_text": "where?", "positive_document_ids": ["a", 2], "negative_document_ids": ["c"]}
    ]
    texts = [{"docid": name, "title": "T", "text": f"text {name}"} for name in ("a", 2, "c", "d")]
    (tmp_path / "train.jsonl").write_text(lines(rows))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "part-0.jsonl").write_text(lines(texts[:2]))
    (tmp_path / "corpus" / "part-1.jsonl").write_text(lines(texts[2:]))
    collection = find_benchmark("tevatron:mine").read(tmp_path)
    assert judged(collection) == {("7", "a", 1), ("7", "2", 1), ("7", "c", 0)}
    assert len(collection.passages) == 4
    examples = read_examples(tmp_path.parent, [tmp_path.name], "sw")
    assert [(example.positive.passage_id, example.others) for example in examples] == [("a", ("2",)), ("2", ("a",))]
    assert {passage.passage_id for example in examples for passage in example.negatives} == {"c"}
    assert {example.query.language for example in examples} == {"sw"}
    (tmp_path / "train.jsonl").write_text(lines([rows[0] | {"positive_document_ids": "a"}]))
    with pytest.raises(BadInput, match=r"train\.jsonl:1: field 'positive_document_ids' must hold ids, got 'a'"):
        find_benchmark("tevatron:mine").read(tmp_path)


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_data_set_of_the_hub_on_disk(tmp_path: Path, ending: str) -> None:
    tables = {
        "corpus/corpus-0": [{"_id": "a", "title": "A", "text": "one"}],
        "corpus/corpus-1": [{"_id": "b", "title": "", "text": "two"}],
        "queries/queries": [{"_id": "1", "text": "which?"}, {"_id": "2", "text": "nobody judged"}],
        "default/test": [{"query-id": "1", "corpus-id": "b", "score": 2}],
        "default/dev": [{"query-id": "2", "corpus-id": "b", "score": 1}],
    }
    for name, rows in tables.items():
        path = tmp_path / f"{name}.{ending}"
        path.parent.mkdir(exist_ok=True)
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            path.write_text(lines(rows))
    collection = find_benchmark("hugging_face:mine").read(tmp_path)
    assert [(passage.passage_id, passage.title) for passage in collection.passages] == [("a", "A"), ("b", "")]
    assert judged(collection) == {("1", "b", 2)}


CONTENTS = [
    ({"docid": "1", "contents": "no blank line"}, ("", "no blank line")),
    ({"docid": "1", "contents": "T\n\ntext"}, ("T", "text")),
    ({"docid": "1", "title": "T", "text": "text", "contents": "T text"}, ("T", "text")),
    ({"_id": "1", "text": "text"}, ("", "text")),
]


@pytest.mark.parametrize(("record", "expected"), CONTENTS)
def test_evaluation_and_mining_read_a_passage_alike(
    tmp_path: Path, record: dict[str, str], expected: tuple[str, str]
) -> None:
    (tmp_path / "topics.tsv").write_text("q\twhat?\n")
    (tmp_path / "qrels.txt").write_text("q 0 1 1\n")
    (tmp_path / "docs.jsonl").write_text(lines([record]))
    [passage] = find_benchmark("trec:mine").read(tmp_path).passages
    [other_passage] = read_passages(tmp_path, "docs.jsonl", [])
    assert (passage.title, passage.text) == (other_passage.title, other_passage.text) == expected


def test_collections_are_training_data_with_judged_negatives(tmp_path: Path) -> None:
    sw = tmp_path / "sw"
    sw.mkdir()
    passages = {"1#0": "Rukwa\n\nziwa", "2#0": "Nile\n\nmto"}
    (sw / "docs.jsonl").write_text(lines([{"id": name, "contents": text} for name, text in passages.items()]))
    (sw / "topic.train.tsv").write_text("1\tziwa lipi?\n")
    (sw / "qrels.train.txt").write_text("1 0 1#0 1\n1 0 2#0 0\n")
    [example] = read_examples(tmp_path, ["sw"], "sw")
    assert (example.query.text, example.positive.title, example.positive.text) == ("ziwa lipi?", "Rukwa", "ziwa")
    assert [passage.passage_id for passage in example.negatives] == ["2#0"]


def test_a_lone_surrogate_is_one_line_with_file_and_number(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine \\ud83d\\ude00"}\n{"text": "torn \\ud83d here"}\n')
    with pytest.raises(BadInput, match=r"a\.jsonl:2: a text holds half a character"):
        list(read_json_lines(path))
    (tmp_path / "b.json").write_text('{"data":\n ["\\udc00"]}')
    with pytest.raises(BadInput, match=r"b\.json:2: a text holds half a character"):
        read_json(tmp_path / "b.json")
    (tmp_path / "c.json").write_text('[{"question": "\\ud83d"}]')
    with pytest.raises(BadInput, match=r"c\.json: record 0: a text holds half a character"):
        read_examples(tmp_path, ["c.json"], "en")


def test_positives_without_a_text_have_a_true_reason(tmp_path: Path) -> None:
    row = {"query_id": "1", "query": "q?", "positive_passages": [{"docid": "1#2", "title": "", "text": ""}]}
    (tmp_path / "dev.jsonl").write_text(lines([row]))
    with pytest.raises(BadInput, match=r"dev\.jsonl:1: .*ids without a text, as in the dev file of Mr\. TyDi"):
        read_examples(tmp_path, ["dev.jsonl"], "en")


def test_a_negative_with_the_text_of_the_positive_is_none(tmp_path: Path) -> None:
    row = TEVATRON | {"negative_passages": [{"docid": "z", "title": "A", "text": "here"}, {"docid": "c", "text": "no"}]}
    (tmp_path / "train.jsonl").write_text(lines([row]))
    [example] = read_examples(tmp_path, ["train.jsonl"], "en")
    assert [passage.passage_id for passage in example.negatives] == ["c"]
