"""The whole road: files with faults planted in, documents and shards out."""

import argparse
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import yaml

from msm.artifacts import read_json
from msm.bench.crawl_files import Page, Planted, pages_of, write_files
from msm.corpora.corpus_command import add_arguments, main
from msm.corpora.documents import read_documents
from msm.corpora.shards import read_units
from msm.corpora.streaming import read_streamed, verify
from msm.errors import BadInput

WANTED = ("ar", "de", "en", "hi", "ru", "zh")
RECIPE = Path(__file__).parents[3] / "recipes" / "corpus" / "common_crawl.yaml"


@pytest.fixture(scope="session")
def crawl(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    """Files made of public news: 12 documents in each of six languages, and faults."""
    found: dict[str, list[list[str]]] = {}
    with gzip.open(mirror / "documents" / "ntrex128.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if len(row["sentences"]) >= 10:
                found.setdefault(row["language"], []).append(row["sentences"][:16])
    # Not the same documents in every language, and languages in turn.
    texts = [
        (language, found[language][6 * place + turn]) for place in range(12) for turn, language in enumerate(WANTED)
    ]
    strangers = [(language, found[language][-1]) for language in ("fi", "sw", "ta")]
    folder = tmp_path_factory.mktemp("crawl")
    return folder, write_files(folder, pages_of(texts), pages_of(strangers), seed=1)


def write_recipe(path: Path, inputs: list[dict[str, Any]], **changes: Any) -> Path:
    values = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    values["inputs"] = inputs
    values["corpus"] |= {"languages": ", ".join(WANTED), "hash_buckets": 3, "min_units": 2, "shard_bytes": 20_000}
    values["corpus"] |= changes
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def crawl_inputs(folder: Path) -> list[dict[str, Any]]:
    return [
        {"address": str(folder), "files": "warc/*.gz", "format": "warc", "language": ""},
        {"address": str(folder), "files": "wet/*.gz", "format": "wet", "language": ""},
    ]


def corpus(recipe: Path, out: Path, work: Path, *words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    main(parser.parse_args([str(recipe), "--out", str(out), "--work", str(work), "--workers", "1", *words]))
    return read_json(out / "shards.json")


def texts(out: Path) -> Counter[tuple[str, str]]:
    """Language and text without blanks of every document that came out."""
    documents = (document for path in out.glob("*.jsonl") for document in read_documents(path))
    return Counter((row.language, "".join("".join(row.sentences).split())) for row in documents)


def expected(pages: list[Page]) -> Counter[tuple[str, str]]:
    """In the form that reading gives texts: NFC."""
    texts = ((page.language, unicodedata.normalize("NFC", "".join(page.paragraphs))) for page in pages)
    return Counter((language, "".join(text.split())) for language, text in texts)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "shards.json"
    }


@pytest.fixture(scope="session")
def made(crawl: tuple[Path, Planted], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Recipe, documents and manifest of one task."""
    folder = tmp_path_factory.mktemp("made")
    recipe = write_recipe(folder / "recipe.yaml", crawl_inputs(crawl[0]))
    return recipe, folder / "out", corpus(recipe, folder / "out", folder / "work")


def test_what_comes_out_is_what_went_in_less_what_was_planted(
    crawl: tuple[Path, Planted], made: tuple[Path, Path, dict[str, Any]]
) -> None:
    planted, (_, out, manifest) = crawl[1], made
    assert texts(out) == expected(planted.originals)
    dropped = {reason: sum(languages.values()) for reason, languages in manifest["dropped"].items()}
    faults = planted.faults
    assert dropped.pop("no_text") + dropped.pop("empty") == faults["empty"]
    assert dropped.pop("duplicate_paragraphs") >= faults["boilerplate"]
    assert dropped == {
        "broken_record": faults["broken_member"] + faults["broken_length"],
        "duplicate": faults["duplicate"],
        "near_duplicate": faults["near_duplicate"],
        "other_language": faults["other_language"],
    }
    assert manifest["dropped"]["other_language"] == {"fi": 1, "sw": 1, "ta": 1}


@pytest.fixture(scope="session")
def wet(crawl: tuple[Path, Planted], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of the WET files only: no text extraction, so quick."""
    return write_recipe(tmp_path_factory.mktemp("wet") / "recipe.yaml", crawl_inputs(crawl[0])[1:])


@pytest.fixture(scope="session")
def tokenizer(public_tokenizer: Path) -> str:
    return str(public_tokenizer)


@pytest.fixture(scope="session")
def one_task(wet: Path, tokenizer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards made by one task."""
    folder = tmp_path_factory.mktemp("one")
    corpus(wet, folder / "out", folder / "work", "--tokenizer", tokenizer)
    return folder / "out"


@pytest.mark.parametrize("tasks", [pytest.param(4, marks=pytest.mark.slow), 7])
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
        subprocess.Popen(
            [*command, "--work", str(tmp_path / "work"), "--local_rank_offset", offset], stderr=subprocess.DEVNULL
        )
        for offset in ("0", "2")
    ]
    assert [pod.wait(timeout=100) for pod in pods] == [0, 0]
    assert digests(tmp_path / "out") == digests(one_task)


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
        run = subprocess.Popen([sys.executable, "-m", "msm", "corpus", *words], stderr=subprocess.DEVNULL)
        while run.poll() is None and len(list(tmp_path.glob("work/*/*/[0-9]*.json"))) < marks:
            time.sleep(0.01)
        run.kill()
        run.wait()
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


def test_order_is_the_same_from_a_disk_and_from_afar(one_task: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(one_task), "/far", recursive=True)
    near = read_streamed(str(one_task), cache=None, cache_bytes=1)
    far = read_streamed("memory://far", cache=tmp_path / "cache", cache_bytes=1, window=4)
    for language in near.languages:
        shards, others = near[language], far[language]
        order = shards.order((1, 2))
        assert sorted(order) == list(range(len(shards))) and (order == others.order((1, 2))).all()
        runs = [[unit.tolist() for unit in sequence.run(int(order[0]))] for sequence in (shards, others)]
        assert runs[0] == runs[1]
        blocks = [sequence.blocks(256) for sequence in (shards, others)]
        assert [block.tolist() for block in blocks[0]] == [block.tolist() for block in blocks[1]]
        assert np.mean([sum(map(len, shards.run(n))) for n in range(len(shards))]) == shards.mean_run_tokens()
        assert np.mean([len(block) for block in blocks[0]]) == blocks[0].mean_tokens()
    assert len(list((tmp_path / "cache").glob("*/*"))) == 1, "one shard at most when the cache is full"
    assert verify(one_task) == len(list(one_task.glob("*/*/index.json")))


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
        (["--tasks", "2", "--local_tasks", "2", "--local_rank_offset", "1"], "local_tasks"),
        (["--executor", "ray"], "ray"),
        (["--executor", "slurm"], "sbatch"),
    ],
)
def test_what_cannot_run_is_said(words: list[str], message: str, wet: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        corpus(wet, tmp_path / "out", tmp_path / "work", *words)
