"""Writes model cards, which tell what a checkpoint is, its training data, its use, its scores and its limits.

All of it comes from the manifests of the stages that made the checkpoint; the card leaves out what they do not tell.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msm.errors import BadInput
from msm.files import read_json_lines, read_json_object
from msm.pipeline.artifacts import MANIFEST, payload, read_manifest
from msm.reporting import wording

TRAINED = ("finetune", "pretrain")
USAGE = "encoder.json"
LIMITS = (
    "Scores hold for the split, pool and protocol beside them, and for nothing else.",
    "Documents may be the same in several languages where the corpus is parallel; see the settings of its stage.",
    "Texts longer than the lengths above are cut; languages without training text work worse or not at all.",
    "Rankings repeat what is one-sided in the training text. Look at them before they decide anything about people.",
)
NO_RETRIEVER = "A start for fine-tuning; not a retriever."


def card(folder: Path, scores: Sequence[Path]) -> str:
    """Return the card of a finished `pretrain` or `finetune` folder, as Markdown with the hub's header.

    Args:
        folder: output folder of the stage.
        scores: score folders of this model.

    Raises:
        BadInput: the folder belongs to another stage, or lacks the model's weights.
    """
    manifest = read_manifest(folder)
    if manifest["stage"] not in TRAINED:
        raise BadInput(f"{folder}: a folder of stage {manifest['stage']}; cards are for {' and '.join(TRAINED)}")
    usage = payload(folder) / USAGE
    if manifest["stage"] == "finetune" and not usage.is_file():
        raise BadInput(f"{usage}: no such file; a card lies beside the weights, and these are not here")
    sections = {
        "How it is used": _table(read_json_object(usage)) if usage.is_file() else NO_RETRIEVER,
        "What it was made from": "\n".join(_lineage(folder, manifest, set())),
        "Settings": _table(manifest["settings"]),
        "Training": _table({**manifest["facts"], "device": manifest["device"], "seconds": manifest["seconds"]}),
        "Scores": _scores(scores),
        "Limits": "\n".join(f"- {limit}" for limit in LIMITS),
        "To make it again": f"{wording.fenced(manifest['command'])}\nCommit `{manifest['commit']}`; "
        + ", ".join(f"{name} {version}" for name, version in sorted(manifest["versions"].items())),
    }
    title = f"# {folder.parent.parent.name}/{folder.parent.name}/{folder.name}"
    parts = [_header(usage.is_file()), title, *(f"## {name}\n\n{text}" for name, text in sections.items())]
    return "\n\n".join(parts) + "\n"


def find_scores(folder: Path) -> list[Path]:
    """Return the score folders of the same recipe whose runs were made with a model.

    Args:
        folder: folder of the model, `RECIPE/STAGE/ROW`.
    """
    folders = []
    for path in sorted((folder.parent.parent / "score").glob(f"*/{MANIFEST}")):
        run = _input(path.parent, "run")
        manifest = folder.parent.parent / "retrieve" / run.name / MANIFEST
        if manifest.is_file():
            model = _input(manifest.parent, "model")
            if model.parts[-2:] == folder.parts[-2:]:
                folders.append(path.parent)
    return folders


def _input(folder: Path, name: str) -> Path:
    """Return the path of an input in a stage's manifest; an empty one if the stage had no input of this name."""
    return Path(read_manifest(folder)["inputs"].get(name, {"path": ""})["path"])


def _header(retriever: bool) -> str:
    task = "sentence-similarity" if retriever else "fill-mask"
    tags = ["cross-lingual", "dense-retrieval"]
    library = "sentence-transformers" if retriever else "transformers"
    lines = [f"pipeline_tag: {task}", f"library_name: {library}", "tags:", *(f"- {tag}" for tag in tags)]
    return "\n".join(["---", *lines, "---"])


def _lineage(folder: Path, manifest: dict[str, Any], checksums: set[str], depth: int = 0) -> Iterator[str]:
    """Yield a nested list of the inputs of a stage and of the inputs of those; a list is not repeated."""
    for name, value in manifest["inputs"].items():
        path = Path(value["path"])
        beside = folder.parent.parent / path.parent.name / path.name
        yield f"{'  ' * depth}- {name}: `{path.parent.name}/{path.name}` ({value['checksum'][:12]})"
        if value["checksum"] not in checksums and (beside / MANIFEST).is_file():
            checksums.add(value["checksum"])
            before = read_manifest(beside)
            yield from _lineage(beside, before, checksums, depth + 1)
            for origin in before["facts"].get("collections", {}).values():
                yield f"{'  ' * (depth + 1)}- {origin['origin']}, {origin['licence']}"


def _table(values: dict[str, Any]) -> str:
    rows = (f"| {name} | {_cell(value)} |" for name, value in values.items())
    return "\n".join(["| | |", "|---|---|", *rows])


def _cell(value: Any) -> str:
    return wording.plain(json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value))


def _scores(folders: Sequence[Path]) -> str:
    """Return the means over languages as tables, one for each split and protocol."""
    lines = [
        "| benchmark | split | candidates | measure | value | questions | protocol |",
        "|---|---|---|---|---|---|---|",
    ]
    for folder in folders:
        for _, row in read_json_lines(payload(folder) / "scores.jsonl"):
            if row["query_language"] == "mean":
                cells = [
                    row["benchmark"],
                    row["split"],
                    row["candidate_language"] or "all languages",
                    row["measure"],
                    f"{row['value']:.4f}",
                    row["queries"],
                    row["protocol"],
                ]
                lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else "None yet."
