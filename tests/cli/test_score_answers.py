"""`msm score-answers` against the official steps written out, and the counts of the published questions."""

import gzip
import json
import random
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import nltk
import pytest
import regex
from nltk.tokenize import NLTKWordTokenizer

from msm.cli.main import main

COUNTED = {"te": 238, "bn": 304, "fi": 314, "ja": 241, "ko": 285, "ru": 237, "ar": 309}
WORDS = (
    'He said "yes" in the U.S. on 4 May 1,000 km away. John\'s (old) house cannot stand! Why? Dr. No: 50% no'.split()
)


@pytest.fixture
def punkt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence splitter that knows nothing but the marks: punkt without any trained parameter."""
    folder = tmp_path / "nltk_data" / "tokenizers" / "punkt_tab" / "english"
    folder.mkdir(parents=True)
    for name in ("abbrev_types.txt", "sent_starters.txt", "collocations.tab", "ortho_context.tab"):
        (folder / name).write_text("")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    nltk.tokenize._get_punkt_tokenizer.cache_clear()


def run(capsys: pytest.CaptureFixture[str], *words: object) -> dict[tuple[str, str], dict[str, Any]]:
    main(["score-answers", *map(str, words)])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {(row["measure"], row["language"]): row for row in rows}


def official_xor(predictions: list[Any], gold: dict[str, list[str]], count: int, tokenize: Callable[[str], list[str]]):  # noqa: ANN201
    """Steps 2 to 5 of the scorer."""
    languages: dict[str, list[int]] = {}
    for item in predictions:
        answers = [answer for answer in gold.get(item["id"], []) if answer != "yes" and answer != "no"]
        if not answers:
            continue
        tokens: list[str] = []
        for text in item["ctxs"]:
            if len(tokens) < count:
                tokens.extend(tokenize(text))
        while len(tokens) > count:
            tokens.pop()
        hit = 0
        for answer in answers:
            if " ".join(tokens).find(answer) >= 0:
                hit = 1
        languages.setdefault(item["lang"], []).append(hit)
    return {language: fmean(hits) for language, hits in languages.items()}


def random_predictions(mirror: Path) -> tuple[list[Any], dict[str, list[str]], Path]:
    """For the questions of the dev file, passages that hold an answer now and then, near the cuts too."""
    path = mirror / "xor" / "xor_dev_retrieve_eng_span_v1_1.jsonl.gz"
    records = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    rng = random.Random(4)
    predictions = []
    for record in records[::180]:
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(60, 160))) for _ in range(60)]
        for _ in range(rng.randint(0, 2)):
            texts[rng.randint(0, 59)] += f" {rng.choice(record['answers'])} x"
        predictions.append({"id": record["id"], "lang": record["lang"], "ctxs": texts})
    predictions.append({"id": "unknown", "lang": "ru", "ctxs": ["x"]})
    return predictions, {record["id"]: record["answers"] for record in records}, path


@pytest.mark.parametrize("tokenizer", ["nltk", "treebank"])
def test_xor_equals_the_official_steps(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], punkt: None, tokenizer: str
) -> None:
    predictions, gold, path = random_predictions(mirror)
    (tmp_path / "p.json").write_text(json.dumps(predictions))
    tokenize = nltk.word_tokenize if tokenizer == "nltk" else NLTKWordTokenizer().tokenize
    words = ("--benchmark", "xor_retrieve", "--gold", path, "--predictions", tmp_path / "p.json")
    values = run(capsys, *words, *(() if tokenizer == "nltk" else ("--tokenizer", tokenizer)))
    languages = set()
    for measure, count in (("recall@2kt", 2000), ("recall@5kt", 5000)):
        expected = official_xor(predictions, gold, count, tokenize)
        expected["mean"] = fmean(expected.values())
        for language, value in expected.items():
            row = values.pop((measure, language))
            keys = ("measure", "language", "value", "queries")
            assert tuple(row) == (keys if tokenizer == "nltk" else (*keys, "tokenizer"))
            assert row["value"] == pytest.approx(value, abs=1e-12)
            languages.add(value)
    assert not values and len(languages) > 2


def test_blanks_around_a_language_are_not_another_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """XOR's own training file has such blanks; the mean is over languages: (1/2 + 1) / 2."""
    gold, texts = tmp_path / "gold.jsonl", {"0": (" te", "in Oslo now"), "1": ("te", "Rome"), "2": ("ja", "Oslo.")}
    gold.write_text("".join(json.dumps({"id": name, "answers": ["Oslo"]}) + "\n" for name in texts))
    rows = [{"id": name, "lang": language, "ctxs": [text]} for name, (language, text) in texts.items()]
    (tmp_path / "p.json").write_text(json.dumps(rows))
    words = ("--benchmark", "xor_retrieve", "--gold", gold, "--predictions", tmp_path / "p.json")
    values = run(capsys, *words, "--tokenizer", "treebank")
    assert {language for _, language in values} == {"te", "ja", "mean"}
    assert values["recall@2kt", "te"]["value"] == 0.5 and values["recall@2kt", "mean"]["value"] == 0.75


def test_xor_counts_the_questions_of_the_dev_file(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, gold, path = random_predictions(mirror)
    languages = {
        json.loads(line)["id"]: json.loads(line)["lang"] for line in gzip.decompress(path.read_bytes()).splitlines()
    }
    predictions = [{"id": name, "lang": languages[name], "ctxs": [" ".join(gold[name])]} for name in gold]
    (tmp_path / "p.json").write_text(json.dumps(predictions))
    values = run(
        capsys, "--benchmark", "xor_retrieve", "--gold", path, "--predictions", tmp_path / "p.json",
        "--tokenizer", "treebank", "--lenient",
    )  # fmt: skip
    assert {language: row["queries"] for (measure, language), row in values.items() if measure == "recall@5kt"} == {
        **COUNTED,
        "mean": 1928,
    }
    assert values["recall@2kt", "mean"]["value"] < 1 == values["recall@2kt-lenient", "mean"]["value"]


def test_xor_takes_answers_as_they_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        "punctuation never matches": (["John's"], "John's house", False, True),
        "nor do quotation marks": (['"yes"'], 'He said "yes" there', False, True),
        "case counts": (["oslo"], "in Oslo", False, True),
        "inside a word": (["art"], "a start", True, True),
        "yes is dropped": (["yes", "Bergen"], "yes", False, False),
        "after the cut": (["Oslo"], "a " * 5000 + "Oslo", False, False),
    }
    gold = [{"id": name, "answers": answers} for name, (answers, *_) in cases.items()]
    predictions = [{"id": name, "lang": name, "ctxs": ["", text]} for name, (_, text, *_) in cases.items()]
    (tmp_path / "g.jsonl").write_text("\n".join(map(json.dumps, gold)))
    (tmp_path / "p.json").write_text(json.dumps(predictions))
    words = ("--gold", tmp_path / "g.jsonl", "--predictions", tmp_path / "p.json", "--tokenizer", "treebank")
    values = run(capsys, "--benchmark", "xor_retrieve", *words, "--lenient")
    for name, (_, _, official, lenient) in cases.items():
        assert bool(values["recall@5kt", name]["value"]) == official, name
        assert bool(values["recall@5kt-lenient", name]["value"]) == lenient, name


def dpr_has_answer(answers: list[str], text: str) -> bool:
    def words(value: str) -> list[str]:
        matches = regex.finditer(r"([\p{L}\p{N}\p{M}]+)|([^\p{Z}\p{C}])", unicodedata.normalize("NFD", value))
        return [match.group().lower() for match in matches]

    passage = words(text)
    for answer in map(words, answers):
        for start in range(len(passage) - len(answer) + 1):
            if passage[start : start + len(answer)] == answer:
                return True
    return False


def test_nq_equals_dpr_has_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(5)
    pieces = ["Café", "cafe\u0301", "CAFÉ", "U.S.", "U.S", "new-york", "New", "York", "1,000", "000", "x", "東京", "東"]
    predictions = []
    for number in range(60):
        texts = [" ".join(rng.choices(pieces[:-1], k=6)) for _ in range(100)]
        answers = [rng.choice(["café york", "U.S. x", "1,000 000 x New", "東", "none", "york x 000"])]
        ctxs = [{"id": "1", "title": "none", "text": text} for text in texts]
        predictions.append({"question": f"q{number // 2}", "answers": answers, "ctxs": ctxs if number % 3 else texts})
    (tmp_path / "p.json").write_text(json.dumps(predictions))
    (tmp_path / "g.jsonl").write_text(
        "".join(json.dumps({k: p[k] for k in ("question", "answers")}) + "\n" for p in predictions)
    )
    (tmp_path / "g.csv").write_text("".join(f"{p['question']}\t{p['answers']!r}\n" for p in predictions))
    words = ("--benchmark", "nq", "--predictions", tmp_path / "p.json")
    values = run(capsys, *words)
    for cutoff in (1, 5, 20, 100):
        hits = []
        for item in predictions:
            texts = [ctx["text"] if isinstance(ctx, dict) else ctx for ctx in item["ctxs"]]
            hits.append(any(dpr_has_answer(item["answers"], text) for text in texts[:cutoff]))
        assert values[f"success@{cutoff}", "en"]["value"] == pytest.approx(fmean(hits))
        assert values[f"success@{cutoff}", "mean"] == {**values[f"success@{cutoff}", "en"], "language": "mean"}
    assert values["success@1", "en"]["queries"] == 60
    assert 0 < values["success@1", "en"]["value"] < values["success@20", "en"]["value"] < 1
    assert (
        run(capsys, *words, "--gold", tmp_path / "g.jsonl")
        == run(capsys, *words, "--gold", tmp_path / "g.csv")
        == values
    )
    (tmp_path / "half.json").write_text(json.dumps(predictions[:30]))
    half = run(capsys, "--benchmark", "nq", "--predictions", tmp_path / "half.json", "--gold", tmp_path / "g.jsonl")
    assert half["success@100", "en"]["queries"] == 60 and half["success@100", "en"]["value"] <= 0.5


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ("", "not JSON"),
        ("{}", "expected a JSON list"),
        ("[]", "no prediction"),
        ("[1]", "expected a JSON object"),
        ('[{"id": "a", "ctxs": []}]', "'lang' must be text, got None"),
        ('[{"id": "a", "lang": "fi", "ctxs": "x"}]', "'ctxs' must be a list"),
        ('[{"id": "a", "lang": "fi", "ctxs": [1]}]', "must hold texts, got '1'"),
        ('[{"id": "a", "lang": "fi", "ctxs": []}, {"id": "a", "lang": "fi", "ctxs": []}]', "a stands 2 times"),
        ('[{"id": "b", "lang": "fi", "ctxs": []}]', "no question that counts"),
    ],
)
def test_bad_predictions_end_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], predictions: str, message: str
) -> None:
    (tmp_path / "g.jsonl").write_text('{"id": "a", "answers": ["x"]}\n{"id": "b", "answers": ["no"]}\n')
    (tmp_path / "p.json").write_text(predictions)
    words = ["--gold", str(tmp_path / "g.jsonl"), "--predictions", str(tmp_path / "p.json"), "--tokenizer", "treebank"]
    with pytest.raises(SystemExit) as end:
        main(["score-answers", "--benchmark", "xor_retrieve", *words])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert message in error and Counter(error)["\n"] <= 2


@pytest.mark.parametrize("option", [["--tokenizer", "treebank"], ["--lenient"]])
def test_nq_refuses_what_it_would_not_use(capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["score-answers", "--benchmark", "nq", "--predictions", "p", *option])
    assert end.value.code == 2
    assert "are for xor_retrieve" in capsys.readouterr().err


def test_without_the_model_it_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    nltk.tokenize._get_punkt_tokenizer.cache_clear()
    with pytest.raises(SystemExit) as end:
        main(["score-answers", "--benchmark", "xor_retrieve", "--gold", "g", "--predictions", "p"])
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.count("\n") == 1
    assert "python -m nltk.downloader punkt_tab" in error and "--tokenizer treebank" in error


def test_it_loads_no_torch() -> None:
    code = "import sys, msm.cli.score_answers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
