"""A recipe's folders as its stages leave them, with invented scores: real formats, written in a second."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from msm import files
from msm.evaluation.per_query import SCHEMA, write_per_query
from msm.evaluation.scores import averages, chance_rows, score_rows
from msm.pipeline import artifacts
from msm.reporting.settings import Report

LANGUAGES = ("ar", "de", "en", "th")
SETTINGS = Report(recipe="demo", controls="untrained, mlm", bootstrap=200, seed=1)
MODELS: Mapping[str, Sequence[int]] = {"untrained": [1, 2], "bm25-words": [0], "mlm": [1, 2], "msm": [1, 2]}
SKILL = {"untrained": 0.1, "bm25-words": 0.2, "mlm": 0.3, "msm": 0.45}
QUESTIONS = 60
FLOOR = 0.02


def write_recipe(
    root: Path,
    *,
    benchmark: str = "lareqa",
    models: Mapping[str, Sequence[int]] = MODELS,
    skill: Mapping[str, float] = SKILL,
    languages: Sequence[str] = LANGUAGES,
) -> Path:
    """Fill `root`, such as `artifacts/demo`, with the folders of a benchmark and all that leads to them."""
    world = write_step(root, "sources/world", {}, {"questions.txt": "?"})
    for model, seeds in models.items():
        for seed in seeds:
            row = f"{benchmark}-{model}" if model.startswith("bm25") else f"{benchmark}-{model}-{seed}"
            if model.startswith("bm25"):
                run = write_step(root, f"lexical/{row}", {"sources": world}, {"multilingual.trec.gz": row})
            else:
                start = write_step(root, f"pretrain/{model}-{seed}", {}, {"model.safetensors": row}, log=True)
                finetuning = write_step(
                    root, f"finetune/{row}", {"sources": world, "start": start}, {"model.safetensors": row}, log=True
                )
                run = write_step(root, f"retrieve/{row}", {"sources": world, "model": finetuning}, {"run.gz": row})
            write_scores(root, row, {"sources": world, "run": run}, benchmark, model, seed, skill[model], languages)
    return root


def write_scores(
    root: Path,
    row: str,
    inputs: Mapping[str, Path],
    benchmark: str,
    model: str,
    seed: int,
    skill: float,
    languages: Sequence[str],
) -> None:
    """One score folder; with the same seed, two models differ by their skill alone."""
    folder = root / "score" / row
    payload = folder / "scores"
    payload.mkdir(parents=True)
    rows = per_query(seed, skill, languages)
    write_per_query(payload / "per_query.parquet", rows)
    facts = {"benchmark": benchmark, "split": "test", "setting": "zero-shot", "model": model, "seed": seed}
    facts["protocol"] = "lareqa; ties trec"
    runs = {language: "0" * 64 for language in (None, *languages)}
    files.write_json_lines(payload / "scores.jsonl", score_rows(averages(rows), facts, runs))
    files.write_json_lines(payload / "chance.jsonl", chance_rows(averages(rows), facts))
    write_manifest(folder, "score", "scores", inputs)


def per_query(seed: int, skill: float, languages: Sequence[str]) -> pa.Table:
    """Values that depend on the question, the language and the skill; the pool of one language is easier."""
    rng = np.random.default_rng(seed)
    hardness = rng.uniform(size=QUESTIONS)
    rows = []
    for language in languages:
        for candidates in (None, *languages):
            ease = 1.0 if candidates is None else 1.4 if candidates == language else 0.8
            values = np.clip(skill * ease * 2 * hardness + rng.normal(0, 0.05, QUESTIONS), 0, 1)
            rows += [
                {
                    "query_id": f"{language}-{question}",
                    "question_id": f"{question:03}",
                    "query_language": language,
                    "candidate_language": candidates,
                    "measure": "map@20",
                    "value": value,
                    "tied": False,
                    "chance": FLOOR,
                }
                for question, value in enumerate(values)
            ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write_step(
    root: Path, name: str, inputs: Mapping[str, Path], files: Mapping[str, str], *, log: bool = False
) -> Path:
    """A finished stage folder; one that is there already is left."""
    folder = root / name
    if not folder.is_dir():
        payload = folder / "payload"
        payload.mkdir(parents=True)
        for file, content in files.items():
            (payload / file).parent.mkdir(parents=True, exist_ok=True)
            (payload / file).write_text(content)
        if log:
            lines = [{"step": step, "loss": 4 / step, "tokens_per_second": 900} for step in range(1, 51)]
            (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        write_manifest(folder, name.split("/")[0], "payload", inputs)
    return folder


def write_manifest(
    folder: Path,
    stage: str,
    payload: str,
    inputs: Mapping[str, Path],
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """What the runner writes beside a payload."""
    paths = {name: f"artifacts/demo/{path.parent.name}/{path.name}" for name, path in inputs.items()}
    manifest: dict[str, Any] = {
        "format": 1,
        "stage": stage,
        "identity": "1" * 64,
        "settings": {"seed": 1, **settings},
        "inputs": {
            name: {"path": paths[name], "checksum": artifacts.payload_checksum(path)} for name, path in inputs.items()
        },
        "outputs": artifacts.checksums(folder / payload),
        "payload": payload,
        "facts": {},
        "command": f"msm run {stage} --seed 1 --out artifacts/demo/{folder.parent.name}/{folder.name}",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "versions": {"python": "3.11"},
        "device": "x86_64 CPU, 2 cores",
        "seconds": 1.5,
    }
    files.write_json(folder / "manifest.json", manifest)


def seal(folder: Path) -> None:
    """Have the manifest of a folder say what was written into its payload since."""
    manifest = artifacts.read_manifest(folder)
    sums = artifacts.checksums(folder / manifest["payload"])
    files.write_json(folder / "manifest.json", manifest | {"outputs": sums, "files": {}})


def write_order(root: Path) -> Path:
    """The order experiment's folders: which text a model saw stands in manifests only, not in its name."""
    skill = {"a": 0.45, "b": 0.4, "c": 0.2, "untrained": 0.1}
    write_recipe(root, models=dict.fromkeys(skill, (1, 2)), skill=skill)
    for name, (objective, reorder) in {"a": ("msm", 0.0), "b": ("msm", 0.5), "c": ("mlm", 1.0)}.items():
        documents = write_step(root, f"documents/{name}", {}, {"x": name})
        _settings(documents, {"reorder": reorder})
        units = write_step(root, f"units/{name}", {"documents": documents}, {"x": name})
        for seed in (1, 2):
            pretrain = root / f"pretrain/{name}-{seed}"
            write_manifest(pretrain, "pretrain", "payload", {"units": units})
            _settings(pretrain, {"objective": objective})
    return root


def _settings(folder: Path, settings: dict[str, object]) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": settings}))
