"""`msm reproduce` with a tiny checkpoint and files served from a local folder."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from statistics import fmean

import pytest
import yaml

from msm.cli.main import main
from msm.corpora.settings import ENCODERS
from msm.encoders.building import EncoderForm
from msm.encoders.saving import new_encoder, save_encoder
from msm.reporting.published import load
from msm.verbs.reproduce import ANCHORS, read_anchor, side_by_side
from msm.verbs.scores import Scores

ROOT = Path(__file__).parents[2]


@pytest.fixture
def anchors(encoder: Path, sources: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a file with one anchor, whose files lie in a mirror."""
    copytree(encoder, tmp_path / "model")
    save_encoder(new_encoder(tmp_path / "model", EncoderForm("mean", "cosine", 24, 48)), tmp_path / "model")
    questions = sources / "questions" / "test"
    files = [
        {
            "path": f"toy/{path.name}",
            "address": "",
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(questions.iterdir())
    ]
    copytree(questions, tmp_path / "mirror" / "toy")
    table = {"toy": {"content": "toy", "origin": "here", "commit": "", "licence": "CC0", "files": files}}
    (tmp_path / "sources.json").write_text(json.dumps(table))

    def write(**changes: object) -> Path:
        anchor = {
            "model": str(tmp_path / "model"),
            "benchmark": "lareqa:own",
            "sources": str(tmp_path / "sources.json"),
            "folder": "toy",
            "split": "test",
            "setting": "zero-shot",
            "published": "here",
            "tolerance": 0.01,
            "expected": {"mean": {"map@20": 0.9}},
        }
        path = tmp_path / "anchors.yaml"
        path.write_text(yaml.safe_dump({"toy": anchor | changes}))
        return path

    return write


def reproduce(path: Path, out: Path, *words: str) -> None:
    main(
        ["reproduce", "toy", "--anchors", str(path), "--out", str(out), "--mirror", str(path.parent / "mirror"), *words]
    )


def test_the_tolerance_decides_the_exit_code(
    anchors: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        reproduce(anchors(), out)
    assert end.value.code == 4
    output = capsys.readouterr()
    row = json.loads(output.out)
    assert row["expected"] == 0.9 and not row["within"]
    assert "1 of 1 scores outside the tolerance; mean map@20 is" in output.err.splitlines()[-1]
    reproduce(anchors(expected={"mean": {"map@20": row["value"] + 0.009}}), out)
    assert json.loads((out / "reproduction.json").read_text())["scores"][0]["within"]


def test_a_language_stands_for_its_widest_pool(tmp_path: Path) -> None:
    def rows(*candidates: str | None) -> list[float]:
        lines = [
            {"query_language": "de", "candidate_language": candidate, "measure": "m", "value": place / 10}
            for place, candidate in enumerate(candidates)
        ]
        anchor = {"expected": {"de": {"m": 0.5}}, "tolerance": 0.1}
        return [row["value"] for row in side_by_side(anchor, Scores(tmp_path, lines))]

    assert rows("en", "other", "de", None) == [0.3]
    assert rows("en", "other", "de") == [0.2]
    assert rows("en", "other") == [0.1]


def test_what_an_anchor_lacks_is_said(
    anchors: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for changes, message in (
        ({"sources": "nowhere.json"}, "nowhere.json: no such file"),
        ({"tolerence": 1}, "unknown field tolerence"),
        ({"usage": {"pooling": "most"}}, "toy: --pooling must be one of cls, mean"),
        ({"expected": {"xx": {"map@20": 0.1}}}, "no map@20 of xx, which was published"),
    ):
        with pytest.raises(SystemExit) as end:
            reproduce(anchors(**changes), tmp_path / "out")
        assert end.value.code == 2
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_the_anchors_say_what_was_published() -> None:
    """Every value is a published cell, or the mean of a row's cells."""
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    for cell in load():
        if cell.split == "test" and cell.value is not None:
            rows.setdefault((cell.benchmark, cell.measure, cell.source, cell.model), {})[cell.language] = cell.value
    values = {(*row[:2], language, round(value, 4)) for row, cells in rows.items() for language, value in cells.items()}
    for row, cells in rows.items():
        languages = [value for language, value in cells.items() if len(language) == 2]
        if len(languages) == 11:
            values.add((*row[:2], "mean", round(fmean(languages), 3)))
    for name in yaml.safe_load(ANCHORS.read_text()):
        anchor = read_anchor(ANCHORS, name)
        if anchor["model"] in ENCODERS:
            continue  # a score of sentence-transformers\' vectors; tests/encoders/test_published.py
        for language, measures in anchor["expected"].items():
            for measure, value in measures.items():
                assert (anchor["benchmark"].split("-")[0], measure, language, value) in values, (name, language)
