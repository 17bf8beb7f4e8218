"""Mining: what a filter takes, ranks of a model against sorted scores, a run, and train - mine - train as stages."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from msm.cli.main import main
from msm.collections.examples import read_examples
from msm.collections.readers.records_json import mined_row
from msm.collections.records import Example, Passage, Query
from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder, save_encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import write_json_lines
from msm.finetuning.mine import MiningCounts, RankedPassage, mine, rank_by_model, rank_by_run, read_passages
from msm.finetuning.settings import Mine
from msm.pipeline import recipes, runner
from msm.pipeline.artifacts import read_manifest
from msm.pipeline.tasks import tasks
from tests.finetuning.made import examples


def form(**changes: Any) -> Mine:
    values: dict[str, Any] = {
        "examples": "",
        "dev_examples": "",
        "language": "en",
        "passage_unit": "sentence",
        "corpus": "",
        "depth_from": 1,
        "depth_to": 10,
        "negatives": 10,
        "choice": "first",
        "filters": "",
        "margin": 0.0,
        "precision": "fp32",
        "batch_tokens": 1000,
        "seed": 1,
    }
    return Mine(**(values | changes))


EXAMPLE = Example(
    Query("q", "en", "who?"), Passage("7#0", "en", "It was Smith.", "Case"), [], others=("9#9",), answers=("Smith",)
)
RANKING = [
    RankedPassage(Passage("1#0", "en", "above it", "A"), 9.0),
    RankedPassage(Passage("7#0", "en", "It was Smith.", "Case"), 8.0),
    RankedPassage(Passage("2#0", "en", "It was Smith.", "B"), 7.9),
    RankedPassage(Passage("9#9", "en", "also right", "C"), 7.8),
    RankedPassage(Passage("7#3", "en", "same article", ""), 7.0),
    RankedPassage(Passage("3#0", "en", "same title", "Case"), 6.0),
    RankedPassage(Passage("4#0", "en", "a SMITH elsewhere", "D"), 5.0),
    RankedPassage(Passage("5#0", "en", "far", "E"), 4.0),
    RankedPassage(Passage("6#0", "en", "farther", "F"), 3.0),
]


@pytest.mark.parametrize(
    ("changes", "negatives"),
    [
        ({}, ["1#0", "7#3", "3#0", "4#0", "5#0", "6#0"]),
        ({"filters": "score"}, ["7#3", "3#0", "4#0", "5#0", "6#0"]),
        ({"filters": "score", "margin": 3.0}, ["5#0", "6#0"]),
        ({"filters": "answer"}, ["1#0", "7#3", "3#0", "5#0", "6#0"]),
        ({"filters": "document"}, ["1#0", "4#0", "5#0", "6#0"]),
        ({"filters": "answer, document, score"}, ["5#0", "6#0"]),
        ({"depth_from": 5, "depth_to": 6}, ["7#3", "3#0"]),
        ({"negatives": 2}, ["1#0", "7#3"]),
    ],
)
def test_what_is_left(changes: dict[str, Any], negatives: list[str]) -> None:
    counts = MiningCounts()
    (example,) = mine([EXAMPLE], lambda _: (RANKING, 8.0), form(**changes), counts)
    assert [passage.passage_id for passage in example.negatives] == negatives
    assert counts.negatives == len(negatives)
    count = counts.positive + counts.answer + counts.document + counts.score
    assert counts.candidates - count >= counts.negatives


def test_random_negatives_are_the_same_again_and_keep_their_order() -> None:
    random_form = form(choice="random", negatives=2)
    draws = [
        [
            [passage.passage_id for passage in one.negatives]
            for one in mine([EXAMPLE] * 20, ranking, random_form, MiningCounts())
        ]
        for ranking in [lambda _: (RANKING, 8.0)] * 2
    ]
    assert draws[0] == draws[1]
    assert len({tuple(ids) for ids in draws[0]}) > 5
    order = [entry.passage.passage_id for entry in RANKING]
    assert all(ids == sorted(ids, key=order.index) for ids in draws[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filters": "answers"}, "filters are answer, document and score, got answers"),
        ({"depth_from": 3, "depth_to": 2}, "depth_from must be at most depth_to, got 3 and 2"),
    ],
)
def test_settings_without_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        form(**changes)


def test_a_models_ranking_is_that_of_sorted_scores(encoder: Path) -> None:
    model = new_encoder(encoder, EncoderForm("mean", "dot", 24, 24, towers="two"))
    inputs = examples(9, 2)
    passages = read_passages(Path(), "", inputs)
    assert len(passages) == 27
    ranking = rank_by_model(inputs, passages, model, depth=5)
    scores = model.encode_queries([one.query.text for one in inputs]) @ model.encode_passages(passages).T
    for place, row in enumerate(scores):
        entries, positive_score = ranking(place)
        np.testing.assert_allclose([one.score for one in entries], np.sort(row)[::-1][:5], rtol=1e-5)
        assert positive_score == pytest.approx(row[3 * place], rel=1e-4)


def test_a_run_and_a_corpus_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = [{"docid": "7#0", "title": "Case", "text": "It was Smith."}, {"id": "1#0", "contents": "A\n\nabove it"}]
    corpus.append({"_id": "5#0", "text": "far"})
    write_json_lines(tmp_path / "corpus.jsonl", corpus)
    write_json_lines(tmp_path / "train.jsonl", [mined_row(EXAMPLE)])
    (tmp_path / "bm25.trec").write_text("q Q0 1#0 1 9 b\nq Q0 7#0 2 8 b\nq Q0 5#0 3 7 b\n")
    out = tmp_path / "mined.jsonl.gz"
    words = ["mine", "--run", str(tmp_path / "bm25.trec"), "--corpus", str(tmp_path / "corpus.jsonl")]
    words += ["--examples", str(tmp_path / "train.jsonl"), "--out", str(out)]
    main(words)
    (example,) = read_examples(tmp_path, ["mined.jsonl"], "en")
    assert [passage[:4] for passage in example.negatives] == [("5#0", "und", "far", "")]
    assert "1 examples, 1 negatives, 0 without" in capsys.readouterr().err
    main([*words, "--filters", "answer"])
    (example,) = read_examples(tmp_path, ["mined.jsonl"], "en")
    assert [passage.title for passage in example.negatives] == ["A", ""]
    (tmp_path / "none.jsonl").write_text("")
    for wrong, message in (
        (["--depth", "10"], "--depth must be FROM-TO"),
        (["--out", "mined.txt"], "--out must end in .jsonl"),
        (["--margin", "nan"], "margin must be finite"),
        (["--corpus", str(tmp_path / "none.jsonl")], "no passage"),
    ):
        with pytest.raises(SystemExit) as error:
            main([*words, *wrong])
        assert error.value.code == 2
        assert message in capsys.readouterr().err


def test_a_run_of_another_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bm25.trec").write_text("q Q0 nowhere 1 9 b\n")
    with pytest.raises(BadInput, match="passage nowhere is not in the corpus"):
        rank_by_run(tmp_path / "bm25.trec", [EXAMPLE], [EXAMPLE.positive])


@pytest.mark.slow
def test_train_mine_train_as_stages(tiny: Path, tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "recipes"
    recipe, rounds = recipes.load(folder / "tiny.yaml"), recipes.load(folder / "rounds.yaml")
    first_rows = {name: [dict(rounds[name][0])] for name in ("mining", "rounds")}
    recipe |= {"mine": rounds["mine"], **first_rows}
    for (row,) in first_rows.values():
        row |= {"model": "untrained"} if "model" in row else {"start": "encoder/ordered"}
    recipe["finetune"] |= {"steps": 4}
    stages = {task.name: task for task in tasks(recipe, "tiny")}
    folders = {"sources": tiny / "sources/world", "weights": tiny / "encoder/ordered-1"}
    first, mining, second = (tmp_path / name for name in ("first", "mined", "second"))
    for name, row, reads, out in (
        ("finetune", "untrained", {}, first),
        ("mine", "first", {"model": first}, mining),
        ("finetune", "msm-mined", {"sources": mining}, second),
    ):
        task = stages[f"{name}/constructed-{row}-1"]
        inputs = {input_name: (folders | reads)[input_name] for input_name in task.reads}
        runner.run_stage(task.stage, task.settings, inputs, out, Execution(work=tmp_path / "work" / row, device="cpu"))
    facts = read_manifest(mining)["facts"]
    assert facts["kept"] > 0
    examples = read_examples(mining / "files", ["train.jsonl"], "qaa")
    assert len(examples) == facts["examples"]
    assert sum(len(one.negatives) for one in examples) == facts["kept"]
    rows = (second / "log.jsonl").read_text().splitlines()
    assert len(rows) == 4
    assert 16 < json.loads(rows[-1])["softmax_candidates"] <= 32


def test_a_saved_model_mines_by_the_command(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    save_encoder(new_encoder(encoder, EncoderForm("cls", "cosine", 24, 24)), tmp_path / "model")
    write_json_lines(tmp_path / "train.jsonl", map(mined_row, examples(6)))
    words = ["mine", "--model", str(tmp_path / "model"), "--examples", str(tmp_path / "train.jsonl"), "--filters", ""]
    main([*words, "--depth", "1-4", "--device", "cpu", "--out", str(tmp_path / "mined.jsonl")])
    assert all(2 <= len(one.negatives) <= 4 for one in read_examples(tmp_path, ["mined.jsonl"], "en"))
