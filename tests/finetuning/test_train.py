"""The stage: both model forms end to end, a second stage from the first, selection, early stopping, resuming."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from msm.encoders.loading import open_encoder
from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.evaluation.stage import run as score
from msm.execution import Execution
from msm.files import write_json_lines
from msm.finetuning.dev import make_dev_set, ranks
from msm.finetuning.selection import BestWeights
from msm.finetuning.settings import Finetune
from msm.finetuning.train import run
from msm.retrieval.settings import Retrieve
from msm.retrieval.stage import run as retrieve
from msm.settings import flattened
from msm.training import read_log
from tests.finetuning.made import examples, settings

DPR = {"towers": "two", "pooling": "mean", "similarity": "dot", "scale": 1.0, "learn_scale": "no"}
XTREME = {"pooling": "pooler", "scale": 100.0, "learn_scale": "yes", "hard_negatives": 0}


def finetune(form: Finetune, sources: Path, weights: Path, folder: Path) -> dict[str, Any]:
    out = folder / "model"
    out.mkdir(parents=True)
    return run(form, sources=sources, weights=weights, out=out, execution=Execution(folder / "work", device="cpu"))


def vectors(folder: Path, text: str = "fudi moro?") -> np.ndarray:
    return open_encoder(folder, device=torch.device("cpu"), precision="fp32").encode_queries([text])


@pytest.mark.parametrize("form", [DPR | {"question_mark": "stripped"}, XTREME], ids=["dpr", "xtreme"])
def test_a_second_stage_starts_from_the_first(
    sources: Path, encoder: Path, tmp_path: Path, form: dict[str, Any]
) -> None:
    facts = finetune(settings(**form), sources, encoder, tmp_path / "first")
    assert facts["steps"] == 6
    assert facts["dev_mean_rank"] >= 1
    first = tmp_path / "first" / "model"
    # Without a step the second stage gives the first one's vectors, both towers and the pooler included.
    finetune(settings(**(form | {"steps": 0})), sources, first, tmp_path / "second")
    np.testing.assert_array_equal(vectors(first), vectors(tmp_path / "second" / "model"))
    assert np.abs(vectors(first) - vectors(first, "vipa")).max() > 1e-4
    if form["towers" if "towers" in form else "pooling"] == "two":
        np.testing.assert_array_equal(vectors(first), vectors(first, "fudi moro"))
        weights = [load_file(first / f"{side}_0_Transformer" / "model.safetensors") for side in ("query", "document")]
        assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_resumed_training_gives_the_same_bits(sources: Path, encoder: Path, tmp_path: Path) -> None:
    form = settings(**DPR, keep="dev_mean_rank", dev_steps=2, from_share=0.3)
    straight = finetune(form, sources, encoder, tmp_path / "straight")
    work = tmp_path / "again" / "work"
    finetune(dataclasses.replace(form, steps=4), sources, encoder, tmp_path / "short")
    (tmp_path / "again").mkdir()
    # What a kill between steps 2 and 4 leaves: a checkpoint of step 2, looks and log lines beyond it.
    (tmp_path / "short" / "work").rename(work)
    for file in work.glob("step-000000004*"):
        file.unlink()
    facts = finetune(form, sources, encoder, tmp_path / "again")
    assert facts["resumed_from"] == 2
    assert facts["selected_step"] == straight["selected_step"] >= 2
    for side in ("query", "document"):
        one = load_file(tmp_path / "straight" / "model" / f"{side}_0_Transformer" / "model.safetensors")
        other = load_file(tmp_path / "again" / "model" / f"{side}_0_Transformer" / "model.safetensors")
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_training_stops_early_and_keeps_the_best(sources: Path, encoder: Path, tmp_path: Path) -> None:
    """A rate so high that the dev loss only rises after the first look."""
    form = settings(steps=40, learning_rate=0.5, dev_steps=1, keep="dev_loss", patience=2, warmup_steps=0)
    facts = finetune(form, sources, encoder, tmp_path)
    looks = [row["dev_loss"] for row in read_log(tmp_path / "work" / "log.jsonl")]
    assert facts["steps"] == len(looks) < 40
    assert facts["selected_step"] == len(looks) - 2
    assert looks[facts["selected_step"] - 1] == pytest.approx(facts["dev_loss"], rel=1e-4)
    assert min(looks) == pytest.approx(facts["dev_loss"], rel=1e-4)
    # Killed before the model was written and run again: training has ended, nothing is trained on.
    (tmp_path / "model").rename(tmp_path / "kept")
    again = finetune(form, sources, encoder, tmp_path)
    assert again["resumed_from"] == again["steps"] == facts["steps"]
    np.testing.assert_array_equal(vectors(tmp_path / "kept"), vectors(tmp_path / "model"))


def test_equal_texts_under_other_ids_are_no_negatives_of_each_other(encoder: Path, tmp_path: Path) -> None:
    """Two questions share a text; it is a hard negative of a third, whose own text is one of the second's."""
    texts = [("ra fudi", "moro"), ("ra fudi", "vipa soka"), ("vipa soka", "ra fudi"), ("tane", "gori")]

    def candidates(name: str, texts: list[tuple[str, str]]) -> set[float]:
        records = [
            {
                "query_id": str(number),
                "query": f"deti {number}",
                "positive_passages": [{"docid": f"d{number}", "text": positive}],
                "negative_passages": [{"docid": f"n{number}", "text": negative}],
            }
            for number, (positive, negative) in enumerate(texts)
        ]
        write_json_lines(tmp_path / "sources" / f"{name}.jsonl", records)
        form = settings(
            examples=f"{name}.jsonl",
            dev_examples=f"{name}.jsonl",
            batch_queries=4,
            shard_queries=4,
            steps=2,
            dev_steps=1,
        )
        finetune(form, tmp_path / "sources", encoder, tmp_path / name)
        return {row["softmax_candidates"] for row in read_log(tmp_path / name / "work" / "log.jsonl")}

    # Of 8 passages each question has its own and those of other texts: 6, 6, 7 and 8.
    assert candidates("equal", texts) == {(6 + 6 + 7 + 8) / 4}
    assert candidates("different", [(f"{a} {n}", f"{b} {n} lumi") for n, (a, b) in enumerate(texts)]) == {8}


def test_looks_that_a_resumed_training_repeats_count_once(tmp_path: Path) -> None:
    module = torch.nn.Linear(1, 1)
    best = BestWeights(tmp_path, "dev_mrr", first_step=2, patience=2)
    stops = [best.offer(step, {"dev_mrr": value}, module) for step, value in ((1, 0.9), (2, 0.5), (3, 0.4), (4, 0.3))]
    assert stops == [False, False, False, True]
    again = BestWeights(tmp_path, "dev_mrr", first_step=2, patience=2)
    stops = [again.offer(step, {"dev_mrr": value}, module) for step, value in ((2, 0.5), (3, 0.4), (4, 0.3))]
    assert stops == [False, False, True]
    assert again.restore(module) == {"selected_step": 2, "selected_dev_mrr": 0.5}


def test_a_benchmarks_dev_measure_is_that_of_the_score_stage(sources: Path, encoder: Path, tmp_path: Path) -> None:
    """Selected weights score in retrieval and scoring what they scored in training."""
    benchmark = {"benchmark": "constructed", "questions": "questions/dev", "measure": "map@20"}
    facts = finetune(settings(**benchmark, keep="dev_measure", dev_steps=3), sources, encoder, tmp_path / "fine")
    assert facts["selected_dev_measure"] == facts["dev_measure"]
    (tmp_path / "run").mkdir()
    (tmp_path / "scores").mkdir()
    execution = Execution(tmp_path / "work", device="cpu")
    retrieve_settings = Retrieve(
        benchmark="constructed",
        questions="questions/dev",
        depth=100,
        pool_depth=20,
        batch_tokens=16384,
        precision="fp32",
    )
    retrieve(
        retrieve_settings, sources=sources, model=tmp_path / "fine" / "model", out=tmp_path / "run", execution=execution
    )
    score_settings = Score(
        benchmark="constructed",
        questions="questions/dev",
        split="dev",
        setting="zero-shot",
        model="m",
        ties="trec",
        seed=1,
    )
    means = score(score_settings, sources=sources, run=tmp_path / "run", out=tmp_path / "scores")["means"]
    # Not equal to the last digit: other batches round differently, and vectors of six updates are almost tied.
    assert means["map@20 multilingual"] == pytest.approx(facts["dev_measure"], abs=1e-3)


def test_a_dev_measure_needs_its_benchmark() -> None:
    with pytest.raises(BadInput, match="belong together; one of them is empty"):
        settings(keep="dev_measure")


def test_an_epoch_is_a_pass_over_the_examples(sources: Path, encoder: Path, tmp_path: Path) -> None:
    form = settings(steps=0, epochs=1, batch_queries=32, shard_queries=32, dev_steps=0)
    facts = finetune(form, sources, encoder, tmp_path)
    assert facts["steps"] == facts["examples"] // 32
    assert facts["languages"] == ["qaa"]
    rows = read_log(tmp_path / "work" / "log.jsonl")
    assert [row["step"] for row in rows if "dev_mrr" in row] == [facts["steps"]]


def test_the_dev_loss_of_hard_candidates_has_candidates(sources: Path, encoder: Path, tmp_path: Path) -> None:
    facts = finetune(settings(candidates="hard", dev_negatives=0, steps=0), sources, encoder, tmp_path)
    assert facts["dev_loss"] > 0.1


def test_ranks_of_the_positive_are_those_of_a_sorted_list() -> None:
    dev = make_dev_set([example._replace(others=("p1",)) for example in examples(6, 2)], settings(dev_negatives=1))
    assert list(dev.positions)[6:] == [f"n{row}-0" for row in range(6)]
    random = np.random.default_rng(1)
    queries = random.normal(size=(6, 4)).astype(np.float32)
    passages = random.normal(size=(12, 4)).astype(np.float32)
    passages[4] = passages[5]
    expected = []
    for row, query in enumerate(queries):
        scores = {place: float(query @ passage) for place, passage in enumerate(passages) if place != 1 or row == 1}
        expected.append(sum(score >= scores[row] for score in scores.values()))
    assert ranks(dev, queries, passages).tolist() == expected


def test_texts_longer_than_the_encoder_are_refused(sources: Path, encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="must fit the encoder's 128 positions, got 129"):
        finetune(settings(passage_tokens=129), sources, encoder, tmp_path)


def test_steps_and_epochs_exclude_each_other() -> None:
    with pytest.raises(BadInput, match="either steps or epochs must be 0, got 6 and 2"):
        settings(epochs=2)


@pytest.mark.slow
def test_two_processes_train_as_one(sources: Path, encoder: Path, tmp_path: Path) -> None:
    """By the command under torchrun; looks and files are the main process's alone."""
    form = settings(**DPR, gather="grad", shard_queries=4, keep="dev_mean_rank", patience=1)
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    for name, launcher in (("one", []), ("two", torchrun)):
        words = [sys.executable, "-m", *launcher, "msm", "run", "finetune", "--device", "cpu"]
        words += ["--sources", str(sources), "--weights", str(encoder), "--out", str(tmp_path / name)]
        for setting, value in flattened(form).items():
            words += [f"--{setting}", str(value)]
        subprocess.run(words, check=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"})
    one, two = (read_log(tmp_path / name / "log.jsonl") for name in ("one", "two"))
    assert len(one) == len(two)
    for first, second in zip(one, two, strict=True):
        for column in ("loss", "accuracy", "gradient_norm", "tokens", "softmax_candidates"):
            assert first[column] == pytest.approx(second[column], rel=1e-4), column
    np.testing.assert_allclose(vectors(tmp_path / "one/model"), vectors(tmp_path / "two/model"), atol=1e-3)
