"""`msm score --benchmark`: runs and vectors of other systems; every example of docs/own_runs.md is run."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from msm.cli.main import main
from msm.collections.foreign_runs import read_foreign_run
from msm.collections.foreign_vectors import ForeignVectors
from msm.collections.registry import find_benchmark
from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder, save_encoder
from msm.errors import BadInput

PAGE = Path(__file__).parents[2] / "docs" / "own_runs.md"
WORDS = ["fudi", "moro", "pepiga", "bud", "Deti", "ra", "vipa"]


def rows(path: Path) -> list[dict[str, Any]]:
    """Lines of a file of JSON."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def means(folder: Path) -> dict[str, float]:
    """Means over languages by measure."""
    return {row["measure"]: row["value"] for row in rows(folder / "scores.jsonl") if row["query_language"] == "mean"}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A working folder with `data` and `runs`, and what the examples of the page know."""
    random = np.random.default_rng(0)
    texts = {f"d{number}": " ".join([f"{number}", *random.choice(WORDS, 5)]) for number in range(40)}
    queries = {f"q{number}": texts[f"d{5 * number}"] for number in range(6)}
    relevant = {f"q{number}": {f"d{5 * number}", f"d{5 * number + 1}"} for number in range(6)}
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    (tmp_path / "runs").mkdir()
    for name, entries in (("corpus", texts), ("queries", queries)):
        lines = [{"_id": key, "title": "", "text": text} for key, text in entries.items()]
        (data / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    qrels = "".join(f"{query}\t{passage}\t1\n" for query, passages in relevant.items() for passage in sorted(passages))
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels)
    monkeypatch.chdir(tmp_path)
    vectors = {text: random.standard_normal(16) for text in [*texts.values(), *queries.values()]}
    scores = {
        query: {key: float(vectors[queries[query]] @ vectors[text]) for key, text in texts.items()} for query in queries
    }
    results = {query: sorted(passages.items(), key=lambda hit: -hit[1]) for query, passages in scores.items()}
    return {
        "queries": queries,
        "corpus": texts,
        "relevant": relevant,
        "results": results,
        "embed": lambda batch: [vectors[text] for text in batch],
    }


def blocks(section: str) -> list[tuple[str, str]]:
    """Language and text of the fenced blocks of a section of the page."""
    [text] = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def follow(section: str, names: dict[str, Any]) -> None:
    """Do what a section of the page says."""
    for language, text in blocks(section):
        if language == "python":
            exec(compile(text, f"{PAGE}: {section}", "exec"), names)
        else:
            main(shlex.split(text)[1:])


@pytest.mark.parametrize(
    ("section", "folder"),
    [
        ("Pyserini", "pyserini"),
        ("Tevatron", "tevatron"),
        ("PyLate", "pylate"),
        ("A closed model behind an API", "closed"),
    ],
)
def test_the_page_is_true(section: str, folder: str, toy: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    follow(section, dict(toy))
    cells = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    values = means(Path("scores") / folder)
    assert {row[0].strip(","): row[-1] for row in cells} == {name: f"{100 * values[name]:.1f}" for name in values}
    hits = {query: [key for key, _ in ranking] for query, ranking in toy["results"].items()}
    if folder == "closed":
        unit = {key: np.array(toy["embed"]([text])[0]) for key, text in (toy["corpus"] | toy["queries"]).items()}
        unit = {key: vector / np.linalg.norm(vector) for key, vector in unit.items()}
        hits = {
            query: sorted(toy["corpus"], key=lambda key: -float(unit[query] @ unit[key])) for query in toy["queries"]
        }
    firsts = [min(hits[query].index(key) for key in right) for query, right in toy["relevant"].items()]
    assert values["mrr@100"] == pytest.approx(float(np.mean([1 / (1 + first) for first in firsts])))
    assert (Path("scores") / folder / "score" / "scores" / "per_query.parquet").is_file()


def test_the_page_is_true_for_sentence_transformers(encoder: Path, toy: dict[str, Any]) -> None:
    save_encoder(new_encoder(encoder, EncoderForm("mean", "cosine", 24, 24)), Path("model"))
    model = SentenceTransformer("model", device="cpu")
    follow("sentence-transformers", toy | {"model": model})
    cosines = model.encode(list(toy["queries"].values())) @ model.encode(list(toy["corpus"].values())).T
    order = np.argsort(-cosines, axis=1).tolist()
    keys = list(toy["corpus"])
    firsts = [
        min(row.index(keys.index(key)) for key in right)
        for row, right in zip(order, toy["relevant"].values(), strict=True)
    ]
    assert means(Path("scores/st"))["mrr@100"] == pytest.approx(
        float(np.mean([1 / (1 + first) for first in firsts])), abs=1e-3
    )


def test_every_form_of_one_ranking_is_one_run(toy: dict[str, Any]) -> None:
    ids, passages = list(toy["queries"]), list(toy["corpus"])
    results = {query: hits[:7] for query, hits in toy["results"].items()}
    entries = [(q, p, rank, score) for q, hits in results.items() for rank, (p, score) in enumerate(hits, start=1)]
    forms = {
        "trec.txt": "".join(f"{q} Q0 {p} {rank} {score} tag\n" for q, p, rank, score in entries),
        "tevatron.tsv": "".join(f"{q}\t{p}\t{score}\n" for q, p, _, score in entries),
        "msmarco.tsv": "".join(f"{q}\t{p}\t{rank}\n" for q, p, rank, _ in entries),
        "four.tsv": "".join(f"{q}\t{p}\t{rank}\t{score}\n" for q, p, rank, score in entries),
        "beir.json": json.dumps({q: dict(hits) for q, hits in results.items()}),
        "pylate.json": json.dumps([[{"id": p, "score": s} for p, s in hits] for hits in results.values()]),
        "semantic_search.json": json.dumps(
            [[{"corpus_id": passages.index(p), "score": s} for p, s in hits] for hits in results.values()]
        ),
        "evaluator.jsonl": "".join(
            json.dumps({"query_id": q, "query": "", "results": [{"corpus_id": p, "score": s} for p, s in hits]}) + "\n"
            for q, hits in results.items()
        ),
    }
    for name, text in forms.items():
        path = Path("runs") / name
        path.write_text(text)
        run = read_foreign_run(path, ids, passages)
        names = (
            run.query_ids.take(run.queries.tolist()).to_pylist(),
            run.passage_ids.take(run.passages.tolist()).to_pylist(),
        )
        assert list(zip(*names, strict=True)) == [(q, p) for q, p, _, _ in entries], name


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "q0\td0\t1.5\nq0\td1\n", r"a.tsv:2: expected 3 columns"),
        ("a.tsv", "q0\td0\tnan\n", r"a.tsv:1: score is not a finite number: nan"),
        ("a.tsv", "q0\td0\t1.5\nq0\td0\t1.0\n", r"query q0, passage d0: twice"),
        ("a.json", '[[{"id": "d0", "score": 1}]]', r"1 lists for 6 queries"),
        ("a.json", '{"q0": [{"score": 1}]}', r"query q0: a passage must have an id"),
        ("a.json", '{"q0": {"d0": null}}', r"query q0: passage d0: score is not a finite number"),
        ("a.json", "{", r"not JSON"),
        ("a.jsonl", '{"query_id": "q0"}\n', r"a.jsonl:1: expected query_id and a list"),
        ("a.tsv", "q0\td0\t1.5\nq0\tno\t1\n", r"1 of 2 passage ids are not of this benchmark, such as no"),
        ("a.tsv", "q0\tno\u2028no\t1\n", r"such as no no; its own"),
    ],
)
def test_what_is_no_run_is_one_line_and_nothing_is_written(
    name: str, text: str, message: str, toy: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("runs", name).write_text(text)
    with pytest.raises(SystemExit) as end:
        main(
            [
                "score",
                "--format",
                "beir",
                "--benchmark",
                "toy",
                "--data",
                "data",
                "--run",
                f"runs/{name}",
                "--out",
                "out",
            ]
        )
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert re.search(message, error) and len(error.splitlines()) == 1
    assert not Path("out").exists()


def test_missing_questions_and_shallow_runs_are_said(toy: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    lines = [f"q{number} Q0 d{place} 1 {-place} t" for number in range(4) for place in range(39, 35, -1)]
    Path("runs/few.trec").write_text("\n".join(lines) + "\n")
    main(
        ["score", "--format", "beir", "--benchmark", "toy", "--data", "data", "--run", "runs/few.trec", "--out", "out"]
    )
    assert "the run lacks 2 of 6 judged questions, such as q4; they count 0" in caplog.text
    values = means(Path("out"))
    assert values["recall@100"] is None
    measures = {row["measure"] for row in rows(Path("out/scores.jsonl")) if row["value"] is not None}
    assert "recall@100" not in measures


def test_pools_are_filled_by_name_or_by_language(
    mirror: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for language in ("de", "th"):
        (data / f"{language}.json.gz").write_bytes((mirror / "xquad-r" / f"{language}.json.gz").read_bytes())
    collection = find_benchmark("lareqa:small").read(data)
    random = np.random.default_rng(1)
    passages = list(collection.passages)
    lines: dict[str, list[str]] = {"all.trec": [], "pool.de.trec": []}
    for query in collection.queries:
        for place in random.choice(len(passages), 30, replace=False):
            line = f"{query.query_id} Q0 {passages[place].passage_id} 1 {random.random():.6f} t\n"
            lines["all.trec"].append(line)
            if passages[place].language == "de":
                lines["pool.de.trec"].append(line)
    for name, text in lines.items():
        (tmp_path / name).write_text("".join(text))
    words = ["score", "--format", "lareqa", "--benchmark", "small", "--data", data, "--out", tmp_path / "out"]
    main([str(word) for word in [*words, "--run", tmp_path / "all.trec", tmp_path / "pool.de.trec"]])
    score_lines = rows(tmp_path / "out" / "scores.jsonl")
    assert {row["candidate_language"] for row in score_lines} == {None, "de", "same", "other"}
    assert "no run for the pools pool.th" in caplog.text
    assert "pools multilingual,pool.de" in score_lines[0]["protocol"]
    assert (tmp_path / "out" / "score" / "scores" / "languages.jsonl").is_file()


def test_vectors_with_other_ids_or_widths_are_refused(tmp_path: Path) -> None:
    vectors = np.eye(3, 4, dtype=np.float32)
    np.save(tmp_path / "v.npy", vectors)
    with pytest.raises(BadInput, match="no file of ids beside it"):
        ForeignVectors(tmp_path / "v.npy", ["a"])
    (tmp_path / "v.ids.txt").write_text("a\nb\nc\n")
    good_vectors = ForeignVectors(tmp_path / "v.npy", ["c", "a"])
    np.testing.assert_array_equal(good_vectors.read(slice(None), unit_length=True), vectors[[2, 0]])
    with pytest.raises(BadInput, match="no vector for 1 of 2 texts, such as d"):
        ForeignVectors(tmp_path / "v.npy", ["a", "d"])
    (tmp_path / "v.ids.txt").write_text("a\nb\n")
    with pytest.raises(BadInput, match="2 ids for vectors of shape"):
        ForeignVectors(tmp_path / "v.npy", ["a"])
    (tmp_path / "ids.json").write_text('["a", "b", "a"]')
    with pytest.raises(BadInput, match="an id stands twice: a"):
        ForeignVectors(tmp_path / "v.npy", ["a"], tmp_path / "ids.json")
    (tmp_path / "empty.npz").touch()
    with pytest.raises(BadInput, match=r"empty\.npz: not \.npy, nor \.npz"):
        ForeignVectors(tmp_path / "empty.npz", ["a"])
    np.savez(tmp_path / "w.npz", ids=np.array(["a"]), vectors=np.array([[np.nan, 1.0]]))
    with pytest.raises(BadInput, match="not finite"):
        ForeignVectors(tmp_path / "w.npz", ["a"]).read(slice(None), unit_length=False)
