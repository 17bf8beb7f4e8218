"""Mr. TyDi and MIRACL in their published files; scores against trec_eval."""

import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from msm.collections.benchmarks import miracl, mr_tydi
from msm.collections.registry import BENCHMARKS, find_benchmark, find_split
from msm.collections.run_folder import write_pool
from msm.errors import BadInput
from msm.evaluation import stage
from msm.evaluation.settings import Score

TOPICS = "topics-qrels-sw"
SETTINGS = Score(
    benchmark="mr_tydi:goldp", questions="q", split="test", setting="zero-shot", model="m", ties="trec", seed=1
)


def rows(path: Path) -> Iterator[list[str]]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return (line.split("\t") for line in text.splitlines())


def write_passages(path: Path, passages: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(passage) + "\n" for passage in passages))


def goldp_passages(mirror: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Id of a Mr. TyDi question to its passage in TyDi's gold passages, and all of these as Mr. TyDi has them."""
    topics = {text: name for name, text in rows(mirror / TOPICS / "topics.mrtydi-v1.1-sw.test.txt.gz")}
    answers, passages = {}, []
    data = json.loads(gzip.decompress((mirror / "tydi-goldp" / "sw.dev.json.gz").read_bytes()))["data"]
    for article in data:
        for paragraph in article["paragraphs"]:
            name = f"{len(passages)}#0"
            passages.append({"id": name, "contents": f"{article['title']}\n\n{paragraph['context']}"})
            answers |= {topics[qa["question"]]: name for qa in paragraph["qas"] if qa["question"] in topics}
    return answers, passages


def test_a_real_swahili_pool_is_scored_as_by_trec_eval(mirror: Path, tmp_path: Path) -> None:
    answers, passages = goldp_passages(mirror)
    topics = dict(rows(mirror / TOPICS / "topics.mrtydi-v1.1-sw.test.txt.gz"))
    sw = tmp_path / "q" / "mrtydi-v1.1-swahili"
    write_passages(sw / "collection" / "docs.jsonl", passages)
    (sw / "topic.test.tsv").write_text("".join(f"{name}\t{topics[name]}\n" for name in answers))
    (sw / "qrels.test.txt").write_text("".join(f"{query}\tQ0\t{passage}\t1\n" for query, passage in answers.items()))
    collection = find_benchmark("mr_tydi:goldp").read(tmp_path / "q")
    assert collection.sizes() == {"sw": (len(answers), len(passages))}
    assert len(answers) > 400
    first = next(iter(collection.passages))
    assert first.title and f"{first.title}\n\n{first.text}" == passages[0]["contents"].strip()

    rng = np.random.default_rng(2)
    scores = rng.integers(0, 3000, size=(len(answers), len(passages))).astype(np.float32)
    places = {passage.passage_id: place for place, passage in enumerate(collection.passages)}
    relevant = [places[passage_id] for passage_id in collection.qrels.passage_ids.to_pylist()]
    scores[collection.qrels.queries, np.array(relevant)[collection.qrels.passages]] += rng.integers(
        0, 3000, len(answers)
    )
    places = np.argsort(-scores, axis=1, kind="stable")[:, :100]
    places[::9] = -1
    (tmp_path / "run").mkdir()
    (tmp_path / "out").mkdir()
    best_scores = np.take_along_axis(scores, places, axis=1)
    write_pool(tmp_path / "run", collection, collection.pools[0], places, best_scores, "t")
    stage.run(SETTINGS, sources=tmp_path, run=tmp_path / "run", out=tmp_path / "out")

    run = {query: {} for query in answers}
    for line in gzip.decompress((tmp_path / "run" / "pool.sw.trec.gz").read_bytes()).decode().splitlines():
        query, _, passage, _, score, _ = line.split()
        run[query][passage] = float(score)
    evaluator = pytrec_eval.RelevanceEvaluator({q: {p: 1} for q, p in answers.items()}, {"recip_rank", "recall.100"})
    expected = evaluator.evaluate(run)
    for line in (tmp_path / "out" / "scores.jsonl").read_text().splitlines():
        row = json.loads(line)
        name = {"mrr@100": "recip_rank", "recall@100": "recall_100"}[row["measure"]]
        value = sum(values[name] for values in expected.values()) / len(answers)
        assert row["value"] == pytest.approx(value, abs=1e-6)
        assert (row["benchmark"], row["queries"]) == ("goldp", len(answers))


def official(mirror: Path, folder: Path, passages: int) -> Path:
    """The published Swahili topics, and a corpus with as many passages."""
    place = folder / "sw"
    place.mkdir(parents=True)
    for name in ("topics.mrtydi-v1.1-sw.test.txt.gz", "qrels.mrtydi-v1.1-sw.test.txt"):
        shutil.copy(mirror / TOPICS / name, place)
    query_ids = dict.fromkeys(row[2] for row in rows(place / "qrels.mrtydi-v1.1-sw.test.txt"))
    ids = [*query_ids, *(f"x#{number}" for number in range(passages - len(query_ids)))]
    write_passages(place / "collection" / "docs.jsonl", [{"id": name, "contents": "a\n\nb\n\nc"} for name in ids])
    return folder


def test_the_official_mr_tydi_has_the_published_counts(mirror: Path, tmp_path: Path) -> None:
    folder = official(mirror, tmp_path, 136689)
    collection = find_benchmark("mr_tydi-sw").read(folder)
    assert collection.sizes() == {"sw": (670, 136689)}
    assert len(collection.qrels.labels) == 743
    assert next(iter(collection.passages))[2:4] == ("b", "a")
    with pytest.raises(BadInput, match=r"no folder mrtydi-v1\.1-arabic or ar"):
        find_benchmark("mr_tydi").read(folder)
    docs = folder / "sw" / "collection" / "docs.jsonl"
    docs.write_text("".join(docs.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(BadInput, match=r"sw has 136688 passages instead of 136689; .* --format mr_tydi"):
        find_benchmark("mr_tydi-sw").read(folder)
    assert find_benchmark("mr_tydi:mine").read(folder).sizes() == {"sw": (670, 136688)}
    with pytest.raises(BadInput, match=r"Mr\. TyDi has no 'xx'"):
        find_benchmark("mr_tydi-xx").read(folder)


@pytest.mark.parametrize(
    ("name", "split"), [("miracl-sw", "dev"), ("xor_retrieve", "dev"), ("mewsli_x", "dev"), ("lareqa", "test")]
)
def test_scores_of_published_questions_bear_their_split(name: str, split: str, tmp_path: Path) -> None:
    wrong = replace(SETTINGS, benchmark=name, split={"dev": "test", "test": "dev"}[split])
    with pytest.raises(BadInput, match=f"split must be {split}: that is what {name} reads"):
        stage.run(wrong, sources=tmp_path, run=tmp_path, out=tmp_path)
    assert find_split(name) == split and find_split("miracl:mine") is None


def test_the_published_counts_add_up() -> None:
    counts = mr_tydi.BENCHMARK.counts
    assert len(counts) == 11
    assert sum(sizes.questions or 0 for sizes in counts.values()) == 8661
    surprise = {"de", "yo"}
    totals = {
        language: sizes.questions or 0
        for language, sizes in miracl.BENCHMARK.counts.items()
        if language not in surprise
    }
    assert (len(totals), sum(totals.values())) == (16, 13071)


def test_miracl_reads_the_published_files(mirror: Path, tmp_path: Path) -> None:
    for path in (mirror / TOPICS).glob("*miracl*-dev.tsv"):
        shutil.copy(path, tmp_path)
    ids = list(dict.fromkeys(row[2] for row in rows(mirror / TOPICS / "qrels.miracl-v1.0-sw-dev.tsv")))
    records = [{"docid": name, "title": "t", "text": f"text {name}"} for name in ids]
    for shard, part in ((10, records[2000:]), (2, records[1000:2000]), (0, records[:1000])):
        write_passages(tmp_path / "miracl-corpus-v1.0-sw" / f"docs-{shard}.jsonl", part)
    collection = find_benchmark("miracl:mine").read(tmp_path)
    assert [passage.passage_id for passage in collection.passages] == ids
    assert (len(collection.queries), len(collection.qrels.labels)) == (482, 5092)
    assert set(collection.qrels.labels.tolist()) == {0, 1}
    with pytest.raises(BadInput, match=r"sw has .* passages instead of 131924"):
        find_benchmark("miracl-sw").read(tmp_path)


def test_languages_that_share_ids_stay_apart(tmp_path: Path) -> None:
    for language in ("fi", "sw"):
        write_passages(tmp_path / language / "docs.jsonl", [{"id": "1", "contents": "no title"}])
        (tmp_path / language / "topic.test.tsv").write_text("1\tq?\n")
        (tmp_path / language / "qrels.test.txt").write_text("1 0 1 1\n1 0 gone 0\n")
    collection = find_benchmark("mr_tydi:two").read(tmp_path)
    assert [query.query_id for query in collection.queries] == ["fi-1", "sw-1"]
    assert [passage.passage_id for passage in collection.passages] == ["fi-1", "sw-1"]
    assert [collection.pool_qrels(pool).passages.tolist() for pool in collection.pools] == [[0], [1]]
    assert next(iter(collection.passages))[2:4] == ("no title", "")
    (tmp_path / "fi" / "qrels.test.txt").write_text("1 0 gone 1\n")
    collection = find_benchmark("mr_tydi:two").read(tmp_path)
    assert collection.missing() == ["fi-gone"]
    assert [len(collection.pool_qrels(pool).labels) for pool in collection.pools] == [1, 1]


@pytest.mark.parametrize("name", ["xor_retrieve", "mewsli_x", "x-sim", "Mr.TyDi", "beir:mr_tydi", "mr_tydi:miracl", ""])
def test_official_names_are_not_for_pools_of_ones_own(name: str) -> None:
    if name not in BENCHMARKS:
        with pytest.raises(BadInput, match="is no name for data of your own" if ":" in name else "unknown benchmark"):
            find_benchmark(name)
