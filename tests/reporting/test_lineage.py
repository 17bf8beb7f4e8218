"""Lineage: the steps behind a number, and every way a folder can stop being what its manifest says."""

import json
from pathlib import Path

import pytest

from msm import files
from msm.errors import BadInput
from msm.evaluation import exported
from msm.pipeline import artifacts
from msm.pipeline.manifests import FORMAT
from msm.pipeline.stages import STAGES
from msm.reporting import lineage, results
from msm.settings import make

ROOT = Path(__file__).parents[2]

EVERYTHING = 10**9


def write_step(root: Path, name: str, inputs: list[str], content: str = "x") -> Path:
    folder = root / name
    payload = folder / "payload"
    payload.mkdir(parents=True)
    (payload / "data.txt").write_text(content)
    reads = {
        source.split("/")[0]: {
            "path": f"artifacts/demo/{source}",
            "checksum": artifacts.payload_checksum(root / source) if (root / source).is_dir() else "0",
        }
        for source in inputs
    }
    manifest = {
        "format": 1,
        "stage": name.split("/")[0],
        "settings": {},
        "inputs": reads,
        "outputs": artifacts.checksums(payload),
        "payload": "payload",
        "facts": {},
    }
    files.write_json(folder / "manifest.json", manifest)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_step(tmp_path, "sources/all", [])
    write_step(tmp_path, "finetune/msm-1", ["sources/all"], "model")
    write_step(tmp_path, "retrieve/msm-1", ["sources/all", "finetune/msm-1"], "run")
    return tmp_path


def states(root: Path, name: str = "retrieve/msm-1", largest: int = EVERYTHING) -> dict[str, str]:
    return {step.name: step.state for step in lineage.chain(name, root, largest=largest)}


def test_steps_come_in_the_order_they_ran(root: Path) -> None:
    assert list(states(root)) == ["sources/all", "finetune/msm-1", "retrieve/msm-1"]
    assert set(states(root).values()) == {"intact"}


def test_a_changed_file_is_found(root: Path) -> None:
    (root / "finetune/msm-1/payload/data.txt").write_text("Model")
    steps = {step.name: step for step in lineage.chain("retrieve/msm-1", root, largest=EVERYTHING)}
    assert steps["finetune/msm-1"].state == "changed"
    assert steps["finetune/msm-1"].problems == ["data.txt: changed since it was written"]
    assert steps["retrieve/msm-1"].state == "intact"


def test_missing_and_added_files_are_found_without_reading_bytes(root: Path) -> None:
    payload = root / "finetune/msm-1/payload"
    (payload / "data.txt").rename(payload / "other.txt")
    (step,) = (step for step in lineage.chain("finetune/msm-1", root, largest=0) if step.name == "finetune/msm-1")
    assert step.problems == ["data.txt: missing", "other.txt: not written by the stage"]


def test_large_payloads_are_left_unchecked(root: Path) -> None:
    assert states(root, largest=4)["finetune/msm-1"] == "unchecked"


def test_an_input_that_was_made_again_is_named(root: Path) -> None:
    files.write_json(
        root / "finetune/msm-1/manifest.json",
        files.read_json(root / "finetune/msm-1/manifest.json") | {"outputs": {"data.txt": "0" * 64}},
    )
    (last,) = (step for step in lineage.chain("retrieve/msm-1", root, largest=0) if step.name == "retrieve/msm-1")
    assert last.problems == ["finetune: finetune/msm-1 is not the one that was read"]


def test_an_export_without_payloads_is_not_called_changed(root: Path) -> None:
    (root / "finetune/msm-1/payload/data.txt").unlink()
    (root / "finetune/msm-1/payload").rmdir()
    assert states(root) == {"sources/all": "intact", "finetune/msm-1": "not here", "retrieve/msm-1": "intact"}


@pytest.mark.parametrize("benchmark", ["lareqa", "squad:tydi", "tatoeba@deu-eng,fra-eng"])
def test_rows_of_every_benchmark_are_steps(benchmark: str) -> None:
    path = f"artifacts/mini/retrieve/{benchmark}-msm-1"
    assert lineage.step_name(path) == f"retrieve/{benchmark}-msm-1"


@pytest.mark.parametrize("name", ["../secret", "a/../b", "/etc/passwd", "..", "a/b/c", "x/.hidden"])
def test_names_in_manifests_never_leave_the_folder(root: Path, name: str) -> None:
    (step,) = lineage.chain(name, root / "finetune", largest=EVERYTHING)
    assert (step.state, step.manifest) == ("given", {})


def test_an_own_folder_as_input_is_given(root: Path) -> None:
    folder = write_step(root, "score/own", [])
    manifest = artifacts.read_manifest(folder)
    manifest["inputs"] = {"run": {"path": "/home/me/my runs", "checksum": "1"}}
    files.write_json(folder / "manifest.json", manifest)
    assert states(root, "score/own") == {"/home/me/my runs": "given", "score/own": "intact"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object"),
        ('{"format": 3}', "format 3; this version reads format 2"),
        ('{"format": 1, "stage": "score"}', "no manifest of a stage: payload is None"),
    ],
)
def test_a_bad_manifest_says_what_is_wrong(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(BadInput, match=words):
        lineage.read_manifest(tmp_path)


def test_a_bad_manifest_in_the_chain_is_shown_as_changed(root: Path) -> None:
    (root / "sources/all/manifest.json").write_text(json.dumps({"format": 9}))
    assert states(root)["sources/all"] == "changed"


@pytest.mark.parametrize("name", sorted(path.parent.name for path in ROOT.glob(f"results/*/{exported.MANIFESTS}*")))
def test_results_of_this_and_earlier_versions_load(name: str) -> None:
    """Their settings are those of today's classes, their rows have a lineage, their commands stay as they were run."""
    root = ROOT / "results" / name
    manifests = {line["name"]: line["manifest"] for _, line in files.read_json_lines(root / exported.MANIFESTS)}
    formats = {manifest["format"] for manifest in manifests.values()}
    assert formats <= {1, FORMAT}
    for step, manifest in exported.manifests(root).items():
        make(STAGES[manifest["stage"]].settings, manifest["settings"], step)
        assert manifest["command"] == manifests[step]["command"]
        assert step.startswith("report/") or not any(one.problems for one in lineage.chain(step, root, largest=0))
    assert not results.read(root / "score").problems
