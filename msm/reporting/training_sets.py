"""Finds the training sets of a benchmark on which a model was trained, as far as they are known.

`training_sets.json` lists the training sets of published models, with sources, by the name of the model or of the
checkpoint that a recipe starts from. Those of a model that a recipe trains are in the manifests behind its run. A set
that shares its questions with a benchmark counts as the benchmark's: MIRACL and Mr. TyDi both have TyDi's questions.
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
"""Title of the training set of a benchmark whose questions the recipe makes itself."""
NONE = "none"
"""Word for a model whose fine-tuning data are known and do not belong to the benchmark."""
_MODELS = ("encoder", "pretrain", "finetune", "mine", "retrieve")
"""Names of the stages between the sources and a run."""


class Training(NamedTuple):
    """Training sets of one benchmark on which a model was trained."""

    sets: str
    """Titles of the training sets, separated by commas; `NONE`, or empty where nothing is known."""
    source: str = ""
    """Source of the titles for a published model; empty for a model of a recipe, whose manifests name them."""


UNKNOWN = Training("")
HEAD = "training sets seen"
"""Heading of the column of training sets."""


def training_of(benchmark: str, model: str, manifest: Mapping[str, Any], root: Path) -> Training:
    """Return the known training sets of the model behind a score.

    Args:
        benchmark: name of the benchmark in score lines.
        model: name of the model in score lines.
        manifest: manifest of the score folder.
        root: folder of the recipe.
    """
    steps = list(_steps(manifest, root))
    starts = [str(step["settings"].get("checkpoint", "")) for step in steps if step["stage"] == "encoder"]
    sets = _sets_of(benchmark)
    sources: list[str] = []
    seen_sets: list[str] = []
    # The name of a recipe's row is its author's, and may be that of another model.
    for name in starts or (model,):
        if entry := _entry(name):
            seen_sets += [key for key in entry["sets"] if key in sets]
            sources.append(entry["source"])
    trained_on_own, files = _examples(steps, manifest)
    seen_sets += [key for key in sets if any(_is_of(key, file) for file in files)]
    titles = [_facts()["sets"][key]["title"] for key in sets if key in seen_sets] + [OWN] * trained_on_own
    if titles:
        return Training(", ".join(titles), "; ".join(dict.fromkeys(sources)))
    is_ours = bool(files) and not any(name and not lineage.is_step(_step_of(name)) for name in starts)
    return Training(NONE) if is_ours and (sets or trained_on_own) else UNKNOWN


def _steps(manifest: Mapping[str, Any], root: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the manifests of the stages that made the model behind a score."""
    queue = [lineage.step_name(source["path"]) for source in manifest["inputs"].values()]
    names: set[str] = set()
    while queue:
        name = queue.pop()
        if name.partition("/")[0] in _MODELS and name not in names and lineage.has_manifest(root, name):
            names.add(name)
            step = lineage.read_manifest(lineage.folder(root, name))
            yield step
            queue += [lineage.step_name(source["path"]) for source in step["inputs"].values()]


def _examples(steps: list[Mapping[str, Any]], score: Mapping[str, Any]) -> tuple[bool, list[str]]:
    """Return whether a model was trained on the recipe's own training questions, and the files of all its examples."""
    trainings = [step["settings"] for step in steps if step["stage"] in ("finetune", "mine")]
    texts = [str(settings.get("examples", "")) for settings in trainings if settings.get("steps") != 0]
    files = [item.rpartition("=")[2] for text in texts for item in listed(text)]
    questions = PurePosixPath(str(score["settings"].get("questions", "")))
    train = str(questions.with_name("train")) if questions.name == "test" else ""
    return train in files if train else False, files


def _step_of(checkpoint: str) -> str:
    """Return the name STAGE/ROW of a checkpoint that another recipe made; any other text unchanged."""
    return "/".join(PurePosixPath(checkpoint).parts[2:4]) if checkpoint.startswith("artifacts/") else checkpoint


def _sets_of(benchmark: str) -> list[str]:
    return _facts()["benchmarks"].get(re.split("[-@]", benchmark, maxsplit=1)[0], [])


def _is_of(one: str, file: str) -> bool:
    return any(part in f"/{file.lower()}" for part in _facts()["sets"][one]["files"])


def _entry(name: str) -> Mapping[str, Any] | None:
    """Return the entry of the model whose name a given name begins with."""
    plain = name.rpartition("/")[2].lower().replace("_", "-")
    entries = [
        (len(known_name), entry)
        for entry in _facts()["models"]
        for known_name in entry["names"]
        if re.match(rf"{re.escape(known_name)}(?![\w.-])", plain)
    ]
    return max(entries, key=lambda pair: pair[0])[1] if entries else None


@functools.cache
def _facts() -> Mapping[str, Any]:
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
