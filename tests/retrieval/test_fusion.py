"""Fusion against the same formula in plain loops over dictionaries."""

import json
from pathlib import Path

import numpy as np
import pytest

from msm.cli.main import main
from msm.collections.runs import Run, sorted_run
from msm.collections.trec_files import read_run, write_run
from msm.retrieval.fusion import fuse

Lists = dict[str, dict[str, float]]


def lists(seed: int, queries: int) -> Lists:
    random = np.random.default_rng(seed)
    scores_by_query = {}
    for number in range(queries):
        names = random.choice(30, random.integers(1, 12), replace=False)
        scores_by_query[f"q{number + seed}"] = {f"d{name}": float(np.float32(random.normal() * 9)) for name in names}
    return scores_by_query


def run_of(lists: Lists) -> Run:
    queries, passages = list(lists), sorted({name for names in lists.values() for name in names})
    rows = [(q, passages.index(name), score) for q, query in enumerate(queries) for name, score in lists[query].items()]
    query_numbers, places, scores = map(np.array, zip(*rows, strict=True))
    return sorted_run(queries, passages, query_numbers, places, scores)


def by_loops(dense: Lists, sparse: Lists, alpha: float) -> Lists:
    fusion: Lists = {}
    for query in dense | sparse:
        parts = []
        for hits, weight in ((dense.get(query, {}), alpha), (sparse.get(query, {}), 1.0)):
            low, high = min(hits.values(), default=0.0), max(hits.values(), default=0.0)
            parts.append((hits, weight, low, high))
        names = dense.get(query, {}) | sparse.get(query, {})
        fusion[query] = {
            name: sum(
                weight * (hits.get(name, low) - (low + high) / 2) / ((high - low) or 1)
                for hits, weight, low, high in parts
            )
            for name in names
        }
    return fusion


@pytest.mark.parametrize("alpha", [0.3, 1.0, 1.7])
def test_fusion_equals_the_formula(alpha: float) -> None:
    dense, sparse = lists(0, 20), lists(2, 20)
    fusion, expected = fuse(run_of(dense), run_of(sparse), alpha, 1000), by_loops(dense, sparse, alpha)
    assert set(fusion.query_ids.to_pylist()) == set(expected)
    queries, passages = fusion.query_ids.to_pylist(), fusion.passage_ids.to_pylist()
    entries = list(zip(fusion.queries, fusion.passages, fusion.scores, strict=True))
    assert len(entries) == sum(map(len, expected.values()))
    for query, passage, score in entries:
        assert score == pytest.approx(expected[queries[query]][passages[passage]], abs=1e-6)
    short = fuse(run_of(dense), run_of(sparse), alpha, 5)
    assert np.bincount(short.queries).max() == 5
    for number, query in enumerate(short.query_ids.to_pylist()):
        best = sorted(expected[query].values(), reverse=True)[:5]
        np.testing.assert_allclose(short.scores[short.queries == number], best, atol=1e-6)


def test_the_weight_is_chosen_on_dev_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the sparse list knows the answers, so the least weight of the dense one is the best."""
    dense, sparse = lists(0, 20), lists(2, 20)
    for name, run in (("dense", dense), ("sparse", sparse)):
        write_run(tmp_path / name, run_of(run), "t")
    qrels = [f"{query} 0 {max(names, key=names.__getitem__)} 1\n" for query, names in sparse.items()]
    (tmp_path / "qrels").write_text("".join(qrels))
    files = [str(tmp_path / name) for name in ("dense", "sparse", "qrels")]
    out = str(tmp_path / "out.trec.gz")
    main(["fuse", "--dense", files[0], "--sparse", files[1], "--dev", *files, "--out", out])
    choice = json.loads(capsys.readouterr().out)
    assert choice["alpha"] <= 0.5 and choice["dev"] > 0.9
    assert len(read_run(Path(out)).query_ids) == 22
    with pytest.raises(SystemExit):
        main(["fuse", "--dense", files[0], "--sparse", files[1], "--out", out])
    assert "give either --alpha or --dev" in capsys.readouterr().err
