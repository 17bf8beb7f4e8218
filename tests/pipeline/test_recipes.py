"""Recipes: every committed one resolves to tasks; what is wrong stops with one line before anything loads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from msm.errors import BadInput
from msm.pipeline import places, recipes
from msm.pipeline.checks import check
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import Task, tasks
from msm.settings import as_values, hints, make
from tests.pipeline.made import RECIPES, ROOT

DEMO = ROOT / "recipes" / "demo.yaml"
UNTRAINED = [{"name": "untrained", "start": "encoder/ordered"}]


def resolve(recipe: dict[str, Any]) -> list[Task]:
    all_tasks = tasks(recipe, "demo.yaml")
    check(all_tasks, "demo.yaml")
    return all_tasks


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_resolves(path: Path) -> None:
    recipe = recipes.load(path)
    all_tasks = tasks(recipe, path.name)
    check(all_tasks, path.name)
    assert recipe["recipe"] == path.stem
    outs: set[str] = set()
    for task in all_tasks:
        for path_of_input in task.reads.values():
            assert path_of_input in outs or any(out.startswith(f"{path_of_input}/") for out in outs), (
                f"nothing before writes {path_of_input}"
            )
        outs.add(task.out)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_written_out_gives_the_same_tasks(path: Path, tmp_path: Path) -> None:
    """`msm recipe NAME --resolved` is a recipe of its own, without a base."""
    all_tasks = tasks(recipes.load(path), "whole.yaml")
    whole = recipes.resolved(recipes.load(path))
    assert "base" not in whole
    (tmp_path / "whole.yaml").write_text(yaml.safe_dump(whole))
    again = tasks(recipes.load(tmp_path / "whole.yaml"), "whole.yaml")
    assert [task[:5] for task in again] == [task[:5] for task in all_tasks]


def test_a_resolved_recipe_holds_every_setting_of_its_tasks() -> None:
    whole = recipes.resolved(recipes.load(DEMO))
    assert whole["pretrain"]["msm"]["masking"] == "each"
    assert whole["pretrain"]["beta2"] == 0.98
    assert whole["lexical"]["k1"] == 0.9
    assert set(whole["finetune"]) == set(hints(STAGES["finetune"].settings)) - {"seed"}


def test_ten_recipes_hold_differences_in_under_sixty_lines() -> None:
    assert sum(len(path.read_text().splitlines()) < 60 for path in RECIPES) >= 10


def test_settings_are_the_same_after_a_passage_through_json() -> None:
    for path in RECIPES:
        for task in tasks(recipes.load(path), path.name):
            assert make(STAGES[task.stage].settings, as_values(task.settings), "again") == task.settings


def test_controls_are_part_of_every_recipe() -> None:
    for path in RECIPES:
        recipe = recipes.load(path)
        all_tasks = tasks(recipe, path.name)
        objectives = {getattr(task.settings, "objective", None) for task in all_tasks}
        objectives |= {row["name"] for row in recipe.get("checkpoints", [])}
        starts = {task.reads["weights"].split("/")[2] for task in all_tasks if task.stage == "finetune"}
        assert "mlm" in objectives or "msm" not in objectives, (
            f"{path.name}: no control beside the masked sentence model"
        )
        assert objectives - {"mlm", None} or not recipe.get("pretraining"), f"{path.name}: nothing beside the control"
        assert "encoder" in starts, f"{path.name}: no untrained encoder with the same fine-tuning"


def test_a_model_is_searched_with_in_several_ways_and_fused_with_bm25() -> None:
    recipe = recipes.load(DEMO)
    row = {"name": "msm-own", "model": "msm", "retrieve": {"language_vectors": "own"}}
    recipe["retrievals"] = [row, {**row, "name": "elsewhere", "benchmark": "xquad_r:again"}]
    recipe["further_benchmarks"] = [
        {"name": "xquad_r:again", "questions": "questions/test", "split": "test", "tuned": "constructed"}
    ]
    recipe["fusions"] = [{"name": "both", "dense": "msm-own", "sparse": "bm25-words", "fuse": {"alpha": 0.5}}]
    by_name = {task.name: task for task in tasks(recipe, "demo.yaml")}
    root = "artifacts/demo"
    own_run = by_name["retrieve/constructed-msm-own-1"]
    assert own_run.reads["model"] == f"{root}/finetune/constructed-msm-1"
    assert vars(own_run.settings)["language_vectors"] == "own"
    assert vars(by_name["retrieve/constructed-msm-1"].settings)["language_vectors"] == "none"
    fusion = by_name["fuse/constructed-both-1"]
    assert fusion.reads == {"dense": own_run.out, "sparse": f"{root}/lexical/constructed-bm25-words"}
    assert vars(fusion.settings)["alpha"] == 0.5
    assert vars(by_name["score/constructed-both-1"].settings)["model"] == "both"
    assert {name.split("/")[0] for name in by_name if "elsewhere" in name} == {"retrieve", "score"}
    assert all("xquad_r" in name for name in by_name if "elsewhere" in name)


def test_rows_have_seeds_of_their_own_and_pass_them_on() -> None:
    recipe = recipes.load(DEMO)
    recipe["seeds"] = [1, 2, 3]
    recipe["pretraining"][0]["seeds"] = [2]
    recipe["models"][0]["seeds"] = [1, 3]
    recipe["retrievals"] = [{"name": "own", "model": "mlm", "retrieve": {"language_vectors": "own"}}]
    names = {task.name for task in tasks(recipe, "demo.yaml")}
    seeds = {
        row: sorted(int(name[-1]) for name in names if name.rpartition("-")[0] == row)
        for row in ("pretrain/mlm", "pretrain/msm", "score/constructed-untrained", "score/constructed-mlm")
    }
    assert list(seeds.values()) == [[2], [1, 2, 3], [1, 3], [2]]
    assert "score/constructed-own-2" in names and "score/constructed-own-1" not in names


Recipe = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda recipe: recipe["units"].pop("min_units"), "units/ordered: missing setting: min_units"),
        (lambda recipe: recipe["units"].update(min_units=1), "min_units must be at least 2, got 1"),
        (lambda recipe: recipe["pretrain"]["msm"].update(mu=-1.0), "msm.mu must be at least 0, got -1.0"),
        (lambda recipe: recipe["pretrain"].update(steps="many"), "steps must be of type int, got 'many'"),
        (lambda recipe: recipe["pretrain"].update(msm=3), "msm must be a mapping, got 3"),
        (
            lambda recipe: recipe["pretraining"][0].update(pretrain={"objective": "mlm", "msm": {"mu": 0.3}}),
            "pretrain/mlm-1: msm is not read with the objective mlm",
        ),
        (
            lambda recipe: recipe["pretraining"][1].update(pretrain={"msm": {"temprature": 1.0}}),
            "unknown setting: msm.temprature; did you mean temperature?",
        ),
        (lambda recipe: recipe["finetune"]["encoding"].update(pooling="median"), "encoding.pooling must be one of cls"),
        (
            lambda recipe: (
                recipe["corpora"].append({"name": "half", "documents": {"share": 0.5}}),
                recipe["pretraining"][1].update(corpus="half"),
            ),
            "pretrain/msm-1: its units are cut by tokenizer/half, and its start weights know tokenizer/ordered",
        ),
        (lambda recipe: recipe.pop("seeds"), "missing seeds"),
        (lambda recipe: recipe.update(seeds=3), "seeds must be a list, got 3"),
        (lambda recipe: recipe["source"].update(stage="dream"), "unknown stage 'dream'"),
        (lambda recipe: recipe["models"].append(recipe["models"][0]), "models: two rows of the name untrained"),
        (lambda recipe: recipe["models"].append({"start": "encoder/ordered"}), "models: row 4 needs a name"),
        (lambda recipe: recipe["models"][1].pop("start"), "models mlm: missing start"),
        (
            lambda recipe: recipe["models"][0].update(seeds=[4]),
            "models untrained: seeds must be a list of the recipe's",
        ),
        (lambda recipe: recipe["pretraining"][1].update(seeds=3), "pretraining msm: seeds must be a list of the"),
        (lambda recipe: recipe.update(retrievals=[{"name": "own"}]), "retrievals own: missing model"),
        (
            lambda recipe: recipe.update(retrievals=[{"name": "own", "model": "msm", "benchmark": "constructd"}]),
            "retrievals own: no benchmark constructd; did you mean constructed?",
        ),
        (
            lambda recipe: recipe.update(retrievals=[{"name": "own", "model": "mms"}]),
            "reads finetune/constructed-mms-1, which nothing makes; did you mean finetune/constructed-msm-1?",
        ),
        (
            lambda recipe: recipe["models"][1].update(start="pretrain/mlmm"),
            "finetune/constructed-mlm-1 reads pretrain/mlmm-1, which nothing makes; did you mean pretrain/mlm-1?",
        ),
        (lambda recipe: recipe["models"][1].update(name="a b"), "no name of a row"),
        (
            lambda recipe: recipe["further_benchmarks"].append(
                {"name": "xquad_r:constructed", "questions": "questions/test", "split": "test", "tuned": "constructed"}
            ),
            "scores of constructed and xquad_r:constructed would bear one name",
        ),
        (
            lambda recipe: recipe["models"].append({"name": "MSM", "start": "pretrain/msm"}),
            "two rows write artifacts/demo/finetune/constructed-MSM-1 (artifacts/demo/finetune/constructed-msm-1)",
        ),
        (
            lambda recipe: recipe["models"].extend({"name": f"a{sign}b", "start": "pretrain/msm"} for sign in ".:"),
            "two rows write artifacts/demo/finetune/constructed-a:b-1 (artifacts/demo/finetune/constructed-a.b-1)",
        ),
        (
            lambda recipe: recipe["finetune"].update(dev_examples="questions/dve"),
            "dev_examples: the sources have no questions/dve; did you mean questions/dev?",
        ),
        (
            lambda recipe: recipe["benchmarks"][0].update(questions="question/test"),
            "questions: the sources have no question/test; did you mean questions/test?",
        ),
        (
            lambda recipe: recipe["pretrain"]["batches"].update(softmax_documents=3),
            "batches.softmax_documents must divide batch_documents=4, got 3",
        ),
        (
            lambda recipe: recipe["finetune"]["batches"].update(shard_queries=48),
            "batches.shard_queries must divide 64, got 48",
        ),
        (
            lambda recipe: recipe["finetune"]["loss"].update(candidates="hard"),
            "loss.candidates=hard leaves only hard negatives",
        ),
        (
            lambda recipe: recipe["finetune"].update(
                encoding=recipe["finetune"]["encoding"] | {"pooling": "pooler"}, lora={"rank": 4}
            ),
            "lora.rank 4 with encoding.pooling pooler: adapters do not train a pooler",
        ),
        (lambda recipe: recipe["pretrain"].update(lora={"rank": 4}), "unknown setting: lora"),
        (lambda recipe: recipe["encoder"].update(width=0), "width must be at least 1 for a fresh encoder, got 0"),
        (
            lambda recipe: recipe["encoder"].update(positions=32),
            "pretrain/mlm-1: mlm.block_tokens must fit the encoder's 32 positions, got 64",
        ),
        (
            lambda recipe: recipe["pretraining"][1].update(
                pretrain={"objective": "mexma", "mexma": {"batch_pairs": 4, "micro_pairs": 2}}
            ),
            "pretrain/msm-1: objective mexma reads pairs or teach, and units/ordered is of units",
        ),
        (
            lambda recipe: recipe["finetune"]["batches"].update(sampler="hybrid", translations="questions/all"),
            "batches.translations: the sources have no questions/all",
        ),
        (
            lambda recipe: recipe["finetune"]["selection"].update(benchmark="constructed", questions="questions/dev"),
            "selection: benchmark, questions and measure belong together",
        ),
        (
            lambda recipe: recipe["finetune"]["selection"].update(
                benchmark="constructed", questions="questions/devel", measure="map@20"
            ),
            "selection.questions: the sources have no questions/devel; did you mean questions/dev?",
        ),
        (
            lambda recipe: recipe["retrieve"].update(language_vectors="shift", language_texts="documents/other"),
            "language_texts: the sources have no documents/other",
        ),
        (lambda recipe: recipe["score"].update(measures="ndgc@10"), "unknown measure: 'ndgc@10'"),
        (
            lambda recipe: recipe["benchmarks"][0].update(name="xquad_r", split="dev"),
            "split must be test: that is what xquad_r reads, got dev",
        ),
        (lambda recipe: recipe["benchmarks"][0].update(name="mr_tydi:lareqa"), "is no name for data of your own"),
    ],
)
def test_a_wrong_recipe_is_refused(change: Callable[[Recipe], Any], message: str) -> None:
    recipe = recipes.load(DEMO) | {"further_benchmarks": []}
    change(recipe)
    with pytest.raises(BadInput) as error:
        resolve(recipe)
    assert message in str(error.value)
    assert str(error.value).startswith("demo.yaml: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("gib", "change", "message"),
    [
        (8, {}, "pretrain/mlm-1: encoder.layers=24, .* more than 8.3 GiB here, and there are 8.0 GiB"),
        (2, {}, "encoder/ordered-1: encoder.layers=24, .* more than 2.1 GiB here, and there are 2.0 GiB"),
        (4, {"lora": {"rank": 8}}, "pretrain/mlm-1"),
        (3, {"pretraining": [], "models": UNTRAINED, "lora": {"rank": 8}}, ""),
        (3, {"pretraining": [], "models": UNTRAINED}, "finetune/constructed-untrained-1"),
    ],
)
def test_a_model_that_does_not_fit_here_is_refused(gib: int, change: dict[str, Any], message: str) -> None:
    recipe = recipes.load(DEMO)
    recipe["encoder"].update(layers=24, width=1024, feed_forward=4096, positions=512)
    recipe["tokenizer"]["pieces"] = 250000
    recipe["finetune"] = recipe["finetune"] | {"lora": change.get("lora", {})}
    all_tasks = tasks(recipe | {name: rows for name, rows in change.items() if name != "lora"}, "demo.yaml")
    check(all_tasks, "demo.yaml", 16 << 30)
    if not message:
        check(all_tasks, "demo.yaml", gib << 30)
        return
    with pytest.raises(BadInput, match=f"demo.yaml: {message}"):
        check(all_tasks, "demo.yaml", gib << 30)


def test_processes_that_cannot_share_an_update_are_refused() -> None:
    settings_by_name = {task.name: task.settings for task in tasks(recipes.load(DEMO), "demo.yaml")}
    places.check_processes(settings_by_name["pretrain/msm-1"], 0)
    shares = settings_by_name["pretrain/msm-1"].shares  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match=f"--gpus {shares + 1}: so many processes cannot share"):
        places.check_processes(settings_by_name["pretrain/msm-1"], shares + 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: broken\nseeds: [1\nunits: 3\n", "own.yaml:3: not YAML"),
        ("- 3\n", "a recipe is a mapping, got list"),
        ("recipe: ../../up\nbase: demo\n", "own.yaml: recipe: '../../up' is no name; letters, digits and"),
        ("recipe: 2024\nbase: demo\n", "own.yaml: recipe: 2024 is no name; letters, digits and"),
        ("base: demo\npretrian: {steps: 3}\n", "own.yaml: unknown key: pretrian; did you mean pretrain?"),
        ("base: demo\npretrain: {stpes: 3}\n", "own.yaml: pretrain: unknown setting: stpes; did you mean steps?"),
        ("base: demo\nmine: {depth: 3}\n", "own.yaml: mine: unknown setting: depth"),
        ("base: demo\nmodels: [{name: a, strat: b}]\n", "models a: unknown key: strat; did you mean start?"),
        ("base: dmeo\n", "own.yaml: base: dmeo: no such recipe; here are: ablations, demo, "),
        ("base: own\n", "the recipes are bases of each other"),
        ("base: demo\nrecipe: pretrain\n", "pretrain is the name of a stage"),
        ("base: demo\nsource: {mirror: x}\n", "source: unknown key: mirror"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(DEMO.read_text())
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(BadInput) as error:
        recipes.load(tmp_path / "own.yaml")
    assert message in str(error.value)


def test_a_recipe_holds_differences_from_its_base(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(DEMO.read_text())
    (tmp_path / "short.yaml").write_text("base: demo\npretrain: {steps: 3, msm: {mu: 0.3}}\nlexical_models: []\n")
    (tmp_path / "own.yaml").write_text("base: short\npretrain: {steps: 4}\n")
    base, mine = (recipes.load(tmp_path / f"{name}.yaml") for name in ("demo", "own"))
    base["pretrain"]["steps"], base["pretrain"]["msm"]["mu"] = 4, 0.3
    assert mine == base | {"recipe": "own", "lexical_models": []}


def test_a_key_is_held_by_the_file_that_decides_it(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(DEMO.read_text())
    (tmp_path / "own.yaml").write_text("base: demo\npretrain: {steps: 3, msm: {mu: 0.3}}\n")
    mine, demo = tmp_path / "own.yaml", tmp_path / "demo.yaml"
    files = recipes.layers(mine)
    assert list(recipes.holders(files, "pretrain.steps")) == [(mine, "pretrain.steps")]
    assert list(recipes.holders(files, "pretrain.clip")) == [(demo, "pretrain.clip")]
    assert list(recipes.holders(files, "pretrain.msm")) == [(mine, "pretrain.msm"), (demo, "pretrain.msm")]
    assert list(recipes.holders(files, "models.0")) == [(demo, "models.0")]


def test_tasks_follow_those_that_they_read() -> None:
    recipe = recipes.load(ROOT / "recipes" / "rounds.yaml")
    recipe["models"] = [{"name": "again", "start": "finetune/constructed-msm"}, *recipe["models"]]
    outs: set[str] = set()
    for task in tasks(recipe, "rounds.yaml"):
        assert all(path in outs or any(out.startswith(f"{path}/") for out in outs) for path in task.reads.values())
        outs.add(task.out)


def test_rows_that_read_each_other_are_refused() -> None:
    recipe = recipes.load(DEMO)
    recipe["pretraining"] = [
        {"name": "a", "corpus": "ordered", "start": "pretrain/b"},
        {"name": "b", "corpus": "ordered", "start": "pretrain/a"},
    ]
    with pytest.raises(BadInput, match="pretrain/a-1 reads pretrain/b-1 reads pretrain/a-1"):
        tasks(recipe, "demo.yaml")


def test_the_control_reads_no_setting_of_the_masked_sentences() -> None:
    by_name = {task.name: task for task in tasks(recipes.load(DEMO), "demo.yaml")}
    msm, mlm = by_name["pretrain/msm-1"], by_name["pretrain/mlm-1"]
    assert as_values(msm.settings).keys() - as_values(mlm.settings).keys() == {"msm"}
    assert set(msm.keys) - set(mlm.keys) == {"pretrain.msm", "pretraining.1"}
