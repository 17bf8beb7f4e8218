"""Training on streamed shards: from a disk, from S3, and as if they had been packed here."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
import yaml

from msm.corpora import documents, units
from msm.corpora.settings import Documents, Download, Units
from msm.corpora.streaming import open_units, read_streamed
from msm.encoders.settings import Encoder
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import read_json, sha256_of
from msm.pipeline import runner
from msm.pretraining.batches import Batches
from msm.pretraining.settings import Pretrain
from tests.corpora.crawl import reading
from tests.corpora.crawl.made import WANTED, corpus, run, write_recipe
from tests.corpora.crawl.reading import sum_of_runs
from tests.pretraining.made import settings as form
from tests.pretraining.processes import same

SIZES = Units(unit_tokens=64, document_units=32, min_units=2)
TAKEN = Documents(collections="corpus/shards.json", languages="all", document_overlap="all", reorder=0.0, seed=1)
BLOCK_TOKENS = 256


def settings(**changes: Any) -> Pretrain:
    return form(**{"block_tokens": BLOCK_TOKENS, "steps": 6, "schedule_steps": 6, **changes})


def read(batches: Batches, steps: int = 4) -> list[Any]:
    """Everything that some steps read."""
    values: list[Any] = [batches.control_share]
    for step in range(steps):
        for micro in range(batches.micro_batches):
            batch = batches.unit_batch(step, micro)
            values.append((batch.language, batch.document_ids, [unit.tolist() for unit in batch.units]))
            values += [block.tolist() for block in batches.mlm_blocks(step, micro)]
            values += [block.tolist() for block in batches.control_blocks(step, micro)]
    return values


def execution(folder: Path) -> Execution:
    return Execution(work=folder, processes=1, device="cpu", mirror=str(folder.parent / "mirror"))


@pytest.fixture(scope="module")
def packed_here(wet: Path, tokenizer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clean documents of the WET files, packed by the stage `units`."""
    folder = tmp_path_factory.mktemp("here")
    corpus(wet, folder / "documents", folder / "work")
    (folder / "units").mkdir()
    facts = units.run(
        SIZES, documents=folder / "documents", tokenizer=Path(tokenizer), out=folder / "units",
        execution=execution(folder),
    )  # fmt: skip
    assert facts["languages"].keys() == set(WANTED)
    return folder / "units"


@pytest.fixture(scope="module")
def whole(wet: Path, tokenizer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same documents as shards, one of each language."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = write_recipe(folder / "recipe.yaml", yaml.safe_load(wet.read_text())["inputs"], shard_bytes=1_000_000_000)
    corpus(recipe, folder / "out", folder / "work", "--tokenizer", tokenizer)
    return folder / "out"


def test_batches_are_those_of_units_packed_here(packed_here: Path, whole: Path, one_task: Path, tmp_path: Path) -> None:
    here = Batches(open_units(packed_here, tmp_path, 1), settings())
    assert read(Batches(open_units(whole, tmp_path, 1), settings())) == read(here)
    # Cut into several shards, blocks end where shards do; runs are the same.
    batches = Batches(open_units(one_task, tmp_path, 1), settings())
    assert max(len(shards) for shards in (batches.units[language].counts for language in WANTED)) > 1
    for step in range(12):
        one, other = here.unit_batch(step, 0), batches.unit_batch(step, 0)
        assert (one.language, one.document_ids) == (other.language, other.document_ids)
        assert [unit.tolist() for unit in one.units] == [unit.tolist() for unit in other.units]


def manifest_only(shards: Path, address: str, folder: Path) -> Path:
    """A folder that holds nothing but the manifest of shards that lie elsewhere."""
    folder.mkdir(parents=True)
    values = {**read_json(shards / "shards.json"), "address": address}
    (folder / "shards.json").write_text(json.dumps(values))
    return folder


def test_batches_are_the_same_from_a_disk_and_from_s3(one_task: Path, bucket: str, tmp_path: Path) -> None:
    system = fsspec.filesystem("s3")
    system.put(f"{one_task}/", f"{bucket}/shards/", recursive=True)
    folder = manifest_only(one_task, f"{bucket}/shards", tmp_path / "units")
    near = read(Batches(open_units(one_task, tmp_path, 1), settings()))
    cache = tmp_path / "cache"
    shards = read_json(one_task / "shards.json")["shards"]
    limit = 3 * max(shard["size"] for shard in shards)
    assert limit < sum(shard["size"] for shard in shards)
    far = open_units(folder, cache, limit)
    assert read(Batches(far, settings())) == near
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    assert 0 < size <= limit, "the cache is bounded"
    assert read(Batches(read_streamed(f"{bucket}/shards", cache=cache, cache_bytes=limit), settings())) == near


def test_the_command_writes_its_shards_to_s3(
    wet: Path, tokenizer: str, one_task: Path, bucket: str, tmp_path: Path
) -> None:
    run(wet, f"{bucket}/out", tmp_path, "--tokenizer", tokenizer)
    system = fsspec.filesystem("s3")
    manifest = json.loads(system.cat(f"{bucket}/out/shards.json"))
    expected = read_json(one_task / "shards.json")
    assert manifest["address"] == f"{bucket}/out"
    assert manifest["shards"] == expected["shards"]
    run(wet, f"{bucket}/documents", tmp_path)
    assert sorted(path.rsplit("/", 1)[1] for path in system.ls(f"{bucket}/documents")) == sorted(
        [*(f"{language}.jsonl" for language in WANTED), "documents.json"]
    )


def test_processes_share_a_cache(one_task: Path, bucket: str, tmp_path: Path) -> None:
    fsspec.filesystem("s3").put(f"{one_task}/", f"{bucket}/shards/", recursive=True)
    expected = sum_of_runs(str(one_task), tmp_path, 1)
    # A limit below one shard: each process takes away what the others read.
    words = [sys.executable, reading.__file__, f"{bucket}/shards", str(tmp_path / "cache"), "1"]
    readers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [reader.communicate(timeout=100)[0] for reader in readers] == [f"{expected}\n"] * 2


def test_what_was_fetched_must_be_what_the_manifest_says(one_task: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(one_task), "/damaged", recursive=True)
    name = "/damaged/en/00000/en.tokens.npy"
    memory.pipe(name, memory.cat(name)[:-1] + b"x")
    shards = read_streamed("memory://damaged", cache=tmp_path / "cache", cache_bytes=1)
    with pytest.raises(BadInput, match=r"en/00000/en\.tokens\.npy: SHA-256 is"):
        shards["en"].span(0)
    assert not list((tmp_path / "cache").glob("*/*"))


def stage(name: str, values: Any, out: Path, **reads: Path) -> Path:
    runner.run_stage(name, values, reads, out, execution(out.with_name(f"{out.name}-work")))
    return out


def test_a_manifest_goes_through_the_stages_to_the_same_weights(
    packed_here: Path, whole: Path, tokenizer: str, tmp_path: Path
) -> None:
    shards = manifest_only(whole, str(whole), tmp_path / "mirror" / "corpus") / "shards.json"
    facts = {"path": "corpus/shards.json", "address": "", "sha256": sha256_of(shards), "bytes": shards.stat().st_size}
    about = {"content": "shards", "origin": "here", "commit": "", "licence": "any", "files": [facts]}
    (tmp_path / "table.json").write_text(json.dumps({"cc": about}))
    sources = stage("download", Download(collections=str(tmp_path / "table.json")), tmp_path / "sources")
    documents = stage("documents", TAKEN, tmp_path / "documents", sources=sources)
    units_folder = stage("units", SIZES, tmp_path / "units", documents=documents, tokenizer=Path(tokenizer))
    assert [path.name for path in (units_folder / "shards").iterdir()] == ["shards.json"]
    fresh = Encoder(checkpoint="", layers=1, width=32, heads=2, feed_forward=64, positions=300, dropout=0.1, seed=1)
    weights = stage("encoder", fresh, tmp_path / "encoder", tokenizer=Path(tokenizer))
    models = [
        stage("pretrain", settings(), tmp_path / name, units=folder, weights=weights)
        for name, folder in (("streamed", units_folder), ("packed", packed_here))
    ]
    assert same(*models)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"collections": "corpus/shards.json, documents"}, "goes with no other collection"),
        ({"document_overlap": "disjoint"}, "packed already"),
        ({"reorder": 0.5}, "packed already"),
        ({"languages": "de, xx"}, "no shard in xx; there are ar, de, en, hi, ru, zh"),
    ],
)
def test_documents_of_a_manifest_cannot_be_changed(
    changes: dict[str, Any], message: str, whole: Path, tmp_path: Path
) -> None:
    manifest_only(whole, str(whole), tmp_path / "corpus")
    with pytest.raises(BadInput, match=message):
        documents.run(dataclasses.replace(TAKEN, **changes), sources=tmp_path, out=tmp_path)


def test_some_languages_of_a_manifest(whole: Path, tmp_path: Path) -> None:
    manifest_only(whole, str(whole), tmp_path / "corpus")
    (tmp_path / "out").mkdir()
    facts = documents.run(
        dataclasses.replace(TAKEN, languages="zh, de"),
        sources=tmp_path, out=tmp_path / "out",
    )  # fmt: skip
    assert list(facts["documents"]) == ["de", "zh"]
    assert open_units(tmp_path / "out", tmp_path, 1).languages == ["de", "zh"]


def test_shards_of_other_sizes_or_pieces_are_refused(whole: Path, tokenizer: str, tmp_path: Path) -> None:
    arguments = {"documents": whole, "out": tmp_path, "execution": execution(tmp_path)}
    with pytest.raises(BadInput, match="unit_tokens is 64 in these shards, and 32 in the recipe"):
        units.run(dataclasses.replace(SIZES, unit_tokens=32), tokenizer=Path(tokenizer), **arguments)
    other = tmp_path / "tokenizer"
    shutil.copytree(tokenizer, other)
    values = json.loads((other / "tokenizer.json").read_text())
    pieces = values["model"]["vocab"]
    pieces[100], pieces[101] = pieces[101], pieces[100]
    (other / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(BadInput, match="made with another tokenizer"):
        units.run(SIZES, tokenizer=other, **arguments)
