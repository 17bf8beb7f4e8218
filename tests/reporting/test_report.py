"""The stage `report`, the command and the export, on folders as the stages leave them."""

import re
import shutil
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
import yaml

from msm import files
from msm.cli import report as report_command
from msm.cli.main import main
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline import artifacts, runner
from msm.reporting import lineage, results
from msm.verbs.report import report_folder, terminal_table, write_export
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


def test_the_recipe_is_in_the_report(root: Path) -> None:
    """One where all rows were run with the same, several where they were not."""
    for number, path in enumerate(sorted(root.glob("score/*/manifest.json"))):
        recipe = {"recipe": "demo", "pretrain": {"steps": 7 if number else 5}}
        files.write_json(path, files.read_json(path) | {"recipe": recipe})
    run_report(root)
    text = (root / "report/all/report/report.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall("```yaml\n(.+?)```", text, flags=re.DOTALL)]
    assert [block["pretrain"]["steps"] for block in blocks] == [5, 7]
    assert "with every value when score/lareqa-bm25-words ran" in text


def test_broken_scores_are_reported_not_raised(root: Path) -> None:
    folder = root / "score/lareqa-mlm-1"
    (folder / "scores/scores.jsonl").write_text("oops\n")
    made.write_manifest(folder, "score", "scores", {})
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
    output = capsys.readouterr().out
    assert "mAP@20" in output
    assert output.rstrip().endswith("report/all/report/report.md")
    assert not (root.parents[1] / "results").exists()


def test_command_without_a_report_says_what_to_do(root: Path) -> None:
    shutil.rmtree(root / "score")
    with pytest.raises(BadInput, match="no report yet"):
        run_command(root)


def test_rows_are_exported_as_they_are_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has asked for a report: each export has one on the rows that are there, and names those that are not."""
    recipe = {
        "recipe": "demo",
        "base": str(Path("recipes/demo").resolve()),
        "benchmarks": [{"name": "lareqa", "questions": "questions/test", "split": "test"}],
        "lexical_models": [{"name": "bm25-words"}],
        "report": {"bootstrap": 100},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(recipe))
    root = tmp_path / "artifacts" / "demo"
    words = ["report", str(tmp_path / "own.yaml"), "--export"]
    words += ["--artifacts", str(root.parent), "--results", str(tmp_path / "results")]
    rows: list[str] = []
    for model in ("untrained", "msm"):
        made.write_recipe(root, models={model: [1]})
        main(words)
        output = capsys.readouterr()
        rows.append(f"lareqa-{model}-1")
        missing = [f"score/lareqa-{name}" for name in ("untrained-1", "mlm-1", "msm-1") if f"lareqa-{name}" not in rows]
        missing.append("score/lareqa-bm25-words")
        assert f"exported to {tmp_path / 'results' / 'demo'} (0.0 MB), rows: {len(rows)}\n" in output.err
        assert f"not there yet, {len(missing)} of 4 rows: {', '.join(missing)}\n" in output.err
        report = (tmp_path / "results/demo/report/all/report/report.md").read_text()
        assert ("| msm" in report) == ("lareqa-msm-1" in rows)
        assert artifacts.read_manifest(root / "report/all")["facts"]["score_folders"] == len(rows)
        names = {line.split()[0] for line in output.out.splitlines() if line.split()}
        assert ("msm" in names) == ("lareqa-msm-1" in rows)


def test_export_is_read_like_the_artifacts(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_report(root)
    run_command(root, "--export")
    target = root.parents[1] / "results" / "demo"
    assert terminal_table(target) == terminal_table(root)
    (benchmark,), (copy,) = (results.read(folder / "score").benchmarks for folder in (root, target))
    assert copy.columns == benchmark.columns
    one_benchmark, copied_benchmark = (results.load(one, one.columns)[0] for one in (benchmark, copy))
    assert one_benchmark is not None and copied_benchmark is not None
    for model, other in zip(one_benchmark.models, copied_benchmark.models, strict=True):
        assert (model.name, model.is_trained, model.seeds[0].chance) == (
            other.name,
            other.is_trained,
            other.seeds[0].chance,
        )
        for column in benchmark.columns:
            np.testing.assert_allclose(model.values(column), other.values(column), rtol=1e-6)
    steps = {step.name: step for step in lineage.chain("score/lareqa-msm-1", target, largest=10**9)}
    assert set(steps) == {
        *("sources/world", "pretrain/msm-1", "finetune/lareqa-msm-1"),
        *("retrieve/lareqa-msm-1", "score/lareqa-msm-1"),
    }
    assert all(step.state == "not here" and step.manifest for step in steps.values())


def test_exported_rows_are_compared_by_the_path_of_their_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_report(root)
    run_command(root, "--export")
    outputs = []
    for folder in (root, root.parents[1] / "results" / "demo"):
        capsys.readouterr()
        words = [str(folder / "score" / f"lareqa-{name}-1") for name in ("mlm", "msm")]
        main(["compare", "--resamples", "99", "--baseline", *words])
        outputs.append(capsys.readouterr().out.replace(str(folder), ""))
    assert outputs[0] == outputs[1]


def test_export_holds_manifests_scores_and_report_only(root: Path) -> None:
    run_report(root)
    target = root.parents[1] / "results" / "demo"
    size = write_export(root, target)
    names = {path.name for path in target.rglob("*") if path.is_file()}
    assert names == {
        *("report.md", "table.txt", "heatmap-lareqa.svg"),
        *("scores.jsonl.gz", "chance.jsonl.gz", "languages.jsonl.gz", "collection.jsonl.gz"),
        *("per_query.parquet", "manifests.jsonl.gz"),
    }
    assert size == sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    whole = sum(path.stat().st_size for path in (root / "score").rglob("*") if path.is_file())
    assert size < whole / 2


def test_export_holds_every_benchmark(tmp_path: Path) -> None:
    root = made.write_recipe(tmp_path / "artifacts/demo")
    made.write_recipe(root, benchmark="squad:tydi", languages=("en", "sw"))
    write_export(root, tmp_path / "results/demo")
    benchmarks = results.read(tmp_path / "results/demo/score").benchmarks
    assert [one.name for one in benchmarks] == ["lareqa", "squad:tydi"]
    with_values, problems = results.load(benchmarks[1], benchmarks[1].columns)
    assert with_values is not None and not problems
    assert with_values.first.values[benchmarks[1].columns[0]].languages == ["en", "sw"]
    steps = lineage.chain("score/squad:tydi-msm-1", tmp_path / "results/demo", largest=10**9)
    assert [step.name for step in steps[-2:]] == ["retrieve/squad:tydi-msm-1", "score/squad:tydi-msm-1"]
    assert all(step.manifest and not step.problems for step in steps)


def test_rows_of_two_machines_join_to_what_one_would_export(tmp_path: Path) -> None:
    """The second has nothing but the first one's export and a model of its own."""
    models = {name: seeds for name, seeds in made.MODELS.items() if name != "msm"}
    whole, first, second = (tmp_path / name / "demo" for name in ("whole", "first", "second"))
    for root, rows in ((whole, made.MODELS), (first, models), (second, {"msm": made.MODELS["msm"]})):
        made.write_recipe(root, models=rows)
        run_report(root)
    write_export(whole, tmp_path / "alone/demo")
    write_export(first, tmp_path / "joined/demo")
    names = [f"score/{path.name}" for path in sorted((first / "score").iterdir())]
    write_export(second, tmp_path / "joined/demo", names)
    alone, union = (artifacts.checksums(tmp_path / name / "demo") for name in ("alone", "joined"))
    assert {name for name in alone if alone[name] != union.get(name)} <= {"manifests.jsonl.gz"}, "paths differ"
    assert alone.keys() == union.keys()


def test_rows_made_from_other_data_do_not_join(tmp_path: Path) -> None:
    first, second = (tmp_path / name / "demo" for name in ("first", "second"))
    for root, model in ((first, "mlm"), (second, "msm")):
        made.write_recipe(root, models={model: [1]})
        write_export(root, tmp_path / model / "demo")
    world = second / "sources/world"
    shutil.rmtree(second)
    made.write_step(second, "sources/world", {}, {"questions.txt": "others"})
    made.write_scores(second, "lareqa-msm-1", {"sources": world}, "lareqa", "msm", 1, 0.4, made.LANGUAGES)
    with pytest.raises(BadInput, match="is not the one behind the rows in"):
        write_export(second, tmp_path / "mlm/demo", ["score/lareqa-mlm-1"])


def test_export_replaces_what_it_wrote_and_keeps_the_rest(root: Path) -> None:
    target = root.parents[1] / "results" / "demo"
    write_export(root, target)
    (target / "README.md").write_text("what I read in it")
    made.write_step(target, "score/of-an-earlier-version", {}, {"scores.jsonl": ""})
    write_export(root, target)
    assert (target / "README.md").read_text() == "what I read in it"
    assert not (target / "score").exists()


def test_export_vouches_for_nothing_that_was_changed(root: Path) -> None:
    (root / "finetune/lareqa-msm-1/payload/model.safetensors").write_text("other")
    with pytest.raises(BadInput, match="changed since it was written"):
        write_export(root, root.parents[1] / "results" / "demo")
    assert not (root.parents[1] / "results").exists()


def test_export_without_scores_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no scores"):
        write_export(tmp_path / "artifacts" / "demo", tmp_path / "results" / "demo")


def test_payload_of_the_report_is_what_the_stage_table_says(root: Path) -> None:
    run_report(root)
    assert artifacts.payload(root / "report/all") == report_folder(root)
