"""Data sets through `datasets` and `ir_datasets`, without a network: what is read equals what the files hold."""

import json
import sys
from pathlib import Path
from typing import Any

import ir_datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from msm.cli.main import main
from msm.collections.collection import Collection
from msm.collections.registry import find_benchmark, find_split, reference
from msm.errors import BadInput

CARD = """---
configs:
- config_name: sw-corpus
  data_files: [{split: corpus, path: sw/passages-*}]
- config_name: sw-queries
  data_files: [{split: queries, path: sw/asked.*}]
- config_name: sw-qrels
  data_files: [{split: dev, path: sw/dev.*}, {split: test, path: sw/test.*}]
---
"""
PASSAGES = [{"_id": "a b", "title": "A", "text": "moja"}, {"_id": "b", "title": "", "text": "mbili\u2028tatu"}]
QUERIES = [{"_id": "1", "text": "gani?"}, {"_id": "2", "text": "not judged in test"}]


def put_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def judged(collection: Collection) -> list[tuple[str, str, int]]:
    passages = collection.qrels.passage_ids.to_pylist()
    return [
        (collection.queries[query].query_id, passages[passage], int(label))
        for query, passage, label in zip(*collection.qrels[2:], strict=True)
    ]


def put_repository(folder: Path, ending: str) -> Path:
    """A repository with a card, as `OWNER/NAME` in the folder of the data; passages in two files."""
    place = folder / "own" / "tiny" / "sw"
    for number, row in enumerate(PASSAGES):
        put_rows(place / f"passages-{number}.{ending}", [row])
    put_rows(place / f"asked.{ending}", QUERIES)
    put_rows(place / f"dev.{ending}", [{"query-id": "2", "corpus-id": "b", "score": 1}])
    put_rows(place / f"test.{ending}", [{"query-id": "1", "corpus-id": "a b", "score": 2}])
    (place.parent / "README.md").write_text(CARD)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return put_repository(tmp_path / "data", "jsonl")


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_repository_on_disk_is_read_by_its_configurations(tmp_path: Path, ending: str) -> None:
    repository = put_repository(tmp_path, ending)
    collection = find_benchmark("hf:own/tiny/sw").read(repository)
    assert [tuple(query) for query in collection.queries] == [("1", "sw", "gani?")]
    assert [(passage.passage_id, passage.title, passage.text) for passage in collection.passages] == [
        ("a b", "A", "moja"),
        ("b", "", "mbili\u2028tatu"),
    ]
    assert collection.sizes() == {"sw": (1, 2)}
    assert judged(collection) == [("1", "a b", 2)]
    assert find_split("hf:own/tiny/sw") is None
    assert reference("own/tiny/sw", "hf") == reference("hf:own/tiny/sw") == "hf:own/tiny/sw"
    with pytest.raises(BadInput, match=r"no configuration fi-.*; there are sw-corpus, sw-qrels, sw-queries"):
        find_benchmark("hf:own/tiny/fi").read(repository)


@pytest.mark.slow
def test_evaluate_reads_a_repository(repository: Path, tmp_path: Path) -> None:
    put_rows(repository / "own" / "tiny" / "sw" / "asked.jsonl", [{"_id": "1", "text": "moja"}])
    words = ["--model", "bm25", "--data", str(repository), "--out", str(tmp_path / "out")]
    main(["evaluate", "--benchmark", "hf:own/tiny/sw", *words])
    rows = [json.loads(line) for line in (tmp_path / "out" / "scores.jsonl").read_text().splitlines()]
    assert {row["value"] for row in rows if row["measure"] == "ndcg@10"} == {1.0}
    assert {row["benchmark"] for row in rows} == {"own/tiny/sw"}


def test_a_repository_without_configurations_is_read_by_its_files(tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    put_rows(place / "corpus" / "corpus.jsonl", PASSAGES)
    put_rows(place / "queries" / "queries.jsonl", QUERIES)
    put_rows(place / "qrels" / "test.jsonl", [{"query-id": "2", "corpus-id": "b", "score": 1}])
    assert judged(find_benchmark("hf:own/tiny").read(tmp_path)) == [("2", "b", 1)]


def test_broken_files_and_names_are_refused_in_one_line(repository: Path) -> None:
    (repository / "own" / "tiny" / "sw" / "asked.jsonl").write_text('{"_id": "1", "te\n')
    with pytest.raises(BadInput, match=r"own/tiny: not read by `datasets`: ") as refusal:
        find_benchmark("hf:own/tiny/sw").read(repository)
    assert "\n" not in str(refusal.value)
    with pytest.raises(BadInput, match="expected hf:OWNER/NAME"):
        find_benchmark("hf:tiny")
    with pytest.raises(BadInput, match=r"own/other: not in .*data; `msm evaluate` in one process downloads it"):
        find_benchmark("hf:own/other").read(repository)


def test_the_folder_of_the_data_may_be_the_repository(repository: Path) -> None:
    assert judged(find_benchmark("hf:own/tiny/sw").read(repository / "own" / "tiny")) == [("1", "a b", 2)]


@pytest.mark.parametrize(("name", "package"), [("hf:own/tiny/sw", "datasets"), ("ir_datasets:x/y", "ir_datasets")])
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    name: str, package: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(repository.resolve()))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=rf"needs the package {package}: pip install 'msm-bench\[hub\]'"):
        find_benchmark(name).read(repository)


def test_a_data_set_of_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path.resolve()))
    (tmp_path / "docs.tsv").write_text("a\tone\nb\ttwo\n")
    (tmp_path / "queries.tsv").write_text("1\twhich?\n2\tnobody judged\n")
    (tmp_path / "qrels").write_text("1 0 b 3\n")
    local, formats = ir_datasets.util.LocalDownload, ir_datasets.formats
    dataset = ir_datasets.Dataset(
        formats.TsvDocs(local(str(tmp_path / "docs.tsv")), lang="fi"),
        formats.TsvQueries(local(str(tmp_path / "queries.tsv")), lang="iw"),
        formats.TrecQrels(local(str(tmp_path / "qrels")), {}),
    )
    monkeypatch.setitem(ir_datasets.registry._registered, "tiny/own", dataset)
    benchmark = find_benchmark("ir_datasets:tiny/own")
    assert benchmark.fetch
    benchmark.fetch(tmp_path)
    collection = benchmark.read(tmp_path)
    assert [tuple(query) for query in collection.queries] == [("1", "he", "which?")]
    assert [tuple(passage)[:3] for passage in collection.passages] == [("a", "fi", "one"), ("b", "fi", "two")]
    assert judged(collection) == [("1", "b", 3)]
    with pytest.raises(BadInput, match="tiny/other: not in the catalogue"):
        find_benchmark("ir_datasets:tiny/other").read(tmp_path)
    with pytest.raises(BadInput, match="keeps its files in"):
        benchmark.read(tmp_path / "elsewhere")


def test_the_rules_of_beir_hold_in_the_catalogue_too() -> None:
    assert find_benchmark("ir_datasets:beir/arguana").own_ids == "dropped"
    assert find_benchmark("ir_datasets:mr-tydi/sw/test").own_ids == "kept"
