"""What is run of a recipe: rows and what they need, finished work never again, changed documents and code."""

import ast
import importlib.resources
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from msm.corpora.fetch import identity
from msm.corpora.settings import Download
from msm.errors import BadInput
from msm.evaluation import exported
from msm.pipeline import artifacts, code, recipes
from msm.pipeline.chain import Chain, Options, TasksFailed, is_alone, presence, rows_of
from msm.pipeline.fingerprints import exported_rows, fingerprints
from msm.pipeline.tasks import inputs, tasks
from tests.pipeline.made import ROOT

TINY = ROOT / "recipes" / "tiny.yaml"


def test_a_row_brings_what_it_needs() -> None:
    all_tasks = tasks(recipes.load(TINY), "tiny.yaml")
    names = {task.name for task in rows_of(all_tasks, ["untrained"])}
    assert {"score/constructed-untrained-1", "encoder/ordered-1", "report/all"} < names
    assert not any(name.startswith("pretrain/") or "bm25" in name for name in names)
    assert rows_of(all_tasks, []) == all_tasks
    with pytest.raises(BadInput, match="no row untraind; did you mean untrained"):
        rows_of(all_tasks, ["untraind"])


def test_a_changed_value_changes_what_follows_and_nothing_else() -> None:
    recipe = recipes.load(TINY)
    before = fingerprints(tasks(recipe, "tiny.yaml"))
    recipe["pretrain"]["msm"]["mu"] = 0.3
    after = fingerprints(tasks(recipe, "tiny.yaml"))
    names = {"/".join(out.split("/")[2:]) for out in before if before[out] != after[out]}
    row = "constructed-msm-1"
    assert names == {"pretrain/msm-1", f"finetune/{row}", f"retrieve/{row}", f"score/{row}", "report/all"}


def test_an_edited_document_is_another_source(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("One. Two.")
    settings = Download(collections=str(tmp_path / "texts"))
    before = identity(settings)
    assert identity(settings) == before
    (tmp_path / "texts" / "a.txt").write_text("One. Three.")
    assert identity(settings) != before


def test_an_old_file_is_read_once(tmp_path: Path) -> None:
    text, memory = tmp_path / "texts" / "a.txt", tmp_path / "work" / "checksums.json"
    text.parent.mkdir()

    def told(content: str, seconds: int) -> dict[str, str]:
        text.write_text(content)
        os.utime(text, (seconds, seconds))
        return artifacts.remembered_checksums(text.parent, memory)

    first = told("One.", 1)
    assert first == artifacts.checksums(text.parent)
    assert told("Two.", 1) == first, "same size, time and inode"
    assert told("Two.", 2) == artifacts.checksums(text.parent) != first
    now = int(time.time())
    assert told("One.", now) != told("Two.", now), "too young to be trusted"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the program that a test may edit: its code and its data are what fingerprints are told from."""
    copy = tmp_path / "msm"
    ignore = shutil.ignore_patterns("__pycache__", "components", "dashboards", "bench", "cli")
    shutil.copytree(code.ROOT, copy, ignore=ignore)
    monkeypatch.setattr(code, "ROOT", copy)
    monkeypatch.setattr(importlib.resources, "files", lambda name: copy.joinpath(*name.split(".")[1:]))
    code._file.cache_clear()
    yield copy
    code._file.cache_clear()
    code.code_checksum.cache_clear()


def changed_by(path: Path, text: str, other: str, recipe: str) -> set[str]:
    """Tasks of a recipe whose fingerprints change with a text in a file of the program."""
    all_tasks = tasks(recipes.load(ROOT / "recipes" / f"{recipe}.yaml"), recipe)
    content = path.read_text()
    assert text in content
    prints = []
    for text_of_module in (content, content.replace(text, other, 1)):
        path.write_text(text_of_module)
        code.code_checksum.cache_clear()
        prints.append(fingerprints(all_tasks))
    path.write_text(content)
    return {task.name for task in all_tasks if prints[0][task.out] != prints[1][task.out]}


def test_an_edit_reaches_the_tasks_that_run_it_and_no_others(package: Path) -> None:
    losses = package / "losses.py"
    rows = [f"constructed-{name}-1" for name in ("untrained", "mlm", "msm")]
    names = {f"{stage}/{row}" for stage in ("finetune", "retrieve", "score") for row in rows}
    line = next(line for line in losses.read_text().splitlines() if line.startswith("    return "))
    after_losses = {"pretrain/mlm-1", "pretrain/msm-1", "report/all", *names}
    assert changed_by(losses, line, line.replace("return ", "return +"), "tiny") == after_losses
    assert changed_by(losses, line, f"    # Why.\n{line}", "tiny") == set()
    assert changed_by(package / "retrieval" / "fusion.py", "\n\n\n", "\n\n\n# Why.\n", "tiny") == set()


def test_an_entry_of_the_sources_reaches_the_recipes_that_name_it(package: Path) -> None:
    table = package / "corpora" / "sources.json"
    entries = json.loads(table.read_text())
    digest, other = (entries[name]["files"][0]["sha256"] for name in ("xquad-r", "tatoeba"))
    names = {task.name for task in tasks(recipes.load(ROOT / "recipes" / "mini.yaml"), "mini")}
    assert changed_by(table, digest, "0" * 64, "mini") == names, "every task reads what it stands on"
    assert changed_by(table, other, "0" * 64, "mini") == set()


def test_comments_and_docstrings_are_no_code() -> None:
    program = '"""Of old."""\n# why\n\ndef one() -> str:\n    """Says."""\n    return """\n# text\n"""\n'
    same = program.replace("Of old", "New").replace("# why", "# because").replace("Says", "Tells")

    def checked(text: str) -> str:
        return code._code(text, list(ast.walk(ast.parse(text))))

    assert checked(program) == checked(same)
    assert checked(program) != checked(program.replace("# text", "# other"))
    assert checked(program) != checked(program.replace("one", "two"))


def test_a_loss_is_code_of_training_and_of_no_table() -> None:
    def files(module: str) -> set[str]:
        return {path.relative_to(code.ROOT).as_posix() for path in code.closure(module)}

    assert {"losses.py", "pretraining/settings.py", "training.py"} <= files("msm.pretraining.train")
    assert "losses.py" not in files("msm.evaluation.stage")
    assert not any(name.startswith("evaluation/") for name in files("msm.pretraining.train"))


def test_a_row_is_scored_before_the_next_one_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_tasks = tasks(recipes.load(TINY), "tiny.yaml")
    monkeypatch.chdir(tmp_path)
    waiting = Chain(all_tasks, Options(TINY)).queue
    order: list[str] = []
    while waiting:
        ready = next(task for task in waiting if not {other.out for other in inputs(task, waiting)})
        waiting.remove(ready)
        order.append(ready.name)
    steps = [name for name in order if name.startswith(("pretrain/", "score/constructed-m"))]
    pairs = {("pretrain/mlm-1", "score/constructed-mlm-1"), ("pretrain/msm-1", "score/constructed-msm-1")}
    assert {tuple(steps[:2]), tuple(steps[2:])} == pairs


def test_what_needs_a_failed_task_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "recipes" / "mini.yaml"
    all_tasks = tasks(recipes.load(path), "mini.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TasksFailed) as error:
        Chain(all_tasks, Options(path, words=(f"--mirror={tmp_path}",))).run()
    ((name, (code, reason)),) = error.value.failures.items()
    assert (name, error.value.lost) == (all_tasks[0].name, [task.name for task in all_tasks[1:-1]])
    assert code == error.value.exit_code == 2
    assert str(tmp_path) in reason and str(error.value).startswith(f"{name}: {reason}; not run for want of it: ")
    assert not (tmp_path / "artifacts" / "mini" / "documents").exists()


def msm(folder: Path, *words: str) -> str:
    """Run a command in a folder; what it says on stderr."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "msm", *words]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stderr


def clone(folder: Path) -> Path:
    folder.mkdir()
    (folder / "recipes").symlink_to(ROOT / "recipes")
    return folder


@pytest.mark.slow
def test_finished_rows_are_not_run_again_here_nor_elsewhere(tmp_path: Path) -> None:
    """Two rows, run in two clones of which the second has the first one's results, end as one run of both."""
    here, there, whole = (clone(tmp_path / name) for name in ("here", "there", "whole"))
    words = ("run", "tiny", "--rows", "bm25-words")
    assert msm(here, *words).endswith("tiny: 4 run, 0 reused\n")
    assert msm(here, *words) == "tiny: 0 run, 4 reused\n"
    assert (here / "artifacts/tiny/report/all/report/report.md").is_file()
    msm(here, "report", "tiny", "--export")
    shutil.copytree(here / "results", there / "results")
    assert msm(there, *words) == "tiny: 0 run, 1 reused, 1 rows taken as exported\n"
    both = (*words, "bm25-characters")
    assert msm(there, *both).endswith("tiny: 4 run, 0 reused, 1 rows taken as exported\n")
    assert "rows that were there and not in artifacts/tiny: score/constructed-bm25-words" in msm(
        there, "report", "tiny", "--export"
    )
    assert msm(whole, *both).endswith("tiny: 6 run, 0 reused\n")
    msm(whole, "report", "tiny", "--export")
    union, alone = (artifacts.checksums(folder / "results/tiny") for folder in (there, whole))
    assert union.keys() == alone.keys()
    assert {name for name in alone if alone[name] != union[name]} == {"manifests.jsonl.gz"}, "seconds differ"
    first, second = (exported.manifests(folder / "results/tiny") for folder in (there, whole))
    for name in (first | second).keys() - {"report/all"}:
        for field in ("identity", "outputs", "fingerprint", "settings", "command"):
            assert first[name][field] == second[name][field]


@pytest.mark.parametrize("name", ["ablations", "real_hybrid"])
def test_committed_rows_count_as_done(name: str, tmp_path: Path) -> None:
    root = ROOT / "results" / name
    all_tasks = tasks(recipes.load(ROOT / "recipes" / f"{name}.yaml"), name)
    rows = {step for step in exported.manifests(root) if step.startswith("score/")}
    assert rows == set(exported_rows(all_tasks, root, tmp_path))


def test_vectors_stay_while_another_chain_is_at_work(tmp_path: Path) -> None:
    store = tmp_path / "work" / "twice" / "vectors"
    with presence(store) as ours:
        with presence(store):
            assert not is_alone(ours)
        assert is_alone(ours)


@pytest.mark.slow
def test_a_chain_that_fails_keeps_its_vectors(tmp_path: Path) -> None:
    """A row that searches with the model of another one takes its vectors, also when a chain has failed in between."""
    row = {
        "recipe": "twice",
        "base": str(ROOT / "recipes" / "tiny"),
        "models": [{"name": "untrained", "start": "encoder/ordered"}],
        "retrievals": [{"name": "deep", "model": "untrained", "retrieve": {"depth": 30}}],
        "lexical_models": [],
        "pretraining": [],
        "report": {"controls": "none"},
    }
    (tmp_path / "twice.yaml").write_text(yaml.safe_dump(row))
    folder = tmp_path / "artifacts/twice/retrieve/constructed-deep-1"
    folder.parent.mkdir(parents=True)
    folder.write_text("A file where a folder should be.")
    with pytest.raises(subprocess.CalledProcessError) as error:
        msm(tmp_path, "run", "twice.yaml", "--side_by_side", "1")
    message = error.value.stderr.splitlines()[-1]
    assert message.startswith("msm: retrieve/constructed-deep-1: ")
    assert message.endswith("; not run for want of it: score/constructed-deep-1")
    (store,) = tmp_path.glob("work/twice/vectors/*")
    folder.unlink()
    assert msm(tmp_path, "run", "twice.yaml").endswith("twice: 3 run, 8 reused\n")
    assert not store.exists(), "of a chain that has ended well"
