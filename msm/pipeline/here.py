"""Finds, before a stage runs, what this machine lacks: a package, a folder, a file of a mirror."""

from pathlib import Path

from msm.corpora import fetch
from msm.corpora.settings import ENCODERS, TRAINED, Download, Tokenizer
from msm.encoders.settings import Encoder
from msm.errors import BadInput
from msm.finetuning.settings import Finetune
from msm.imports import needed_package
from msm.retrieval.settings import GIVEN, SHIPPED, Retrieve
from msm.settings import Settings, listed


def check_settings(settings: Settings, mirror: str) -> None:
    """Look for what a stage with these settings needs from this machine beside its inputs.

    Args:
        settings: settings of a stage.
        mirror: folder with a copy of the public files; empty for none.

    Raises:
        BadInput: a folder, a file or a package is not here.
    """
    if mirror and not Path(mirror).is_dir():
        raise BadInput(f"--mirror {mirror}: no such folder")
    if isinstance(settings, Download):
        fetch.check_obtainable(collections_of(settings), mirror)
    if isinstance(settings, Tokenizer) and settings.name != TRAINED:
        _check_model("name", settings.name, mirror)
    if isinstance(settings, Encoder) and settings.checkpoint:
        _check_model("checkpoint", settings.checkpoint, mirror)
    if isinstance(settings, Finetune) and settings.lora.rank:
        needed_package("peft", "train")
    if isinstance(settings, Retrieve):
        _check_labels(settings.language_labels)


def _check_model(setting: str, name: str, mirror: str) -> None:
    """Check a model that stands in a folder or in the table of sources; what the hub has is not looked up."""
    if name in ENCODERS:
        fetch.check_obtainable(fetch.choose(name).values(), mirror)
    elif (name.startswith((".", "/", "~")) or name.count("/") > 1) and not Path(name).is_dir():
        raise BadInput(f"{setting}: no such folder: {name}")


def _check_labels(identifier: str) -> None:
    if identifier == SHIPPED:
        needed_package("py3langid.langid", "corpus")
    elif identifier != GIVEN and not Path(identifier).is_file():
        raise BadInput(f"language_labels: {identifier}: no such fastText model; {SHIPPED} needs none")


def collections_of(settings: Download) -> list[fetch.FileCollection]:
    """Return the collections whose files are known before anything is fetched: all but those of tables at addresses."""
    items = [item for item in listed(settings.collections) if not item.startswith(fetch.ADDRESSES)]
    return [collection for item in items for collection in fetch.choose(item).values()]
