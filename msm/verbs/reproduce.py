"""Compares a public checkpoint with its published scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msm.corpora.settings import Download
from msm.encoders.usage import Usage
from msm.errors import BadInput
from msm.execution import Execution
from msm.files import write_json
from msm.pipeline import recipes, runner
from msm.pipeline.artifacts import payload
from msm.verbs.evaluate import Evaluation
from msm.verbs.scores import Scores

ANCHORS = Path(__file__).with_name("anchors.yaml")
NEEDED = {"model", "benchmark", "split", "setting", "expected", "tolerance", "published"}
KNOWN = NEEDED | {"usage", "sources", "folder", "data", "depth"}


def reproduce(
    name: str,
    *,
    anchors: str | Path | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    precision: str = "fp32",
    mirror: str | Path = "",
) -> list[dict[str, Any]]:
    """Fetch a benchmark, evaluate a public checkpoint on it, and put published scores beside the measured ones.

    Args:
        name: name of the anchor.
        anchors: the file of anchors; that of the package when not given.
        data: folder of the benchmark's files, for a benchmark that cannot be fetched.
        out: folder to write; `artifacts/anchors/NAME` when not given.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `fp32` or `bf16`.
        mirror: folder with a copy of the public files.

    Returns:
        One row for every published score: language, measure, value, expected, tolerance, and whether it is `within`.

    Raises:
        BadInput: no such anchor, one of another form, or data that must be given.
    """
    path = ANCHORS if anchors is None else Path(anchors)
    anchor = read_anchor(path, name)
    folder = Path("artifacts", "anchors", name) if out is None else Path(out)
    files = Path(data) if data else _fetch(anchor, name, folder / "sources", mirror)
    facts = {field: anchor[field] for field in ("benchmark", "model", "split", "setting", "depth") if field in anchor}
    try:
        evaluation = Evaluation(
            **facts,
            data=files,
            out=folder,
            usage=Usage(**anchor.get("usage", {})),
            device=device,
            precision=precision,
        )
    except (BadInput, TypeError) as error:
        raise BadInput(f"{path}: {name}: {error}") from error
    rows = side_by_side(anchor, evaluation.run())
    write_json(folder / "reproduction.json", {"anchor": name, **anchor, "scores": rows})
    return rows


def read_anchor(path: Path, name: str) -> dict[str, Any]:
    """Read one entry of the file of anchors.

    Raises:
        BadInput: no such entry, or a field that is missing or unknown.
    """
    anchors = recipes.read(path)
    if name not in anchors:
        raise BadInput(f"{path}: no anchor {name!r}; there are {', '.join(anchors)}")
    anchor = anchors[name]
    missing_fields, unknown_fields = sorted(NEEDED - set(anchor)), sorted(set(anchor) - KNOWN)
    if missing_fields or unknown_fields:
        problem = f"missing {missing_fields[0]}" if missing_fields else f"unknown field {unknown_fields[0]}"
        raise BadInput(f"{path}: {name}: {problem}")
    return anchor


def side_by_side(anchor: Mapping[str, Any], scores: Scores) -> list[dict[str, Any]]:
    """Return published and measured values side by side.

    Args:
        anchor: anchor as in the file; a language of `expected` may be a pair, such as `eng-ara`.
        scores: scores of the evaluation.

    Raises:
        BadInput: a score that was published was not measured.
    """
    # Of a language asked in several pools, the pool of all languages comes first, then its own, then the others'.
    values: dict[tuple[str, str], float] = {}
    rows = [row for row in scores.rows if row["value"] is not None]
    for pools in ((None,), ("same",), None, ("other",)):
        for row in rows:
            candidates, language = row["candidate_language"], row["query_language"]
            if candidates in pools if pools is not None else candidates == language:
                values.setdefault((language, row["measure"]), row["value"])
    # The name of a pair, such as eng-ara, stands for questions in one language and candidates in the other.
    values |= {(f"{row['query_language']}-{row['candidate_language']}", row["measure"]): row["value"] for row in rows}
    comparisons = []
    for language, measures in anchor["expected"].items():
        for measure, expected in measures.items():
            if (language, measure) not in values:
                raise BadInput(f"{scores.folder}: no {measure} of {language}, which was published")
            value = values[language, measure]
            row = {"language": language, "measure": measure, "value": value, "expected": expected}
            within = abs(value - expected) <= anchor["tolerance"]
            comparisons.append(row | {"tolerance": anchor["tolerance"], "within": within})
    return comparisons


def _fetch(anchor: Mapping[str, Any], name: str, out: Path, mirror: str | Path) -> Path:
    """Fetch the files of the benchmark, as the table of sources names them, and return their folder."""
    if "sources" not in anchor:
        raise BadInput(f"{name}: give --data DIR: {anchor.get('data', anchor['benchmark'])}")
    execution = Execution(work=out.with_name("work"), mirror=str(mirror))
    runner.run_stage("download", Download(collections=anchor["sources"]), {}, out, execution)
    return payload(out) / anchor.get("folder", ".")
