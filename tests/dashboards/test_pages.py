"""Every page on result files in their real format: whole, absent, broken, and hostile."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from msm.dashboards.folders import Folders
from msm.verbs.report import write_export
from tests.dashboards.conftest import APP, TITLES, Show
from tests.reporting import made


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.subheader, app.info, app.warning, app.error, app.code, app.title)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("page", TITLES)
def test_empty_project_says_how_to_begin(show: Show, page: str) -> None:
    app = show(page)
    assert [element.value for element in app.title] == [TITLES[page]]
    assert "make demo" in app.info[0].value


def test_results_show_models_differences_and_published_rows(recipe: Path, show: Show) -> None:
    app = show(recipe="demo")
    values, published_rows, differences = (element.value for element in app.dataframe)
    assert list(values["model"]) == ["chance", "untrained", "bm25-words", "mlm", "msm"]
    assert list(values.columns) == [
        *("model", "mean", "95 % interval", "rank"),
        *made.LANGUAGES,
        *("seeds", "lineage"),
    ]
    assert list(differences["verdict"]) == ["▲ better", "▲ better", "▲ better", "▼ worse", "▲ better"]
    assert list(published_rows["model"]) == ["mBERT*", "mBERT", "XLM-R", "MSM"]
    assert published_rows["ar"].isna().tolist() == [True, False, True, False]
    assert "lost in the public text" in texts(app)


def test_the_first_look_says_which_model_is_best_and_whether_that_is_sure(recipe: Path, show: Show) -> None:
    app = show(recipe="demo")
    assert "all languages**: **msm**" in app.success[0].value
    assert "better than each of the 3 others" in app.success[0].value
    app = show(recipe="demo", **{"for": "ar"})
    assert "Arabic" in (app.success or app.info)[0].value


def test_values_can_be_taken_along(recipe: Path, show: Show) -> None:
    buttons = show(recipe="demo").get("download_button")
    assert [button.proto.label for button in buttons] == ["CSV", "LaTeX", "Markdown"]


def test_address_chooses_recipe_and_candidates(recipe: Path, folders: Folders, show: Show) -> None:
    made.write_recipe(folders.artifacts / "other", benchmark="constructed", models={"untrained": [1], "msm": [1]})
    app = show(recipe="demo", candidates="same")
    assert app.subheader[0].value.endswith("pool of the question\\'s language")
    assert app.selectbox(key="recipe").value == "demo"
    app = show(recipe="other")
    assert "Constructed languages" in app.subheader[0].value
    assert len(app.dataframe) == 2


@pytest.mark.parametrize(
    ("page", "words"),
    [("search", "'msm run demo' makes it"), ("ablations", "neither the rows of"), ("training", "No training log yet")],
)
def test_exported_results_without_their_folders_open(
    recipe: Path, folders: Folders, show: Show, page: str, words: str
) -> None:
    write_export(recipe, folders.results / "demo")
    shutil.rmtree(folders.artifacts)
    app = show(page, recipe="demo (exported)")
    assert words in app.info[0].value.replace("\\", "")


def test_exported_results_are_shown_too(recipe: Path, folders: Folders, show: Show) -> None:
    write_export(recipe, folders.results / "demo")
    app = show(recipe="demo (exported)")
    assert app.selectbox(key="recipe").value == "demo (exported)"
    assert list(app.dataframe[0].value["model"])[-1] == "msm"
    lineage = show("lineage", recipe="demo (exported)")
    assert "only its manifest is here" in " ".join(element.label for element in lineage.expander)


def test_a_link_by_name_finds_results_that_are_only_exported(recipe: Path, folders: Folders, show: Show) -> None:
    write_export(recipe, folders.results / "mini")
    assert show(recipe="mini").selectbox(key="recipe").value == "mini (exported)"
    assert show(recipe="demo").selectbox(key="recipe").value == "demo"


def test_broken_folders_are_named_and_the_rest_shown(recipe: Path, show: Show) -> None:
    (recipe / "score/lareqa-mlm-1/scores/scores.jsonl").write_text("oops\n")
    (recipe / "score/lareqa-mlm-2/scores/per_query.parquet").write_bytes(b"PAR1")
    manifest = recipe / "score/lareqa-untrained-2/manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 7}))
    (recipe / "score/.lareqa-new-1.partial").mkdir()
    app = show()
    text = texts(app).replace("\\", "")
    for words in ("scores.jsonl:1", "per_query.parquet: not a table", "format 7", "half-written", "control mlm"):
        assert words in text
    values = app.dataframe[0].value.set_index("model")
    assert list(values.index) == ["chance", "untrained", "bm25-words", "msm", "mlm"]
    assert values.loc["mlm", [*made.LANGUAGES, "mean"]].isna().all()
    assert "**mlm**: no usable scores" in text


def test_recipe_with_nothing_usable_says_why(recipe: Path, show: Show) -> None:
    for folder in (recipe / "score").iterdir():
        (folder / "manifest.json").unlink()
    app = show()
    assert "no usable scores" in app.info[0].value
    assert "no manifest.json" in texts(app)
    assert "no usable scores" in show("lineage").info[0].value


def test_new_scores_appear_without_a_restart(recipe: Path, show: Show) -> None:
    app = show()
    inputs = {"run": recipe / "retrieve" / "lareqa-msm-1"}
    made.write_scores(recipe, "lareqa-new-1", inputs, "lareqa", "new", 1, 0.5, made.LANGUAGES)
    assert "new" in list(app.run().dataframe[0].value["model"])


def test_lineage_is_green_until_a_file_changes(recipe: Path, show: Show) -> None:
    app = show("lineage", recipe="demo", row="lareqa-msm-2")
    assert app.selectbox(key="row").value == "lareqa-msm-2"
    labels = [element.label for element in app.expander]
    assert [label.split("**")[1] for label in labels] == [
        "sources\\/world",
        "pretrain\\/msm\\-2",
        "finetune\\/lareqa\\-msm\\-2",
        "retrieve\\/lareqa\\-msm\\-2",
        "score\\/lareqa\\-msm\\-2",
    ]
    assert all("green[as written]" in label for label in labels)
    assert not app.error
    (recipe / "finetune/lareqa-msm-2/payload/model.safetensors").write_text("another")
    app.run()
    assert "red[changed]" in app.expander[2].label
    assert "1 of 5 steps" in app.error[0].value
    assert "changed since it was written" in app.error[1].value.replace("\\", "")


def test_lineage_gives_the_commands_in_order(recipe: Path, show: Show) -> None:
    commands = show("lineage", recipe="demo", row="lareqa-msm-1").code[-1].value.splitlines()
    assert [command.split()[2] for command in commands] == ["sources", "pretrain", "finetune", "retrieve", "score"]


def test_unknown_names_in_the_address_are_ignored(recipe: Path, show: Show) -> None:
    app = show("lineage", recipe="../../etc", row="/etc/passwd")
    assert app.selectbox(key="recipe").value == "demo"
    assert app.selectbox(key="row").value.startswith("lareqa-")


def test_training_draws_what_was_logged(recipe: Path, folders: Folders, show: Show) -> None:
    app = show("training", recipe="demo")
    assert len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart")) == 2
    assert app.multiselect(key="logs").value == [
        f"pretrain/{name}-{seed}" for name in ("mlm", "msm", "untrained") for seed in (1, 2)
    ]
    app.multiselect(key="logs").set_value([]).run()
    assert not app.exception
    (recipe / "pretrain/msm-1/log.jsonl").write_text("oops\n")
    app.multiselect(key="logs").set_value(["pretrain/msm-1"]).run()
    assert "log.jsonl:1" in app.warning[0].value.replace("\\", "")


HOSTILE = "<script>x</script> **b** :red[r] $z$ [l](javascript:y) ../../etc/passwd"


@pytest.fixture
def hostile(folders: Folders) -> Path:
    """A recipe whose names, ids and paths are meant to break out: of the page, or of the folder."""
    root = made.write_recipe(
        folders.artifacts / "demo", benchmark="mine", models={"untrained": [1], "msm": [1]}, languages=["ar", "de"]
    )
    path = root / "score/mine-msm-1/scores/scores.jsonl"
    path.write_text(path.read_text().replace('"msm"', f'"{HOSTILE}"'))
    for path in root.glob("score/*/scores/*.jsonl"):
        path.write_text(path.read_text().replace('"mine"', '"<b>mine [l](javascript:y)"'))
    manifest = root / "score/mine-msm-1/manifest.json"
    manifest.write_text(manifest.read_text().replace("retrieve/mine-msm-1", "retrieve/../../../../../etc"))
    log = root / "pretrain/<img src=x onerror=y>/log.jsonl"
    log.parent.mkdir()
    log.write_text('{"step": 1, "loss": 2}\n')
    return root


@pytest.mark.parametrize("page", TITLES)
def test_text_from_data_is_shown_as_it_stands(hostile: Path, show: Show, page: str) -> None:
    app = show(page, recipe="demo", row="mine-msm-1", models=["untrained", HOSTILE])
    text = texts(app).replace("\n".join(str(element.value) for element in app.code), "")  # code is never markup
    for sign in ("<script>", "<b>", "**b**", ":red[", "](javascript"):
        assert sign not in text
    bodies = [element.proto.body for element in app.get("html")]
    assert not any(tag in body for body in bodies for tag in ("<script>", "<b>mine", "<img"))


def test_no_path_from_data_leaves_the_folder(hostile: Path, show: Show) -> None:
    paths: list[str] = []
    is_watched = True

    def watch(event: str, words: tuple) -> None:
        if is_watched and event in ("open", "os.scandir", "os.listdir"):
            paths.append(str(words[0]))

    sys.addaudithook(watch)
    for page in TITLES:
        show(page, recipe="demo", row="mine-msm-1", models=["untrained", HOSTILE], runs=["mine-msm-1"])
    is_watched = False
    assert any("mine-msm-1" in path for path in paths)
    assert [path for path in paths if ".." in Path(path).parts] == []


def test_rows_are_filtered_and_ordered_from_the_address(recipe: Path, show: Show) -> None:
    app = show(recipe="demo", only=["mlm", "msm"], order="mean", seeds=["2"])
    values = app.dataframe[0].value
    assert list(values["model"]) == ["msm", "mlm", "chance"]
    assert list(values["seeds"]) == ["1", "1", ""]
    both = show(recipe="demo").dataframe[0].value.set_index("model")
    assert values.set_index("model").loc["msm", "mean"] != both.loc["msm", "mean"]
    assert set(app.dataframe[-1].value["pair"].str.split().str[0]) == {"mlm", "msm"}


def test_setting_is_chosen_and_never_mixed(recipe: Path, show: Show) -> None:
    for path in recipe.glob("score/lareqa-msm-*/scores/*.jsonl"):
        path.write_text(path.read_text().replace("zero-shot", "multilingual"))
    assert show(recipe="demo").selectbox(key="setting").options == ["multilingual", "zero-shot"]
    assert list(show(recipe="demo", setting="multilingual").dataframe[0].value["model"])[:2] == ["chance", "msm"]


def test_no_page_loads_torch(recipe: Path, folders: Folders) -> None:
    words = ["app.py", *(word for name, folder in folders._asdict().items() for word in (f"--{name}", str(folder)))]
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
sys.argv = {words!r}
app = AppTest.from_file({str(APP)!r}, default_timeout=30).run()
for page in {tuple(TITLES)[1:]!r}:
    app.switch_page(page + "_page.py").run()
    assert not app.exception
print(*sorted({{"torch", "transformers", "matplotlib"}} & set(sys.modules)))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == ""
