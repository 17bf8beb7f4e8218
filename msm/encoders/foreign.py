"""How a model of others is to be used: from its sentence-transformers files, or as the user says."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from msm.encoders.text_model import CARD, Usage, read_usage
from msm.errors import BadInput
from msm.files import read_json, write_json

NEEDED = ("pooling", "similarity", "query_tokens", "passage_tokens")
"""What must be known of a model."""


def find_model(name: str) -> Path:
    """The folder of a model: itself, or its snapshot of the hub, fetched where it is not there yet.

    Raises:
        BadInput: no such folder, and the hub gives no model of that name.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(name, ignore_patterns=["*.h5", "*.msgpack", "onnx/*", "openvino/*"]))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BadInput(
            f"{name}: no such folder, and not to be had from the hub: {str(error).splitlines()[0]}"
        ) from error


def find_usage(folder: Path, given: Mapping[str, Any]) -> Usage:
    """How a model is used: `encoder.json`, or sentence-transformers' files; what is given wins over both.

    Raises:
        BadInput: something that decides the vectors is not known, or cannot be done here.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if (folder / CARD).is_file():
        return dataclasses.replace(read_usage(folder), **given)
    known = _from_sentence_transformers(folder, given) | given
    missing = [name for name in NEEDED if name not in known]
    if missing:
        flags = " ".join(f"--{name}" for name in missing)
        raise BadInput(f"{folder}: nothing says how this model is to be used; say {flags}")
    return Usage(**({"scale": 1.0, "passage_context": "none"} | known))


def link_model(folder: Path, usage: Usage, place: Path) -> None:
    """A model folder that is used another way: links to the files, and an `encoder.json` of its own.

    Args:
        folder: the model.
        usage: how it is to be used.
        place: folder to fill.
    """
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name != CARD:
            link = place / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
    write_json(place / CARD, dataclasses.asdict(usage))


def _from_sentence_transformers(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    if not (folder / "modules.json").is_file():
        return {}
    modules = {
        str(module["type"]).rpartition(".")[2]: folder / module["path"] for module in read_json(folder / "modules.json")
    }
    unknown = set(modules) - {"Transformer", "Pooling", "Normalize"}
    if unknown and "pooling" not in given:
        raise BadInput(f"{folder}: sentence-transformers module {min(unknown)} cannot be read; say --pooling")
    found: dict[str, Any] = {"similarity": "cosine" if "Normalize" in modules else "dot"}
    if "Pooling" in modules:
        found["pooling"] = _pooling(modules["Pooling"] / "config.json")
    sizes = folder / "sentence_bert_config.json"
    if sizes.is_file() and (tokens := read_json(sizes).get("max_seq_length")):
        found |= {"query_tokens": tokens, "passage_tokens": tokens}
    card = folder / "config_sentence_transformers.json"
    prompts = (read_json(card).get("prompts") or {}) if card.is_file() else {}
    found["query_prefix"] = prompts.get("query", "")
    found["passage_prefix"] = prompts.get("document", prompts.get("passage", ""))
    return found


def _pooling(path: Path) -> str:
    """`cls` or `mean`, in either of sentence-transformers' spellings."""
    config = read_json(path)
    old = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
    modes = (
        [config["pooling_mode"]]
        if "pooling_mode" in config
        else [
            old.get(name, name) for name, value in config.items() if name.startswith("pooling_mode_") and value is True
        ]
    )
    if len(modes) != 1 or modes[0] not in {"cls", "mean"}:
        raise BadInput(f"{path}: pooling {', '.join(map(str, modes)) or 'none'} cannot be done here; known: cls, mean")
    return modes[0]
