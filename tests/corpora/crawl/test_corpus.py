"""The whole road: files with faults planted in, documents and shards out."""

import functools
import gzip
import http.server
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from msm.bench.crawl_files import Page, PlantedFiles
from msm.corpora.crawl.steps import STEPS
from msm.corpora.shard_manifest import verify
from msm.corpora.shards import read_units
from msm.errors import BadInput
from tests.corpora.crawl.made import corpus, crawl_inputs, digests, expected, run, texts, write_recipe


@pytest.fixture(scope="session")
def corpus_folders(
    crawl: tuple[Path, PlantedFiles], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, Any]]:
    """Recipe, documents and manifest of one task."""
    folder = tmp_path_factory.mktemp("made")
    recipe = write_recipe(folder / "recipe.yaml", crawl_inputs(crawl[0]))
    return recipe, folder / "out", corpus(recipe, folder / "out", folder / "work")


def test_what_comes_out_is_what_went_in_less_what_was_planted(
    crawl: tuple[Path, PlantedFiles], corpus_folders: tuple[Path, Path, dict[str, Any]]
) -> None:
    planted_files, (_, out, manifest) = crawl[1], corpus_folders
    assert texts(out) == expected(planted_files.originals)
    counts = {reason: sum(languages.values()) for reason, languages in manifest["dropped"].items()}
    faults = planted_files.faults
    assert counts.pop("no_text") + counts.pop("empty") == faults["empty"]
    assert counts.pop("duplicate_paragraphs") >= faults["boilerplate"]
    assert counts == {
        "broken_record": faults["broken_member"] + faults["broken_length"],
        "duplicate": faults["duplicate"],
        "near_duplicate": faults["near_duplicate"],
        "other_language": faults["other_language"],
    }
    assert manifest["dropped"]["other_language"] == {"fi": 1, "sw": 1, "ta": 1}


@pytest.mark.parametrize("tasks", [4, 7])
def test_any_number_of_tasks_gives_the_same_bytes(
    tasks: int, wet: Path, tokenizer: str, one_task: Path, tmp_path: Path
) -> None:
    corpus(wet, tmp_path / "out", tmp_path / "work", "--tokenizer", tokenizer, "--tasks", str(tasks))
    assert digests(tmp_path / "out") == digests(one_task)
    shard = next((one_task / "en").iterdir())
    assert len(read_units(shard)["en"]) > 0


@pytest.mark.slow
def test_pods_do_their_share_and_wait_for_the_others(wet: Path, tokenizer: str, one_task: Path, tmp_path: Path) -> None:
    words = ["--tasks", "4", "--local_tasks", "2", "--poll_seconds", "0.2", "--workers", "1", "--tokenizer", tokenizer]
    command = [sys.executable, "-m", "msm", "corpus", str(wet), "--out", str(tmp_path / "out"), *words]
    pods = [
        subprocess.Popen([*command, "--work", str(tmp_path / "work"), "--pod", pod], stderr=subprocess.DEVNULL)
        for pod in ("0", "1")
    ]
    assert [pod.wait(timeout=100) for pod in pods] == [0, 0]
    assert digests(tmp_path / "out") == digests(one_task)


def test_steps_of_pods_one_by_one(wet: Path, tokenizer: str, one_task: Path, tmp_path: Path) -> None:
    words = ["--tasks", "4", "--local_tasks", "2", "--tokenizer", tokenizer, "--manifest", str(tmp_path / "kept.json")]
    for step in STEPS:
        assert not (tmp_path / "kept.json").exists()
        for pod in ("1", "0"):
            run(wet, str(tmp_path / "out"), tmp_path / "work", *words, "--step", step.name, "--pod", pod)
    assert digests(tmp_path / "out") == digests(one_task)
    assert (tmp_path / "kept.json").read_bytes() == (tmp_path / "out" / "shards.json").read_bytes()


def test_only_what_has_no_mark_is_done_again(wet: Path, tmp_path: Path) -> None:
    corpus(wet, tmp_path / "out", tmp_path / "work", "--tasks", "3")
    before = digests(tmp_path / "out")
    work = next((tmp_path / "work").iterdir())
    times = {path: path.stat().st_mtime_ns for path in work.glob("*/[0-9]*.json")}
    # As a kill leaves it: a unit whose rows are there in part, under a temporary name, and no mark.
    (work / "clean" / "000001.json").unlink()
    (work / "clean" / "000001.rows").unlink()
    (work / "clean" / ".000001.rows.1.partial").write_bytes(b"half")
    shutil.rmtree(next(work.glob("packing-*")))
    corpus(wet, tmp_path / "out", tmp_path / "work", "--tasks", "2")
    assert digests(tmp_path / "out") == before
    redone = {path.parent.name + "/" + path.name for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert redone == {"clean/000001.json"}


@pytest.mark.slow
def test_a_killed_run_goes_on(wet: Path, tokenizer: str, one_task: Path, tmp_path: Path) -> None:
    words = [str(wet), "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--tokenizer", tokenizer]
    for marks in (2, 5, 9):
        process = subprocess.Popen([sys.executable, "-m", "msm", "corpus", *words], stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(tmp_path.glob("work/*/*/[0-9]*.json"))) < marks:
            time.sleep(0.01)
        process.kill()
        process.wait()
    corpus(wet, tmp_path / "out", tmp_path / "work", "--tokenizer", tokenizer)
    assert digests(tmp_path / "out") == digests(one_task)


def test_every_kind_of_file_gives_its_documents(tmp_path: Path) -> None:
    sentence = "The assembly met on Monday to talk about the new name of the parliament in the old town."
    paragraphs = [
        f"{word}: {sentence} Nobody said a word about {word} before the end of the day." for word in "abcdefgh"
    ]
    texts_of = [paragraphs[0:2], paragraphs[2:4], paragraphs[4:6], paragraphs[6:8]]
    (tmp_path / "text").mkdir()
    with gzip.open(tmp_path / "text" / "en.txt.gz", "wt") as file:
        file.write("\n".join(texts_of[0]) + "\n\n")
    rows = [json.dumps({"text": "\n".join(texts_of[1]), "lang": "en"}), "{broken", json.dumps({"other": 1})]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    wiki = '<doc id="1" url="u" title="Name">\nName\n\n' + "\n".join(texts_of[2]) + "\n</doc>\n"
    (tmp_path / "wiki_00").write_text(wiki)
    (tmp_path / "folder" / "en").mkdir(parents=True)
    (tmp_path / "folder" / "en" / "one.txt").write_text("\n\n".join(texts_of[3]))
    kinds = [("text", "text/*.gz"), ("jsonl", "*.jsonl"), ("wiki", "wiki_*"), ("folder", "folder/*/*.txt")]
    inputs = [
        {"address": str(tmp_path), "files": files, "format": kind, "language": "en" if kind == "wiki" else ""}
        for kind, files in kinds
    ]
    manifest = corpus(
        write_recipe(tmp_path / "recipe.yaml", inputs, near_duplicates="keep"), tmp_path / "out", tmp_path
    )
    assert texts(tmp_path / "out") == expected([Page("en", tuple(text)) for text in texts_of])
    assert manifest["dropped"] == {"broken_line": {"-": 2}}


def test_a_shard_that_is_not_the_one_of_the_manifest_is_refused(one_task: Path, tmp_path: Path) -> None:
    shutil.copytree(one_task, tmp_path / "out")
    path = next((tmp_path / "out").glob("en/*/en.tokens.npy"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BadInput, match=r"en\.tokens\.npy"):
        verify(tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "2", "--local_tasks", "2", "--pod", "1"], "local_tasks"),
        (["--step", "polish"], "there is none; here are: read, duplicates, clean, "),
        (["--step", "clean"], "read has no mark for 3 units; run it first"),
        (["--step", "read", "--executor", "slurm"], "--step is for --executor local"),
        (["--executor", "ray"], "--executor ray needs `pip install ray`"),
        (["--executor", "slurm"], "needs the command sbatch"),
    ],
)
def test_what_cannot_run_is_said(
    words: list[str], message: str, wet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Machines without them.
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=message):
        corpus(wet, tmp_path / "out", tmp_path / "work", *words)


def test_files_are_read_over_http_as_from_a_disk(
    crawl: tuple[Path, PlantedFiles], one_task: Path, tokenizer: str, tmp_path: Path
) -> None:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(crawl[0]))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        inputs = [row | {"address": address} for row in crawl_inputs(crawl[0])[1:]]
        recipe = write_recipe(tmp_path / "recipe.yaml", inputs)
        corpus(recipe, tmp_path / "out", tmp_path / "work", "--tokenizer", tokenizer)
        server.shutdown()
    assert digests(tmp_path / "out") == digests(one_task)
