"""Published benchmarks in small folders of their own layout: what is read, and scores worked out by hand."""

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any

import pytest

from msm.collections.benchmarks import belebele, mkqa, multi_eup
from msm.collections.registry import BENCHMARKS, find_benchmark
from msm.errors import BadInput
from msm.evaluation import stage
from msm.evaluation.settings import Score

Rankings = Mapping[str, Mapping[str, Sequence[str]]]
"""Pool to query to passages, best first."""


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def put_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    put(path, "".join(json.dumps(row) + "\n" for row in rows))


def scores(name: str, folder: Path, rankings: Rankings) -> dict[tuple[str, str | None, str], float]:
    """Query language, candidate language and measure to the value, of runs that are written down."""
    run, out = folder / "run", folder / "out"
    run.mkdir()
    out.mkdir()
    for pool, ranking in rankings.items():
        lines = [
            f"{query} Q0 {passage} {rank} {-rank} t\n"
            for query, passages in ranking.items()
            for rank, passage in enumerate(passages, start=1)
        ]
        (run / f"{pool}.trec.gz").write_bytes(gzip.compress("".join(lines).encode()))
    settings = Score(benchmark=f"{name}:own", questions="data", split="test", model="m", seed=0)
    stage.run(settings, sources=folder, run=run, out=out)
    rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    return {(row["query_language"], row["candidate_language"], row["measure"]): row["value"] for row in rows}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_ms_marco_and_its_translations(data: Path) -> None:
    put(data / "google" / "queries" / "dev" / "german_queries.dev.small.tsv", "7\twer?\n")
    put(data / "google" / "queries" / "dev" / "french_queries.dev.tsv", "7\tqui?\n8\tsans jugement\n")
    for name in ("german", "french"):
        put(data / "google" / "collections" / f"{name}_collection.tsv", "".join(f"{n}\t{name} {n}\n" for n in range(4)))
    put(data / "qrels.dev.small.tsv", "7\t0\t2\t1\n")
    collection = find_benchmark("mmarco:own").read(data)
    assert collection.sizes() == {"de": (1, 4), "fr": (1, 4)}
    assert collection.questions == ["7", "7"]
    pools = {"pool.de": {"de-7": ["de-0", "de-2"]}, "pool.fr": {"fr-7": ["fr-0", "fr-1", "fr-3", "fr-2"]}}
    values = scores("mmarco", data.parent, pools)
    assert (values["de", "de", "mrr@10"], values["fr", "fr", "mrr@10"]) == (1 / 2, 1 / 4)
    assert values["mean", "same", "mrr@10"] == 3 / 8
    with pytest.raises(BadInput, match=r"not the published mMARCO: de has 1 questions instead of 6980"):
        find_benchmark("mmarco-de").read(data)
    put(data / "helsinki" / "german_collection.tsv", "0\tanders\n")
    with pytest.raises(BadInput, match=r"google.*german_collection\.tsv: stands in .*helsinki"):
        find_benchmark("mmarco:own").read(data)
    put(data / "collection.tsv", "0\tA\n2\tB\n")
    put(data / "queries.dev.tsv", "7\twho?\n8\tunjudged\n")
    assert [query.text for query in find_benchmark("ms_marco:own").read(data).queries] == ["who?"]


def squad(*paragraphs: tuple[str, list[str]]) -> str:
    """Paragraphs and the ids of their questions, each answered by the first word."""
    records = [
        {
            "context": text,
            "qas": [{"id": i, "question": f"{i} in {text}?", "answers": [{"answer_start": 0}]} for i in ids],
        }
        for text, ids in paragraphs
    ]
    return json.dumps({"data": [{"title": "T", "paragraphs": records}]})


def test_mlqa_has_an_answer_in_every_language_in_which_the_question_exists(data: Path) -> None:
    put(data / "test" / "test-context-de-question-de.json", squad(("Eins.", ["a", "b"]), ("Zwei.", ["c"])))
    put(data / "test" / "test-context-en-question-en.json", squad(("One.", ["a"]), ("Two.", ["c"]), ("Three.", ["d"])))
    put(data / "test" / "test-context-de-question-en.json", squad(("Eins.", ["a"])))
    put(data / "dev" / "dev-context-de-question-de.json", squad(("Drei.", ["e"])))
    collection = find_benchmark("mlqa:own").read(data)
    assert collection.sizes() == {"de": (3, 2), "en": (3, 3)}
    assert [pool.name for pool in collection.pools] == ["multilingual", "pool.de", "pool.en"]
    ids = {passage.text: passage.passage_id for passage in collection.passages}
    pools = {
        "multilingual": {"de-a": [ids["Zwei."], ids["One."], ids["Eins."]], "en-d": [ids["Three."]]},
        "pool.en": {"de-a": [ids["One."]], "en-a": [ids["Two."], ids["One."]], "de-c": [], "en-d": []},
        "pool.de": {},
    }
    values = scores("mlqa", data.parent, pools)
    # Of de-a both answers, at ranks 2 and 3; de-b and de-c nothing.
    expected = (1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3)) / 3
    assert values["de", None, "ndcg@10"] == pytest.approx(expected)
    assert values["en", None, "ndcg@10"] == pytest.approx(1 / 3)
    # Only de-a and de-c have an answer in English.
    assert values["de", "en", "ndcg@10"] == pytest.approx(1 / 2)
    assert values["en", "en", "ndcg@10"] == pytest.approx(1 / log2(3) / 3)


def rows_of(language: str, *passages: tuple[str, int]) -> list[dict[str, Any]]:
    """Rows of Belebele: link and number of questions of each passage."""
    return [
        {
            "link": link,
            "split": "dev",
            "question_number": number,
            "flores_passage": f"{link} {language}",
            "question": f"{number}?",
            "dialect": language,
        }
        for link, count in passages
        for number in range(1, count + 1)
    ]


def test_belebele_in_one_language_and_in_one_pool(data: Path) -> None:
    for code in ("deu_Latn", "zho_Hant", "arb_Latn"):
        put_rows(data / "Belebele" / f"{code}.jsonl", rows_of(code, ("x", 2), ("y", 1)))
    collection = find_benchmark("belebele:own").read(data)
    assert collection.sizes() == {"ar-Latn": (3, 2), "de": (3, 2), "zh-Hant": (3, 2)}
    assert [pool.name for pool in collection.pools] == ["pool.ar-Latn", "pool.de", "pool.zh-Hant"]
    assert len(collection.qrels.labels) == 9
    assert len(set(collection.query_clusters)) == 2
    one_pool = find_benchmark("belebele_parallel:own-de,zh-Hant").read(data)
    x, y = (name.removeprefix("de-").removesuffix("-1") for name in one_pool.qrels.query_ids.to_pylist()[::2][:2])
    # Of x in both languages, the ranks are 1 and 4: (1 + 2 / 4) / 2, distance 3, both among the first 10.
    ranking = [f"de-{x}", f"de-{y}", f"zh-Hant-{y}", f"zh-Hant-{x}"]
    pools = {
        "multilingual": {query: ranking for query in one_pool.qrels.query_ids.to_pylist()},
        "pool.de": {f"de-{x}-1": [f"de-{x}"]},
        "pool.zh-Hant": {},
    }
    for code in ("arb_Latn",):
        (data / "Belebele" / f"{code}.jsonl").unlink()
    values = scores("belebele_parallel", data.parent, pools)
    of_x, of_y = (1 + 2 / 4) / 2, (1 / 2 + 2 / 3) / 2
    assert values["de", None, "map"] == pytest.approx((2 * of_x + of_y) / 3)
    assert values["zh-Hant", None, "rank_distance"] == pytest.approx((3 + 3 + 1) / 3)
    assert values["de", None, "recall@10"] == 1
    assert values["de", "de", "ndcg@10"] == pytest.approx(1 / 3)
    # The best answer is right and German for x, German and wrong for y.
    assert values["de", None, "best_right_own"] == pytest.approx(2 / 3)
    assert values["zh-Hant", None, "best_right_other"] == pytest.approx(2 / 3)
    assert values["de", None, "own_first@100"] == 1 and values["zh-Hant", None, "own_first@100"] == 0
    with pytest.raises(BadInput, match=r"not the published Belebele: de has 3 questions instead of 900"):
        find_benchmark("belebele-de").read(data)
    with pytest.raises(BadInput, match=r"no file of the language fr; there are de, zh-Hant"):
        find_benchmark("belebele-fr").read(data)


def test_belebele_has_the_published_languages() -> None:
    assert len(belebele.CODES) == len(belebele.BENCHMARK.counts) == 122
    assert {"de", "ar", "ar-Latn", "zh-Hans", "zh-Hant", "sw", "he"} <= belebele.BENCHMARK.counts.keys()


def question(name: int, answers: list[dict[str, Any]]) -> dict[str, Any]:
    queries = {"en": f"who {name}", "zh_cn": f"谁 {name}", "he": f"מי {name}"}
    return {"example_id": name, "queries": queries, "answers": {"en": answers, "he": [{"type": "entity", "text": "x"}]}}


def test_mkqa_asks_for_english_answers_in_all_languages(data: Path) -> None:
    span = {"type": "entity", "text": "Dave Edmunds", "aliases": ["D. Edmunds"]}
    kinds = [{"type": kind, "text": "yes"} for kind in ("unanswerable", "binary", "long_answer")]
    put_rows(data / "mkqa.jsonl", [question(1, [span]), *(question(2 + n, [kind]) for n, kind in enumerate(kinds))])
    put(data / "psgs_w100.tsv", "id\ttext\ttitle\n1\tno answer\tDave Edmunds\n2\tby dave edmunds, 1970\tSong\n")
    collection = find_benchmark("mkqa:own").read(data)
    assert [tuple(query)[:2] for query in collection.queries] == [
        ("en-1", "en"),
        ("zh-CN-1", "zh-CN"),
        ("he-1", "he"),
    ]
    assert collection.answers["he-1"] == ["D. Edmunds", "Dave Edmunds"]
    scores_of_pools = scores("mkqa", data.parent, {"pool.en": {"en-1": ["2"], "he-1": ["1", "2"], "zh-CN-1": ["1"]}})
    values = {
        language: [scores_of_pools[language, "en", f"success@{k}"] for k in (1, 5)]
        for language in ("en", "he", "zh-CN")
    }
    # A title does not hold an answer.
    assert values == {"en": [1, 1], "he": [0, 1], "zh-CN": [0, 0]}
    assert len(mkqa.BENCHMARK.counts) == 26
    assert {count.questions for count in mkqa.BENCHMARK.counts.values()} == {6619}


def put_ciral(data: Path) -> None:
    for code, name in (("ha", "hausa"), ("yo", "yoruba")):
        put(data / f"ciral-{name}" / "topics" / f"topics.ciral-v1.0-{code}-test-a.tsv", "1\twhere?\n2\tnobody judged\n")
        put(
            data / f"ciral-{name}" / "qrels" / f"qrels.ciral-v1.0-{code}-test-a-pools.tsv",
            "1 Q0 D#0#0 1\n1 Q0 D#0#1 0\n",
        )
        put(data / f"ciral-{name}" / "qrels" / f"qrels.ciral-v1.0-{code}-test-a.tsv", "1 Q0 D#0#1 1\n")
        passages = [{"docid": f"D#0#{n}", "title": name, "text": str(n), "url": ""} for n in range(3)]
        put_rows(data / "passages-v1.0" / f"{name}_passages.jsonl", passages)


def test_ciral_asks_in_english_of_each_language_by_itself(data: Path) -> None:
    put_ciral(data)
    collection = find_benchmark("ciral:own").read(data)
    assert collection.sizes() == {"en": (2, 0), "ha": (0, 3), "yo": (0, 3)}
    assert [query.query_id for query in collection.queries] == ["ha-1", "yo-1"]
    values = scores(
        "ciral", data.parent, {"pool.ha": {"ha-1": ["ha-D#0#0"]}, "pool.yo": {"yo-1": ["yo-D#0#1", "yo-D#0#0"]}}
    )
    assert values["en", "ha", "ndcg@20"] == 1
    assert values["en", "yo", "ndcg@20"] == pytest.approx(1 / log2(3))
    assert values["mean", "other", "ndcg@20"] == pytest.approx((1 + 1 / log2(3)) / 2)
    with pytest.raises(BadInput, match=r"not the published CIRAL, test set A: there are 2 questions instead of 180"):
        find_benchmark("ciral-ha,yo").read(data)


def test_a_relevant_passage_that_a_cross_lingual_corpus_lacks_is_not_found(data: Path) -> None:
    put_ciral(data)
    put(data / "ciral-yoruba" / "qrels" / "qrels.ciral-v1.0-yo-test-a-pools.tsv", "1 Q0 D#0#0 1\n1 Q0 gone 1\n")
    every = [f"D#0#{n}" for n in range(3)]
    pools = {f"pool.{code}": {f"{code}-1": [f"{code}-{name}" for name in every]} for code in ("ha", "yo")}
    values = scores("ciral", data.parent, pools)
    assert values["en", "yo", "recall@100"] == 1 / 2 and values["en", "ha", "recall@100"] == 1


TOPIC = {
    "topic_id": "1",
    "topics": [
        {"lang": "fas", "source": "human translation", "topic_title": "F", "topic_description": "f"},
        {"lang": "eng", "source": "original", "topic_title": "Title", "topic_description": "what is wanted"},
    ],
}


def put_neuclir(data: Path) -> None:
    for year, name in ((2022, "topics.0720.utf8.jsonl"), (2023, "neuclir-2023-topics.0605.jsonl")):
        put_rows(data / str(year) / name, [TOPIC, TOPIC | {"topic_id": "2"}])
    for code in ("fas", "rus", "zho"):
        documents = [{"id": f"{code}{n}", "title": "t", "text": f"{n}", "url": "", "time": ""} for n in range(3)]
        put_rows(data / "data" / f"{code}-00000-of-00001.jsonl", documents)
        put(data / f"qrels.final.gains.{code}", f"1 0 {code}0 3\n1 0 {code}1 1\n")
    put(data / "2022-qrels.all", "".join(f"1 {code} {code}0 3\n1 {code} {code}1 0\n" for code in ("fas", "rus", "zho")))
    put(data / "qrels.final.gains", "1 0 fas0 3\n1 0 zho1 1\n1 0 rus2 0\n")


def test_neuclir_by_language_and_in_one_pool(data: Path) -> None:
    put_neuclir(data)
    collection = find_benchmark("neuclir_2023:own").read(data)
    assert tuple(collection.queries[0]) == ("fa-1", "en", "Title what is wanted")
    assert collection.questions == ["1", "1", "1"]
    pools = {
        "pool.fa": {"fa-1": ["fa-fas0", "fa-fas1"]},
        "pool.ru": {"ru-1": ["ru-rus1", "ru-rus0"]},
        "pool.zh": {"zh-1": []},
    }
    values = scores("neuclir_2023", data.parent, pools)
    assert values["en", "fa", "ndcg@20"] == 1 and values["en", "zh", "ndcg@20"] == 0
    # Gains 3 and 1, the other way round.
    assert values["en", "ru", "ndcg@20"] == pytest.approx((1 + 3 / log2(3)) / (3 + 1 / log2(3)))
    assert values["en", "ru", "map@1000"] == 1


def test_neuclir_of_2022_and_the_pool_of_all_languages(data: Path) -> None:
    put_neuclir(data)
    collection = find_benchmark("neuclir_2022:own-ru,").read(data)
    assert collection.sizes() == {"en": (1, 0), "ru": (0, 3)}
    assert collection.qrels.labels.tolist() == [3, 0]
    values = scores("neuclir_2023_mlir", data.parent, {"multilingual": {"1": ["rus2", "fas0", "zho1"]}})
    assert values["en", None, "ndcg@20"] == pytest.approx((3 / log2(3) + 1 / log2(4)) / (3 + 1 / log2(3)))
    with pytest.raises(BadInput, match=r"there are 1 questions instead of 46"):
        find_benchmark("neuclir_2022-fa").read(data)


def test_multi_eup_asks_the_titles_of_debates(data: Path) -> None:
    columns = ["did", "LANGUAGE", "TEXT", "title_EN", "title_DE", "title_GA", "qid_EN", "qid_DE", "qid_GA"]
    rows = [
        ["d0", "EN", "We said,\nin two lines", "Fish", "Fisch", "null", "q0", "q0", "null"],
        ["d1", "DE", "Wir sagten", "Fish", "Fisch", "0.0", "q0", "q0", ""],
        ["d2", "DE", "Etwas anderes", "Steel", "Stahl", "", "q1", "q1", ""],
    ]
    data.mkdir()
    with (data / "MultiEuP.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    collection = find_benchmark("multi_eup:own").read(data)
    assert [tuple(query) for query in collection.queries] == [
        ("en-q0", "en", "Fish"),
        ("de-q0", "de", "Fisch"),
        ("en-q1", "en", "Steel"),
        ("de-q1", "de", "Stahl"),
    ]
    assert collection.questions == ["en-q0", "en-q0", "en-q1", "en-q1"]
    assert collection.sizes() == {"de": (2, 2), "en": (2, 1)}
    assert {passage.passage_id: passage.text for passage in collection.passages}["d0"] == "We said,\nin two lines"
    pools = {
        "multilingual": {"en-q0": ["d2", "d1", "d0"], "en-q1": ["d0", "d1", "d2"], "de-q0": ["d0"], "de-q1": []},
        "pool.de": {"de-q0": ["d1"], "de-q1": ["d1", "d2"]},
        "pool.en": {"en-q0": ["d0"]},
    }
    values = scores("multi_eup", data.parent, pools)
    assert values["en", None, "mrr@100"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert values["de", None, "mrr@100"] == pytest.approx(1 / 2)
    assert values["de", "de", "mrr@100"] == pytest.approx((1 + 1 / 2) / 2)
    # No speech in English is about q1, so it is not asked there.
    assert values["en", "en", "mrr@100"] == 1
    assert len(multi_eup.BENCHMARK.counts) == 24


@pytest.mark.parametrize(
    "name", ["mmarco", "ms_marco", "mlqa", "belebele", "mkqa", "ciral", "neuclir_2022", "multi_eup"]
)
def test_an_empty_folder_is_refused_by_what_it_lacks(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no .*(tsv|json|jsonl|csv|qrels)"):
        BENCHMARKS[name].read(tmp_path)
