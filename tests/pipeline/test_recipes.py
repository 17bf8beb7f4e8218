"""Recipes: every committed one resolves to tasks; what is wrong stops with one line before anything loads."""

from pathlib import Path

import pytest
import yaml

from msm.errors import BadInput
from msm.pipeline import recipes

ROOT = Path(__file__).parents[2]
RECIPES = [path for path in sorted((ROOT / "recipes").glob("*.yaml")) if path.name != "anchors.yaml"]
DEMO = ROOT / "recipes" / "demo.yaml"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_resolves(path: Path) -> None:
    recipe = recipes.load(path)
    tasks = recipes.tasks(recipe, path.name)
    assert recipe["recipe"] == path.stem
    written = {task.out for task in tasks}
    for task in tasks:
        for read in task.reads.values():
            assert any(out == read or out.startswith(f"{read}/") for out in written), f"nothing writes {read}"


def test_controls_are_part_of_every_recipe() -> None:
    for path in RECIPES:
        recipe = recipes.load(path)
        tasks = recipes.tasks(recipe, path.name)
        trained = {getattr(task.settings, "objective", None) for task in tasks}
        trained |= {row["name"] for row in recipe["checkpoints"]}
        starts = {task.reads["weights"].split("/")[2] for task in tasks if task.stage == "finetune"}
        assert "mlm" in trained or "msm" not in trained, f"{path.name}: no control beside the masked sentence model"
        assert {"msm", "mexma"} & trained, path.name
        assert "encoder" in starts, f"{path.name}: no untrained encoder with the same fine-tuning"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda recipe: recipe["pretrain"].update(temprature=1), "pretrain mlm-1: unknown setting: temprature"),
        (lambda recipe: recipe["units"].pop("min_units"), "units ordered: missing setting: min_units"),
        (lambda recipe: recipe["units"].update(min_units=1), "min_units must be at least 2, got 1"),
        (lambda recipe: recipe["pretrain"].update(mu=-1.0), "mu must be at least 0, got -1.0"),
        (lambda recipe: recipe["pretrain"].update(steps="many"), "steps must be of type int, got 'many'"),
        (lambda recipe: recipe["finetune"].update(pooling="max"), "pooling must be one of cls, mean, pooler"),
        (lambda recipe: recipe.pop("seeds"), "missing seeds"),
        (lambda recipe: recipe.update(seeds=3), "seeds must be a list, got 3"),
        (lambda recipe: recipe["source"].update(stage="dream"), "unknown stage 'dream'"),
        (lambda recipe: recipe["models"].append(recipe["models"][0]), "two rows write"),
        (
            lambda recipe: recipe["further_benchmarks"].append(
                {"name": "xquad_r:constructed", "questions": "questions/test", "split": "test", "tuned": "constructed"}
            ),
            "scores of constructed and xquad_r:constructed would bear one name",
        ),
    ],
)
def test_a_wrong_recipe_is_refused(change: object, message: str) -> None:
    recipe = yaml.safe_load(DEMO.read_text())
    change(recipe)  # type: ignore[operator]
    with pytest.raises(BadInput) as error:
        recipes.tasks(recipe, "demo.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_tasks_follow_those_that_they_read() -> None:
    recipe = yaml.safe_load((ROOT / "recipes" / "rounds.yaml").read_text())
    recipe["models"] = [
        {"name": "again", "start": "finetune/constructed-msm", "finetune": {}, "score": {}},
        *recipe["models"],
    ]
    done: set[str] = set()
    for task in recipes.tasks(recipe, "rounds.yaml"):
        assert all(read in done or any(out.startswith(f"{read}/") for out in done) for read in task.reads.values())
        done.add(task.out)


def test_rows_that_read_each_other_are_refused() -> None:
    recipe = yaml.safe_load(DEMO.read_text())
    recipe["pretraining"] = [
        {"name": "a", "corpus": "ordered", "start": "pretrain/b", "pretrain": {}},
        {"name": "b", "corpus": "ordered", "start": "pretrain/a", "pretrain": {}},
    ]
    with pytest.raises(
        BadInput, match="pretrain/a-1 reads artifacts/demo/pretrain/b-1 reads artifacts/demo/pretrain/a-1"
    ):
        recipes.tasks(recipe, "demo.yaml")


def test_a_later_section_wins() -> None:
    recipe = yaml.safe_load(DEMO.read_text())
    by_row = {task.row: task.settings for task in recipes.tasks(recipe, "demo.yaml") if task.family == "pretrain"}
    assert by_row["mlm-1"].objective == "mlm"  # type: ignore[attr-defined]
    assert by_row["msm-1"].objective == "msm"  # type: ignore[attr-defined]


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("recipe: broken\nseeds: [1\nunits: 3\n")
    with pytest.raises(BadInput, match=r"broken.yaml:3: not YAML"):
        recipes.load(path)
