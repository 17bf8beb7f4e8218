import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from msm.collections.readers.squad import read_squad
from msm.errors import BadInput

CONTEXT = "Ann ran home.  Bob saw 😀 her.\nShe slept. "
FILE: dict[str, Any] = {
    "data": [
        {
            "title": "Ann",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "sentence_breaks": [[0, 13], [14, 29], [30, 41]],
                    "qas": [
                        {"id": "q1", "question": " Who ran? ", "answers": [{"answer_start": 0, "text": "Ann"}]},
                        {"id": 2, "question": "Where?", "answers": [{"answer_start": 29}, {"answer_start": 8}]},
                        {"id": "q3", "question": "What?", "answers": [{"answer_start": -1}, {"answer_start": 24}]},
                    ],
                }
            ],
        }
    ]
}


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_paragraphs_sentences_and_answers(tmp_path: Path) -> None:
    [paragraph] = read_squad(write(tmp_path / "en.json", FILE), "en")
    assert paragraph.sentences == ["Ann ran home.", "Bob saw 😀 her.", "She slept."]
    assert (paragraph.title, paragraph.context) == ("Ann", CONTEXT)
    assert [(q.question_id, q.text, q.answer_sentences) for q in paragraph.questions] == [
        ("q1", "Who ran?", [0]),
        ("2", "Where?", [2, 0]),
        ("q3", "What?", [1]),
    ]


def test_without_breaks_the_sentences_are_split_and_answers_placed(tmp_path: Path) -> None:
    value = copy.deepcopy(FILE)
    del value["data"][0]["paragraphs"][0]["sentence_breaks"]
    [paragraph] = read_squad(write(tmp_path / "en.json", value), "en")
    assert paragraph.sentences == ["Ann ran home.", "Bob saw 😀 her.", "She slept."]
    assert [q.answer_sentence for q in paragraph.questions] == [0, 2, 1]


def test_the_paragraph_id_is_of_its_text(tmp_path: Path) -> None:
    value = copy.deepcopy(FILE)
    value["data"].insert(0, {"paragraphs": [{"context": "Other.", "qas": []}]})
    [first] = read_squad(write(tmp_path / "a.json", FILE), "en")
    [other, again] = read_squad(write(tmp_path / "b.json", value), "en")
    assert again.paragraph_id == first.paragraph_id != other.paragraph_id
    assert other.title == ""


def test_impossible_questions_are_left_out(tmp_path: Path) -> None:
    value = copy.deepcopy(FILE)
    value["data"][0]["paragraphs"][0]["qas"][1] = {"id": "no", "question": "?", "answers": [], "is_impossible": True}
    [paragraph] = read_squad(write(tmp_path / "en.json", value), "en")
    assert [q.question_id for q in paragraph.questions] == ["q1", "q3"]


QUESTION = "data[0].paragraphs[0].qas[1]"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda p: p["qas"][1].update(question="  "), f"{QUESTION}: empty question"),
        (lambda p: p["qas"][1].pop("question"), f"{QUESTION}: no field 'question'"),
        (lambda p: p["qas"][1].pop("id"), f"{QUESTION}: no field 'id'"),
        (lambda p: p["qas"][1].update(id="q1"), "data[0].paragraphs[0]: question id stands twice in the file: q1"),
        (lambda p: p["qas"][1].update(answers=[]), f"{QUESTION}: question 2 has no answer"),
        (
            lambda p: p["qas"][1]["answers"][0].update(answer_start=41),
            "qas[1]: answer_start outside the text (41): 41",
        ),
        (
            lambda p: p["qas"][1]["answers"][1].update(answer_start=-3),
            "qas[1]: answer_start outside the text (41): -3",
        ),
        (lambda p: p["qas"][0]["answers"][0].update(answer_start=-1), "qas[0]: answer_start outside the text (41): -1"),
        (
            lambda p: p["qas"][1]["answers"][0].update(answer_start="8"),
            "field 'answer_start' is of the wrong type: '8'",
        ),
        (lambda p: p.pop("context"), "data[0].paragraphs[0]: no field 'context'"),
        (lambda p: p.update(context=None), "data[0].paragraphs[0]: field 'context' is of the wrong type: 'None'"),
        (lambda p: p.update(sentence_breaks=[]), "data[0].paragraphs[0]: a paragraph without a sentence"),
        (lambda p: p["sentence_breaks"].append([40, 42]), "out of order or outside the text (41): [40, 42]"),
        (lambda p: p["sentence_breaks"].reverse(), "out of order or outside the text (41): [14, 29]"),
        (lambda p: p["sentence_breaks"].insert(1, [13, 14]), "sentence break around blanks only: [13, 14]"),
        (lambda p: p["sentence_breaks"].append(3), "a sentence break must be two offsets, got 3"),
        (lambda p: p["qas"].clear(), "no question"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, change: Any, problem: str) -> None:
    value = copy.deepcopy(FILE)
    change(value["data"][0]["paragraphs"][0])
    with pytest.raises(BadInput) as error:
        read_squad(write(tmp_path / "en.json", value), "en")
    assert str(error.value).startswith(str(tmp_path / "en.json"))
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_squad_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"en\.json:2: not JSON"):
        read_squad(write(tmp_path / "en.json", '{"data":\n oops}'), "en")
    with pytest.raises(BadInput, match="top level: expected a JSON object"):
        read_squad(write(tmp_path / "en.json", []), "en")
    with pytest.raises(BadInput, match="top level: no field 'data'"):
        read_squad(write(tmp_path / "en.json", {}), "en")
    with pytest.raises(BadInput, match="no such file"):
        read_squad(tmp_path / "none.json", "en")


def test_real_files_of_all_kinds_are_read(mirror: Path, tmp_path: Path) -> None:
    paragraphs = read_squad(mirror / "finetune" / "cmrc2018.zh.dev.json.gz", "zh")
    assert sum(len(paragraph.questions) for paragraph in paragraphs) == 3219
    with gzip.open(mirror / "tydi-goldp" / "sw.dev.json.gz", "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    contexts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
    for paragraph, context in zip(read_squad(mirror / "tydi-goldp" / "sw.dev.json.gz", "sw"), contexts, strict=True):
        assert "".join("".join(paragraph.sentences).split()) == "".join(context.split())
