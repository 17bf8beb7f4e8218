"""Which training sets a model has seen: of others by name, of ours by the manifests behind the score."""

import json
from pathlib import Path

import pytest

from msm.cli.main import main
from msm.evaluation import exported
from msm.reporting import lineage, training_sets
from msm.reporting.training_sets import NONE, OWN, Training, training_of
from tests.reporting import made

RESULTS = Path(__file__).parents[2] / "results"
NOTHING = {"inputs": {}, "settings": {}}


@pytest.mark.parametrize(
    ("benchmark", "model", "sets"),
    [
        ("miracl", "intfloat/multilingual-e5-small", "MIRACL, Mr. TyDi"),
        ("mr_tydi-sw,bn", "multilingual_e5_large, 256 dimensions", "Mr. TyDi, MIRACL"),
        ("lareqa", "BAAI/bge-m3", "SQuAD"),
        ("ms_marco", "mContriever-msmarco", "MS MARCO"),
        ("miracl", "mContriever-msmarco", ""),
        ("miracl", "bge-m3-unsupervised", ""),
        ("tatoeba", "bge-m3", ""),
        ("miracl", "mine", ""),
    ],
)
def test_models_of_others_are_known_by_name(benchmark: str, model: str, sets: str, tmp_path: Path) -> None:
    training = training_of(benchmark, model, NOTHING, tmp_path)
    assert training.sets == sets and bool(training.source) == bool(sets)


@pytest.mark.parametrize(
    ("row", "sets"),
    [
        ("real/score/lareqa-bm25-words", ""),
        ("demo/score/constructed-msm-1", OWN),
        ("ablations/score/constructed-mexma-1", OWN),
    ],
)
def test_models_of_ours_are_known_by_their_manifests(row: str, sets: str) -> None:
    root = RESULTS / row.partition("/")[0]
    [folder] = [path for path in exported.score_folders(root) if path.name == Path(row).name]
    manifest = lineage.read_manifest(folder)
    settings = manifest["settings"]
    name = settings["benchmark"].rpartition(":")[2]
    assert training_of(name, settings["model"], manifest, root) == Training(sets)


@pytest.mark.parametrize(
    ("examples", "benchmark", "sets"),
    [
        ("finetune/nq_qed.train.jsonl.gz, tydi-goldp/en.train.json.gz", "lareqa", NONE),
        ("finetune/nq_qed.train.jsonl.gz, finetune/squad.train.json", "lareqa", "SQuAD"),
        (
            "ko=tydi-goldp/ko.train.json.gz, parallel/xor_questions.jsonl.gz",
            "tydi_goldp",
            "TyDi QA, XOR-TyDi QA",
        ),
    ],
)
def test_files_of_examples_count(examples: str, benchmark: str, sets: str, tmp_path: Path) -> None:
    path = made.write_step(tmp_path, "finetune/mine", {}, {"model": "x"}) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": {"examples": examples}}))
    inputs = {"run": {"path": "artifacts/demo/finetune/mine", "checksum": "0"}}
    assert training_of(benchmark, "mine", {"inputs": inputs, "settings": {}}, tmp_path) == Training(sets)


def test_a_start_that_was_trained_on_them_counts(tmp_path: Path) -> None:
    encoder = made.write_step(tmp_path, "encoder/e5", {}, {"model": "x"})
    path = encoder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"settings": {"checkpoint": "e5_small_q4"}}))
    inputs = {"run": {"path": "artifacts/demo/encoder/e5", "checksum": "0"}}
    assert training_of("miracl", "start", {"inputs": inputs, "settings": {}}, tmp_path).sets == "MIRACL, Mr. TyDi"


def test_every_form_of_a_table_tells_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = made.write_recipe(tmp_path / "demo", models={"bge-m3": [1], "mlm": [1]}, skill={"bge-m3": 0.4, "mlm": 0.1})
    for form in ("text", "markdown", "latex", "csv", "html"):
        main(["table", str(root), "--resamples", "100", "--format", form])
        text = capsys.readouterr().out
        assert "SQuAD" in text and training_sets.HEAD in text
        assert ("arXiv:2402.03216" in text) == (form in ("text", "markdown", "html"))


def test_every_name_of_the_file_is_defined_and_leads_to_its_entry() -> None:
    facts = json.loads((Path(training_sets.__file__).with_suffix(".json")).read_text())
    for entry in facts["models"]:
        assert set(entry["sets"]) <= facts["sets"].keys() and entry["source"]
        assert all(training_sets._entry(name) == entry for name in entry["names"])
    assert {one for sets in facts["benchmarks"].values() for one in sets} <= facts["sets"].keys()


@pytest.mark.slow
def test_nothing_that_mteb_lists_is_missing() -> None:
    mteb = pytest.importorskip("mteb")
    facts = json.loads((Path(training_sets.__file__).with_suffix(".json")).read_text())
    names = {"MIRACLRetrieval": "miracl", "MrTidyRetrieval": "mr_tydi", "MSMARCO": "ms_marco", "NQ": "nq"}
    count = 0
    for meta in mteb.get_model_metas():
        plain = (meta.name or "").rpartition("/")[2].lower().replace("_", "-")
        for entry in facts["models"]:
            if plain in entry["names"] and meta.training_datasets:
                data_sets = {ours for theirs, ours in names.items() if theirs in meta.training_datasets}
                assert data_sets <= set(entry["sets"]), meta.name
                count += 1
    assert count > 15
