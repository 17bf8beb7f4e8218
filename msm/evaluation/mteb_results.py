"""Writes scores as MTEB's results: `MODEL/REVISION/TASK.json` and `MODEL/REVISION/model_meta.json`.

A task is a benchmark by our name, a revision one training of the model. An entry is a pair of languages; its main score
is the benchmark's first measure, and means are left to MTEB. Languages bear MTEB's codes, ISO 639-3 and a script:
`mteb_codes.csv` holds those of `mteb.languages` (version 2.26), the usual script of each; a language that MTEB does not
know keeps ours.
"""

import csv
import functools
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from msm.corpora.codes import canonical
from msm.errors import BadInput
from msm.evaluation.scores import ALL
from msm.files import new_files, write_json

NO_REVISION = "no_revision_available"
"""Word of MTEB for a model without a revision."""
Line = Mapping[str, Any]


def write_mteb(lines: Iterable[Line], out: Path) -> list[Path]:
    """Write a file for each benchmark and training of a model.

    Args:
        lines: lines of `scores.jsonl`.
        out: folder of all results.

    Returns:
        Files of the tasks.

    Raises:
        BadInput: no line, or one score twice.
    """
    groups: dict[tuple[str, int, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line["model"], line["seed"], line["benchmark"]), []).append(line)
    if not groups:
        raise BadInput("no scores")
    tasks = {key: _task(key[2], group) for key, group in groups.items()}
    paths = []
    with new_files(out) as partial:
        for (model, seed, benchmark), task in tasks.items():
            revision = f"seed_{seed}" if seed else NO_REVISION
            folder = Path(_file_name(model), revision)
            meta = {"name": model, "revision": revision, "framework": ["PyTorch"]}
            write_json(partial / folder / "model_meta.json", meta)
            paths.append(folder / f"{_file_name(benchmark)}.json")
            write_json(partial / paths[-1], task)
    return [out / path for path in paths]


def mteb_code(language: str) -> str:
    """Return MTEB's code of a language in any spelling, such as `eng-Latn` of `en`; a given script stays."""
    name, *subtags = canonical(language).split("-")
    code = _codes().get(name, name)
    scripts = [subtag for subtag in subtags if len(subtag) == 4]
    return f"{code.partition('-')[0]}-{scripts[0]}" if scripts else code


@functools.cache
def _codes() -> dict[str, str]:
    text = (files("msm.evaluation") / "mteb_codes.csv").read_text(encoding="utf-8")
    return {row["code"]: row["mteb"] for row in csv.DictReader(text.splitlines())}


def _task(benchmark: str, lines: list[Line]) -> dict[str, Any]:
    splits: dict[str, list[Line]] = {}
    for line in lines:
        splits.setdefault(line["split"], []).append(line)
    return {
        "dataset_revision": lines[0]["run_sha256"],
        "task_name": benchmark,
        "mteb_version": None,
        "scores": {split: _subsets(group) for split, group in splits.items()},
        "evaluation_time": None,
        "kg_co2_emissions": None,
    }


def _subsets(lines: list[Line]) -> list[dict[str, Any]]:
    """One entry a pair of languages."""
    subsets: dict[tuple[str, str | None], dict[str, Any]] = {}
    for line in lines:
        languages = (line["query_language"], line["candidate_language"])
        if line["value"] is None or {"mean", ALL} & set(languages) or languages[1] in ("same", "other"):
            continue
        codes = [language for language in dict.fromkeys(languages) if language]
        entry = subsets.setdefault(languages, {"hf_subset": "-".join(codes), "languages": list(map(mteb_code, codes))})
        measure = line["measure"].replace("@", "_at_")
        if measure in entry:
            raise BadInput(f"{line['model']} has two scores of {line['measure']} on {line['benchmark']}, {codes[0]}")
        entry.setdefault("main_score", line["value"])
        entry[measure] = line["value"]
        entry |= {"protocol": line["protocol"], "setting": line["setting"]}
    whole = [entry for (_, candidates), entry in subsets.items() if candidates is None]
    for entry in whole:
        # A question among candidates of all languages is another task than among those of its own.
        entry["hf_subset"] += "-all" if len(whole) < len(subsets) else ""
    return list(subsets.values())


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "__", name)
