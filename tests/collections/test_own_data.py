import json
from pathlib import Path
from typing import Any

import pytest

from msm.collections.collection import Collection
from msm.collections.registry import find_benchmark
from msm.errors import BadInput


def lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    corpus = [{"_id": "d2", "title": "T", "text": "two", "language": "fi"}, {"_id": "d1", "text": "one", "lang": "en"}]
    lines(tmp_path / "corpus.jsonl", corpus)
    lines(tmp_path / "queries.jsonl", [{"_id": "q1", "text": "?", "lang": "sv"}, {"_id": "q2", "text": "not judged"}])
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td2\t2\nq1\td1\t0\n")
    return tmp_path


def judged(collection: Collection) -> dict[tuple[str, str], int]:
    passage_ids = collection.qrels.passage_ids.to_pylist()
    return {
        (collection.queries[query].query_id, passage_ids[passage]): label
        for query, passage, label in zip(*collection.qrels[2:], strict=True)
    }


def test_beir_layout(beir: Path) -> None:
    collection = find_benchmark("beir").read(beir)
    assert [tuple(query) for query in collection.queries] == [("q1", "sv", "?")]
    assert [tuple(passage)[:4] for passage in collection.passages] == [
        ("d2", "fi", "two", "T"),
        ("d1", "en", "one", ""),
    ]
    assert judged(collection) == {("q1", "d2"): 2, ("q1", "d1"): 0}
    assert [pool.name for pool in collection.pools] == ["multilingual"]
    assert list(find_benchmark("beir:mine").read(beir).passages) == list(collection.passages)
    with pytest.raises(BadInput, match="no question in he"):
        find_benchmark("beir:mine-he,").read(beir)


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ("q9\td1\t1\n", "judged query q9 is not among the queries"),
        ("q1\td1\tx\n", r"test\.tsv:1: expected query, passage and a whole label"),
        ("q1 d1 1\n", r"test\.tsv:1: expected query"),
        ("q1\td1\t1\nq1\td1\t0\n", r"test\.tsv:2: query q1, passage d1: with two labels"),
        ("query-id\tcorpus-id\tscore\n", "no judgement"),
    ],
)
def test_bad_judgements_are_refused(beir: Path, qrels: str, message: str) -> None:
    (beir / "qrels" / "test.tsv").write_text(qrels)
    with pytest.raises(BadInput, match=message):
        find_benchmark("beir").read(beir)


def test_which_judgements_must_be_clear(beir: Path) -> None:
    (beir / "qrels" / "test.tsv").rename(beir / "qrels" / "dev.tsv")
    assert judged(find_benchmark("beir").read(beir))
    (beir / "qrels" / "train.tsv").write_text("q1\td1\t1\n")
    with pytest.raises(BadInput, match=r"expected test\.tsv or one file of judgements, found dev\.tsv, train\.tsv"):
        find_benchmark("beir").read(beir)


def test_trec_files(tmp_path: Path) -> None:
    (tmp_path / "topics.tsv").write_text("7\twhat is it?\n8\tnot judged\n")
    (tmp_path / "qrels.txt").write_text("7 0 a 1\n")
    (tmp_path / "collection.tsv").write_text("a\tfirst\tTitle\nb\tsecond\n")
    lines(tmp_path / "docs.jsonl", [{"id": "c", "contents": "T\n\nthird\n\nrest"}])
    collection = find_benchmark("trec").read(tmp_path)
    assert [(p.passage_id, p.title, p.text) for p in collection.passages] == [
        ("a", "Title", "first"),
        ("b", "", "second"),
        ("c", "T", "third"),
    ]
    assert (len(collection.queries), judged(collection)) == (1, {("7", "a"): 1})
    (tmp_path / "collection.tsv").write_text("a\tfirst\na\tsecond\n")
    with pytest.raises(BadInput, match="passage id stands twice: a"):
        find_benchmark("trec").read(tmp_path)
    (tmp_path / "topics.tsv").write_bytes(b"7\tgood\n8\t\xff\n")
    with pytest.raises(BadInput, match=r"topics\.tsv:\d: .*can't decode"):
        find_benchmark("trec").read(tmp_path)
    (tmp_path / "topics.tsv").write_text("7 what is it?\n")
    with pytest.raises(BadInput, match=r"topics\.tsv:1: expected 2 columns"):
        find_benchmark("trec").read(tmp_path)


def test_squad_paragraphs(mirror: Path) -> None:
    collection = find_benchmark("squad").read(mirror / "xquad-r")
    assert (len(collection.queries), len(collection.passages)) == (13090, 240 * 11)
    assert len(set(collection.query_clusters)) == 240 * 11
    for query, passage in zip(*collection.qrels[2:4], strict=True):
        passage_id = collection.qrels.passage_ids[passage].as_py()
        assert collection.queries[query].language == collection.passages.languages[passage_id]


def test_training_questions_are_not_asked_but_their_paragraphs_are_candidates(tmp_path: Path) -> None:
    for name, number in (("sw.dev.json", 1), ("sw.train.json", 2), ("en.dev.json", 3), ("ko.train.json", 4)):
        question = {"id": f"q{number}", "question": f"what {number}?", "answers": [{"text": "it", "answer_start": 0}]}
        paragraph = {"context": f"it is paragraph {number}.", "qas": [question]}
        (tmp_path / name).write_text(json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}))
    collection = find_benchmark("squad:mine").read(tmp_path)
    assert [query.query_id for query in collection.queries] == ["en-q3", "sw-q1"]
    assert collection.sizes() == {"en": (1, 1), "ko": (0, 1), "sw": (1, 2)}
    assert [pool.name for pool in collection.pools] == ["multilingual", "pool.en", "pool.sw"]
    assert len(collection.pool_passages(collection.pools[2])) == 2
