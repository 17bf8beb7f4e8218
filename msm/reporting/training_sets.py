"""Finds out which training sets of a benchmark a model was trained on, as far as that is known.

A model of others is known by its name, or by that of the checkpoint that a recipe starts from: `training_sets.json`
says on what it was trained, and where that is written. A model of ours is known by the manifests behind its run. Sets
that share their questions with a benchmark count as its own: MIRACL and Mr. TyDi are both made of TyDi's.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from msm.reporting import lineage
from msm.settings import listed

OWN = "its own"
"""Name of a benchmark's training set whose questions the recipe makes itself."""
NONE = "none"
"""Word for a model whose fine-tuning data are known, none of them the benchmark's."""
_MODELS = ("encoder", "pretrain", "finetune", "mine", "retrieve")
"""Stages that stand between the sources and a run."""


class Training(NamedTuple):
    """Known training sets of a model for a benchmark."""

    sets: str
    """Titles of the benchmark's training sets, `NONE`, or empty where nothing is known."""
    source: str = ""
    """Source of that for a model of others; empty for ours, whose manifests say it."""


UNKNOWN = Training("")
HEAD = "training sets seen"
"""Heading of the column."""


def training_of(benchmark: str, model: str, manifest: Mapping[str, Any], root: Path) -> Training:
    """Return the known training sets of the model behind a score.

    Args:
        benchmark: name in scores.
        model: name in scores.
        manifest: manifest of the score.
        root: folder of the recipe.
    """
    steps = list(_steps(manifest, root))
    starts = [str(step["settings"].get("checkpoint", "")) for step in steps if step["stage"] == "encoder"]
    sets = _sets_of(benchmark)
    sources: list[str] = []
    found: list[str] = []
    for name in (model, *starts):
        if entry := _entry(name):
            found += [one for one in entry["sets"] if one in sets]
            sources.append(entry["source"])
    own, files = _examples(steps, manifest)
    found += [one for one in sets if any(_is_of(one, file) for file in files)]
    titles = [_facts()["sets"][one]["title"] for one in sets if one in found] + [OWN] * own
    if titles:
        return Training(", ".join(titles), "; ".join(dict.fromkeys(sources)))
    is_ours = bool(files) and not any(name and not lineage.is_step(_step_of(name)) for name in starts)
    return Training(NONE) if is_ours and (sets or own) else UNKNOWN


def _steps(manifest: Mapping[str, Any], root: Path) -> Iterator[Mapping[str, Any]]:
    """Manifests of the model behind a score."""
    waiting = [lineage.step_name(source["path"]) for source in manifest["inputs"].values()]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name.partition("/")[0] in _MODELS and name not in seen and lineage.has_manifest(root, name):
            seen.add(name)
            step = lineage.read_manifest(lineage.folder(root, name))
            yield step
            waiting += [lineage.step_name(source["path"]) for source in step["inputs"].values()]


def _examples(steps: list[Mapping[str, Any]], score: Mapping[str, Any]) -> tuple[bool, list[str]]:
    """Return whether a model was trained on questions beside the scored ones, and the files of all its examples."""
    trained = [step["settings"] for step in steps if step["stage"] in ("finetune", "mine")]
    texts = [str(settings.get("examples", "")) for settings in trained if settings.get("steps") != 0]
    files = [item.rpartition("=")[2] for text in texts for item in listed(text)]
    tested = PurePosixPath(str(score["settings"].get("questions", "")))
    train = str(tested.with_name("train")) if tested.name == "test" else ""
    return train in files if train else False, files


def _step_of(checkpoint: str) -> str:
    """Return STAGE/ROW of a checkpoint that another recipe made; the text itself of any other."""
    return "/".join(PurePosixPath(checkpoint).parts[2:4]) if checkpoint.startswith("artifacts/") else checkpoint


def _sets_of(benchmark: str) -> list[str]:
    return _facts()["benchmarks"].get(re.split("[-@]", benchmark, maxsplit=1)[0], [])


def _is_of(one: str, file: str) -> bool:
    return any(part in f"/{file.lower()}" for part in _facts()["sets"][one]["files"])


def _entry(name: str) -> Mapping[str, Any] | None:
    """Return the entry of the model whose name a given name begins with."""
    plain = name.rpartition("/")[2].lower().replace("_", "-")
    named = [
        (len(known), entry)
        for entry in _facts()["models"]
        for known in entry["names"]
        if re.match(rf"{re.escape(known)}(?![\w.-])", plain)
    ]
    return max(named, key=lambda pair: pair[0])[1] if named else None


@functools.cache
def _facts() -> Mapping[str, Any]:
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
