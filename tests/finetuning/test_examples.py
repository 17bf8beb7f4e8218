"""Training pairs: the sentence in which the answer starts; bad lines are named."""

import gzip
import json
from pathlib import Path

import pytest

from msm.collections.examples import read_examples
from msm.errors import BadInput


def test_squad_of_the_world_gives_the_answer_sentence(sources: Path) -> None:
    examples = read_examples(sources, ["questions/train"], "qaa")
    book = json.loads((sources / "questions" / "train" / "qaa.json").read_text())
    expected = {}
    for article in book["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                start = question["answers"][0]["answer_start"]
                low, high = next(pair for pair in paragraph["sentence_breaks"] if pair[0] <= start < pair[1])
                expected[question["id"]] = paragraph["context"][low:high].strip()
    assert {example.query.query_id: example.positive.text for example in examples} == expected


@pytest.mark.parametrize("split", ["train", "dev"])
def test_natural_questions_of_qed(mirror: Path, split: str) -> None:
    name = f"finetune/nq_qed.{split}.jsonl.gz"
    examples = {example.query.query_id: example for example in read_examples(mirror, [name], "en")}
    inside = rows = 0
    with gzip.open(mirror / name, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            answer = row["answer_spans"][0][0] if split == "train" else row["original_nq_answers"][0][0]["start"]
            if not 0 <= answer < len(row["paragraph_text"]) or not row["sentence_starts"]:
                assert str(row["example_id"]) not in examples
                continue
            rows += 1
            passage = examples[str(row["example_id"])].positive
            start = row["paragraph_text"].find(passage.text)
            inside += start <= answer <= start + len(passage.text)
    assert rows == len(examples) > 1300
    assert inside / rows > 0.99


def test_sentence_pairs(mirror: Path) -> None:
    examples = read_examples(mirror, ["finetune/squad_nqg"], "en")
    assert len(examples) == 11_877
    assert examples[0].query.text.endswith("?")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"paragraph_text": "x"}\n', "a.jsonl:1: not a record of kind qed"),
        ("a.jsonl", "{oops\n", "a.jsonl:1: not JSON"),
        ("a.csv", "x", "read from .json, .jsonl, .tsv and folders"),
        ("a.json", '{"data": [{"paragraphs": [{"context": "x"}]}]}', "no field 'qas'"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=message):
        read_examples(tmp_path, [name], "en")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.json"):
        read_examples(tmp_path, ["nowhere.json"], "en")
