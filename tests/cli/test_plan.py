"""The plan's arithmetic, against models that are really built and counted."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import XLMRobertaConfig, XLMRobertaModel

from msm.cli.main import main
from msm.pipeline import recipes
from msm.pipeline.costs import plan, read_sizes, training
from msm.pipeline.tasks import tasks as tasks_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["tiny", "demo", "paper"])
def test_parameters_are_those_of_the_model(name: str) -> None:
    tasks = tasks_of(recipes.load(ROOT / "recipes" / f"{name}.yaml"), name)
    sizes = read_sizes(tasks)
    encoder = next(vars(task.settings) for task in tasks if task.stage == "encoder")
    config = XLMRobertaConfig(
        vocab_size=sizes.pieces,
        hidden_size=sizes.width,
        num_hidden_layers=encoder["layers"] or 12,
        num_attention_heads=encoder["heads"] or 12,
        intermediate_size=encoder["feed_forward"] or 3072,
        max_position_embeddings=sizes.positions,
        type_vocab_size=1,
    )
    with torch.device("meta"):
        model = XLMRobertaModel(config, add_pooling_layer=False)
    assert model.num_parameters() == sizes.parameters
    assert sum(weight.numel() for weight in model.encoder.parameters()) == sizes.body


def test_a_control_spends_on_masked_tokens_what_the_model_spends_on_documents() -> None:
    tasks = tasks_of(recipes.load(ROOT / "recipes" / "paper.yaml"), "paper")
    rows = {task.row: task.settings for task in tasks if task.stage == "pretrain"}
    sizes = read_sizes(tasks)
    mlm, msm = (training(rows[name], sizes, 0) for name in ("mlm-1", "msm-1"))
    assert mlm[1] == msm[1] == 200_000 * (1024 * 256 + 128 * 32 * 64)
    # By hand: 2 layers of 7,087,872 parameters, 128 documents, each of 32 units read 32 times; and the control has
    # masked tokens to guess in the texts that it reads instead of units.
    documents, guesses = 2 * 7_087_872 * 128 * 32 * 32, 768 * 250_002 * 0.15 * 128 * 32 * 64
    assert msm[0] - mlm[0] == pytest.approx(200_000 * 6 * (documents - guesses))


def test_a_bare_pass_is_counted_by_torch() -> None:
    """What the arithmetic calls 6 operations a parameter and token, counted in a real update of the control."""
    sizes = read_sizes(tasks_of(recipes.load(ROOT / "recipes" / "paper.yaml"), "paper"))
    with torch.device("meta"):
        model = XLMRobertaModel(XLMRobertaConfig(vocab_size=10, type_vocab_size=1), add_pooling_layer=False)
        tokens = torch.ones(8, 64, dtype=torch.long)
        with FlopCounterMode(display=False) as counter:
            model(tokens).last_hidden_state.sum().backward()
    assert counter.get_total_flops() == pytest.approx(6 * sizes.body * tokens.numel(), rel=0.03)


def test_hours_follow_from_gpus_and_their_use() -> None:
    tasks = tasks_of(recipes.load(ROOT / "recipes" / "paper.yaml"), "paper")

    def hours(**options: float) -> float:
        return sum(cost.hours for cost in plan(tasks, **options) if cost.stage == "pretrain")  # type: ignore[arg-type]

    assert hours(mfu=0.4) == pytest.approx(hours(mfu=0.2) / 2)
    assert hours(mfu=0.4, gpus=16) == pytest.approx(hours(mfu=0.4) / 2)


def test_the_plan_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    main(["plan", "--recipe", "paper", "--mfu", "0.4", "--examples", "58880"])
    text = capsys.readouterr().out
    assert "40% of their peak" in text
    assert all(stage in text for stage in ("pretrain", "finetune", "GPU hours"))
    assert "--examples" not in text


MEASURED = {
    "name": "corpus_pipeline_warc", "mb_per_second_core": 0.5, "megabytes": 20.0, "input_bytes": 0.6, "work_bytes": 1.5,
    "tokens": 0.25, "pieces": 8000, "source": "news", "device": "two cores",
}  # fmt: skip


def test_a_corpus_costs_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    path = tmp_path / "bench.jsonl"
    path.write_text(json.dumps({"name": "another"}) + "\n" + json.dumps(MEASURED) + "\n")
    words = ["plan", "--recipe", "paper", "--corpus_bench", str(path), "--corpus_files", "warc"]
    main([*words, "--kept_share", "0.25"])
    text = capsys.readouterr().out
    # By hand: 10 TB are read at 0.5 MB/s: 2e7 seconds. 250,002 pieces take 4 bytes a token.
    for part in ("5,556 core hours", "6.00 TB of files", "15.00 TB between", "2.50 TB of token ids", str(path), "news"):
        assert part in text


@pytest.mark.parametrize(
    ("row", "words", "message"),
    [
        ({**MEASURED, "name": "corpus_pipeline_wet"}, [], "no line corpus_pipeline_warc"),
        ({key: value for key, value in MEASURED.items() if key != "tokens"}, [], "says no tokens"),
        (MEASURED, ["--kept_share", "0"], "--kept_share must be above 0"),
    ],
)
def test_a_corpus_without_a_measure_is_refused(
    row: dict[str, object], words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_text(json.dumps(row) + "\n")
    recipe = str(ROOT / "recipes" / "paper.yaml")
    with pytest.raises(SystemExit) as stop:
        main(["plan", "--recipe", recipe, "--corpus_bench", str(path), "--corpus_files", "warc", *words])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_translations_cost_what_they_read() -> None:
    tasks = tasks_of(recipes.load(ROOT / "recipes" / "ablations.yaml"), "ablations")
    rows = {task.row: task.settings for task in tasks if task.stage == "pretrain"}
    sizes = read_sizes(tasks)
    mexma, distill = (training(rows[name], sizes, 0) for name in ("mexma-1", "distill-1"))
    # By hand: 1800 steps of 32 pairs of 64 tokens; 2 layers of the encoder, and 2 with an inner width of 4 x 128.
    encoder, fresh = (2 * (4 * 128 * 128 + 2 * 128 * inner + 9 * 128 + inner) for inner in (512, 512))
    tokens = 1800 * 64 * 64
    assert distill == (6 * encoder * tokens, tokens)
    assert mexma == pytest.approx((6 * tokens * (2 * encoder + fresh + 0.4 * 128 * 1600), tokens))


@pytest.mark.parametrize(
    ("flag", "value"), [("mfu", "0"), ("mfu", "nan"), ("mfu", "2"), ("gpus", "-3"), ("examples", "-5")]
)
def test_numbers_without_sense_are_refused(flag: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["plan", "--recipe", str(ROOT / "recipes" / "paper.yaml"), f"--{flag}", value])
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert f"--{flag} must be" in output.err
    assert not output.out
