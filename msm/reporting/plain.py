"""Writes scores as the plain files `metrics.json` and `scores.csv`, which `dvc metrics` and `dvc plots` read."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msm.evaluation.scores import ALL
from msm.files import new_file, write_json
from msm.reporting.published import MEAN
from msm.reporting.results import SCORES, checked_lines

METRICS, VALUES = "metrics.json", "scores.csv"
FIELDS = ("benchmark", "model", "seed", "measure", "query_language", "value")


def write_plain(folders: Iterable[Path], out: Path) -> None:
    """Write both files.

    Args:
        folders: score folders.
        out: folder that gets both files. `metrics.json` holds the means and the values of every language by benchmark,
            row and measure; `scores.csv` holds the values by language in the pool of all languages, one a line.
    """
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    with new_file(out / VALUES) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["cell", *FIELDS])
        for folder in sorted(folders):
            for line in checked_lines(folder, SCORES):
                mean, pool = line["query_language"] == MEAN, line["candidate_language"]
                if mean or pool is None:
                    row = metrics.setdefault(line["benchmark"], {}).setdefault(folder.name, {})
                    row[_measure(line)] = line["value"]
                if not mean and line["query_language"] != ALL and pool is None:
                    cell = f"{folder.name} {line['measure']} {line['query_language']}"
                    writer.writerow([cell, *(line[name] for name in FIELDS)])
    write_json(out / METRICS, metrics)


def _measure(line: dict[str, Any]) -> str:
    """Return the name of a value: `map@20`, `map@20 same`, `map@20 other`, or `map@20 de` for one language."""
    language = "" if line["query_language"] == MEAN else line["query_language"]
    return " ".join(word for word in (line["measure"], line["candidate_language"], language) if word)
