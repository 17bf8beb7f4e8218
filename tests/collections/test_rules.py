"""What a collection decides beside its measures: titles, ids of the question's own, missing passages, empty pools."""

import json
from pathlib import Path
from typing import Any

import pytest

from msm.cli.main import main
from msm.collections.registry import find_benchmark
from msm.errors import BadInput


def write(folder: Path, corpus: dict[str, tuple[str, str]], queries: dict[str, str], qrels: list[str]) -> Path:
    """BEIR's layout: id to (title, text), id to text, rows of `query passage label`."""
    (folder / "qrels").mkdir(parents=True)
    passages = [{"_id": name, "title": title, "text": text} for name, (title, text) in corpus.items()]
    records = [{"_id": name, "text": text} for name, text in queries.items()]
    for name, rows in (("corpus", passages), ("queries", records)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = ["query-id corpus-id score", *qrels]
    (folder / "qrels" / "test.tsv").write_text("".join("\t".join(line.split(" ")) + "\n" for line in lines))
    return folder


def evaluate(folder: Path, out: Path, *words: str) -> dict[str, dict[str, Any]]:
    """Measure to the line of its printed mean."""
    main(["evaluate", "--model", "bm25", "--data", str(folder), "--out", str(out), *words])
    rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    return {row["measure"]: row for row in rows if row["query_language"] == "mean"}


OWN = ("--format", "beir", "--benchmark", "own")


@pytest.fixture
def argument(tmp_path: Path) -> Path:
    """As in ArguAna: the question is a passage too, and the answer is another one."""
    corpus = {
        "a1": ("", "school uniforms hide who is poor"),
        "a2": ("", "school uniforms cost the poor money"),
        "a3": ("", "buses are late"),
    }
    return write(tmp_path / "data", corpus, {"a1": "school uniforms hide who is poor"}, ["a1 a2 1"])


def test_beir_drops_the_passage_with_the_id_of_the_question(argument: Path, tmp_path: Path) -> None:
    row = evaluate(argument, tmp_path / "out", *OWN)["ndcg@10"]
    assert row["value"] == 1
    assert "own ids dropped" in row["protocol"]
    (argument / "rules.json").write_text('{"own_ids": "kept"}')
    row = evaluate(argument, tmp_path / "kept", *OWN)["ndcg@10"]
    assert row["value"] == pytest.approx(0.6309, abs=1e-4)
    assert "own ids kept" in row["protocol"]


def test_the_depth_is_that_of_the_passages_that_are_kept(argument: Path, tmp_path: Path) -> None:
    assert evaluate(argument, tmp_path / "out", *OWN, "--depth", "1")["recall@100"]["value"] == 1


def test_a_relevant_passage_with_the_id_of_its_question_must_be_explained(argument: Path, tmp_path: Path) -> None:
    (argument / "qrels" / "test.tsv").write_text("a1\ta1\t1\n")
    with pytest.raises(BadInput, match=r"passage a1 is judged relevant to the query of the same id.*rules\.json"):
        find_benchmark("beir:own").read(argument)
    (argument / "rules.json").write_text('{"own_ids": "kept"}')
    assert evaluate(argument, tmp_path / "out", *OWN)["ndcg@10"]["value"] == 1


@pytest.mark.parametrize("said", ['{"own_ids": "maybe"}', '{"own_id": "kept"}', "[]", '{"instruction": 5}'])
def test_rules_that_mean_nothing_are_refused(argument: Path, said: str) -> None:
    (argument / "rules.json").write_text(said)
    with pytest.raises(BadInput, match=r"rules\.json: "):
        find_benchmark("beir:own").read(argument)


def test_a_judged_passage_that_the_corpus_lacks_is_not_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = {
        "d0": ("Ben Nevis", "the tallest hill of Scotland"),
        "d1": ("Loch Ness", "a long lake that people watch for a beast"),
        "d2": ("Skye", "a bridge to a lake"),
    }
    queries = {"q1": "tallest hill", "q2": "long lake"}
    data = write(tmp_path / "data", corpus, queries, ["q1 d0 1", "q2 d1 1", "q2 gone 1", "q2 unjudged 0"])
    values = evaluate(data, tmp_path / "out", *OWN)
    # The ideal ranking of q2 has two passages: 1 + 1 / log2(3).
    assert values["ndcg@10"]["value"] == pytest.approx((1 + 1 / 1.6309298) / 2)
    assert values["recall@100"]["value"] == pytest.approx(0.75)
    assert "1 relevant passages are not in the corpus, such as gone" in caplog.text
    manifest = json.loads((tmp_path / "out" / "score" / "manifest.json").read_text())
    assert '"missing_passages": 1' in json.dumps(manifest)


def test_titles_are_searched_where_the_official_run_searches_them(tmp_path: Path) -> None:
    corpus = {"d0": ("Ben Nevis", "the tallest hill"), "d1": ("Loch Ness", "a lake"), "d2": ("Skye", "an isle")}
    data = write(
        tmp_path / "data", corpus, {"q1": "Nevis", "q2": "Ness lake", "q3": "Skye"}, ["q1 d0 1", "q2 d1 1", "q3 d2 1"]
    )
    row = evaluate(data, tmp_path / "out", *OWN)["ndcg@10"]
    assert row["value"] == 1 and "passage_context title_text" in row["protocol"]
    assert evaluate(data, tmp_path / "none", *OWN, "--passage_context", "none")["ndcg@10"]["value"] < 1
    (data / "rules.json").write_text('{"passage_context": "none"}')
    assert evaluate(data, tmp_path / "said", *OWN)["ndcg@10"]["value"] < 1


def test_titles_of_mr_tydi_stand_before_a_blank_line(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "sw"
    folder.mkdir(parents=True)
    passages = {"0#0": "Mto Nile\n\nmaji marefu", "1#0": "Ziwa Rukwa\n\nmaji ya chumvi"}
    lines = [json.dumps({"id": name, "contents": contents}) for name, contents in passages.items()]
    (folder / "docs.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "topic.test.tsv").write_text("1\tRukwa\n2\tNile\n")
    (folder / "qrels.test.txt").write_text("1 Q0 1#0 1\n2 Q0 0#0 1\n")
    values = evaluate(tmp_path / "data", tmp_path / "out", "--format", "mr_tydi", "--benchmark", "own")
    assert values["mrr@100"]["value"] == 1


def test_a_pool_in_which_nothing_is_found_scores_0(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for language, context, question in (("en", "Rome is old.", "how old is Rome"), ("ja", "ローマです。", "誰")):
        record = {"id": "1", "question": question, "answers": [{"text": context[:1], "answer_start": 0}]}
        paragraph = {"context": context, "qas": [record]}
        text = json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]})
        (data / f"{language}.json").write_text(text)
    main(["evaluate", "--model", "bm25", "--data", str(data), "--out", str(tmp_path / "out"), "--format", "squad"])
    rows = [json.loads(line) for line in (tmp_path / "out" / "scores.jsonl").read_text().splitlines()]
    values = {
        (row["query_language"], row["candidate_language"]): row["value"] for row in rows if row["measure"] == "mrr@100"
    }
    assert (values["ja", "ja"], values["en", "en"], values["mean", "same"]) == (0, 1, 0.5)


def test_ids_with_blanks_are_legal(tmp_path: Path) -> None:
    corpus = {"a b": ("", "snow on the hill"), "a c": ("", "rain on the lake"), "a\td": ("", "fog")}
    data = write(tmp_path / "data", corpus, {"q": "snow", "r s": "rain"}, [])
    (data / "qrels" / "test.tsv").write_text("q\ta b\t1\nr s\ta c\t1\n")
    assert evaluate(data, tmp_path / "out", *OWN)["ndcg@10"]["value"] == 1
