"""The stage `report`, the command and the export, on folders as the stages leave them."""

import shutil
from argparse import ArgumentParser
from pathlib import Path

import pytest

from msm.cli import report as report_command
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import artifacts, runner
from msm.reporting import lineage, results
from msm.reporting.export import export
from tests.reporting import made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made.write_recipe(tmp_path / "artifacts" / "demo")


def run_report(root: Path) -> dict:
    reads = {"scores": root / "score"}
    return runner.run_stage("report", made.SETTINGS, reads, root / "report/all", Execution(work=root.parent / "work"))


def run_command(root: Path, *words: str) -> None:
    parser = ArgumentParser()
    report_command.add_arguments(parser)
    top = root.parents[1]
    report_command.main(
        parser.parse_args(["demo", "--artifacts", str(top / "artifacts"), "--results", str(top / "results"), *words])
    )


def test_stage_writes_report_table_and_picture(root: Path) -> None:
    manifest = run_report(root)
    assert set(manifest["outputs"]) == {"report.md", "table.txt", "heatmap-lareqa.svg", "metrics.json", "scores.csv"}
    assert manifest["facts"] == {"score_folders": 7, "left_out": 0}


def test_same_scores_give_the_same_bytes(root: Path) -> None:
    first = run_report(root)["outputs"]
    shutil.rmtree(root / "report/all")
    assert run_report(root)["outputs"] == first


def test_broken_scores_are_reported_not_raised(root: Path) -> None:
    (root / "score/lareqa-mlm-1/scores/scores.jsonl").write_text("oops\n")
    assert run_report(root)["facts"] == {"score_folders": 6, "left_out": 1}
    assert "lareqa-mlm-1" in (root / "report/all/report/table.txt").read_text()
    assert "**Left out:**" in (root / "report/all/report/report.md").read_text()


def test_nothing_to_report_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "demo" / "score").mkdir(parents=True)
    with pytest.raises(BadInput, match="no usable score folder"):
        run_report(tmp_path / "demo")


def test_command_prints_the_table_and_exports_nothing_unasked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_report(root)
    run_command(root)
    printed = capsys.readouterr().out
    assert "mAP@20" in printed
    assert printed.rstrip().endswith("report/all/report/report.md")
    assert not (root.parents[1] / "results").exists()


def test_command_without_a_report_says_what_to_do(root: Path) -> None:
    with pytest.raises(BadInput, match="no report yet"):
        run_command(root)


def test_export_is_read_like_the_artifacts(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_report(root)
    run_command(root, "--export")
    exported = root.parents[1] / "results" / "demo"
    assert results.read(exported / "score").benchmarks[0].columns == results.read(root / "score").benchmarks[0].columns
    assert report_command.terminal_table(exported) == report_command.terminal_table(root)
    states = {step.name: step.state for step in lineage.chain("score/lareqa-msm-1", exported, largest=10**9)}
    assert states.pop("score/lareqa-msm-1") == "intact"
    assert set(states) == {"sources/world", "pretrain/msm-1", "finetune/lareqa-msm-1", "retrieve/lareqa-msm-1"}
    assert set(states.values()) == {"not here"}


def test_export_holds_manifests_scores_and_report_only(root: Path) -> None:
    run_report(root)
    target = root.parents[1] / "results" / "demo"
    size = export(root, target)
    names = {path.name for path in target.rglob("*") if path.is_file()}
    scores = {"scores.jsonl", "chance.jsonl", "per_query.parquet"}
    assert (
        names
        == {"manifest.json", "report.md", "table.txt", "heatmap-lareqa.svg", "metrics.json", "scores.csv"} | scores
    )
    assert size == sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def test_export_holds_every_benchmark(tmp_path: Path) -> None:
    root = made.write_recipe(tmp_path / "artifacts/demo")
    made.write_recipe(root, benchmark="squad:tydi")
    export(root, tmp_path / "results")
    for family in ("score", "retrieve", "finetune"):
        rows = {path.name for path in (tmp_path / "results" / family).iterdir()}
        # Not every file system has colons.
        assert rows == {path.name.replace(":", ".") for path in (root / family).iterdir()}
    (scored,) = (tmp_path / "results/score").glob("squad*-msm-1")
    steps = lineage.chain(f"score/{scored.name}", tmp_path / "results", largest=10**9)
    assert [step.name for step in steps[-2:]] == ["retrieve/squad:tydi-msm-1", "score/squad.tydi-msm-1"]
    assert all(step.manifest and not step.problems for step in steps)


def test_export_replaces_what_it_wrote_and_keeps_the_rest(root: Path) -> None:
    target = root.parents[1] / "results" / "demo"
    export(root, target)
    (target / "README.md").write_text("what I read in it")
    (target / "score" / "old").mkdir()
    export(root, target)
    assert (target / "README.md").read_text() == "what I read in it"
    assert not (target / "score" / "old").exists()


def test_export_vouches_for_nothing_that_was_changed(root: Path) -> None:
    (root / "finetune/lareqa-msm-1/payload/model.safetensors").write_text("other")
    with pytest.raises(BadInput, match="changed since it was written"):
        export(root, root.parents[1] / "results" / "demo")
    assert not (root.parents[1] / "results").exists()


def test_export_without_scores_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no scores"):
        export(tmp_path / "artifacts" / "demo", tmp_path / "results" / "demo")


def test_payload_of_the_report_is_what_the_stage_table_says(root: Path) -> None:
    run_report(root)
    assert artifacts.payload(root / "report/all") == report_command.report_folder(root)
