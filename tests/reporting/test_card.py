"""Model cards of real stage folders."""

from pathlib import Path

import pytest
import yaml

from msm.cli.main import main
from msm.files import write_json, write_json_lines


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Manifests of a chain of two sources, a model, its run and its scores."""
    root = tmp_path / "artifacts" / "toy"

    def stage(family: str, row: str, payload: str, inputs: dict[str, str], facts: dict[str, object]) -> Path:
        folder = root / family / row
        manifest_inputs = {
            name: {"path": f"artifacts/toy/{path}", "checksum": path * 3} for name, path in inputs.items()
        }
        manifest = {
            "stage": family,
            "payload": payload,
            "inputs": manifest_inputs,
            "facts": facts,
            "settings": {"steps": 7},
        }
        more = {"command": f"msm run {family} --steps 7", "commit": "abc", "versions": {"torch": "2"}, "device": "cpu"}
        write_json(folder / "manifest.json", manifest | more | {"seconds": 1.0})
        (folder / payload).mkdir()
        return folder

    origin = {"origin": "example.org", "licence": "CC0"}
    stage("sources", "download", "files", {}, {"collections": {"texts": origin}})
    stage("pretrain", "msm-1", "model", {"sources": "sources/download"}, {"tokens": 5})
    model = stage("finetune", "own-msm-1", "model", {"sources": "sources/download", "weights": "pretrain/msm-1"}, {})
    write_json(model / "model" / "encoder.json", {"pooling": "mean", "query_prefix": "a|b"})
    stage("retrieve", "other-msm-1", "run", {"model": "finetune/own-msm-1"}, {})
    scores = stage("score", "other-msm-1", "scores", {"run": "retrieve/other-msm-1"}, {})
    row = {"benchmark": "other", "split": "dev", "candidate_language": None, "measure": "map@20", "queries": 3}
    rows = [row | {"query_language": language, "value": 0.25, "protocol": "p"} for language in ("sw", "mean")]
    write_json_lines(scores / "scores" / "scores.jsonl", rows)
    stage("retrieve", "other-mlm-1", "run", {"model": "finetune/own-mlm-1"}, {})
    stage("score", "other-mlm-1", "scores", {"run": "retrieve/other-mlm-1"}, {})
    return root


def test_every_checkpoint_of_a_recipe_gets_a_card(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["card", str(recipe)])
    assert capsys.readouterr().out.splitlines() == [
        str(recipe / "finetune" / "own-msm-1" / "README.md"),
        str(recipe / "pretrain" / "msm-1" / "README.md"),
    ]
    text = (recipe / "finetune" / "own-msm-1" / "README.md").read_text()
    assert yaml.safe_load(text.split("---")[1])["library_name"] == "sentence-transformers"
    assert text.count("| other | dev | all languages | map@20 | 0.2500 | 3 | p |") == 1
    assert text.count("example.org, CC0") == 1
    assert "a\\|b" in text and "Commit `abc`; torch 2" in text
    assert "not a retriever" in (recipe / "pretrain" / "msm-1" / "README.md").read_text()


def test_a_text_of_ones_own_is_not_replaced(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["card", str(recipe)])
    main(["card", str(recipe)])
    path = recipe / "pretrain" / "msm-1" / "README.md"
    path.write_text("My notes")
    with pytest.raises(SystemExit):
        main(["card", str(recipe)])
    assert "not a card of this checkpoint" in capsys.readouterr().err
    assert path.read_text() == "My notes"
    path.unlink()


def test_a_folder_that_is_no_checkpoint_gets_none(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, message in ((recipe / "score" / "other-msm-1", "stage score"), (recipe / "score", "no checkpoint")):
        with pytest.raises(SystemExit):
            main(["card", str(folder)])
        assert message in capsys.readouterr().err
