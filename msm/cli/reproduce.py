"""`msm reproduce NAME`: a public checkpoint against its published scores."""

import argparse
import contextlib
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msm.cli import evaluate as evaluate_command
from msm.corpora.settings import Download
from msm.errors import BadInput, CommandError
from msm.execution import DEVICES, Execution
from msm.files import read_json_lines, write_json
from msm.pipeline import recipes, runner
from msm.pipeline.artifacts import payload

ANCHORS = recipes.RECIPES / "anchors.yaml"
NEEDED = {"model", "benchmark", "split", "setting", "expected", "tolerance", "published"}
KNOWN = NEEDED | {"usage", "sources", "folder", "data", "depth"}


class NotReproduced(CommandError):
    """A score further from the published one than the tolerance."""

    exit_code = 4


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm reproduce`."""
    parser.add_argument("name", help="in the file of anchors")
    parser.add_argument("--anchors", type=Path, default=ANCHORS, metavar="FILE", help=f"{ANCHORS}")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the benchmark's files, where they cannot be fetched")
    parser.add_argument("--out", type=Path, metavar="DIR", help="artifacts/anchors/NAME")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--mirror", default="", metavar="DIR", help="local copy of the public files")


def main(arguments: Namespace) -> None:
    """Fetch, evaluate, compare; print one line a score.

    Raises:
        BadInput: no such anchor, one of another form, or data that must be given.
        NotReproduced: a score is outside the tolerance.
    """
    anchor = read_anchor(arguments.anchors, arguments.name)
    out = arguments.out or Path("artifacts", "anchors", arguments.name)
    data = arguments.data or _fetch(anchor, arguments, out / "sources")
    # The output is one JSON line a score; the table is for people.
    with contextlib.redirect_stdout(sys.stderr):
        evaluate_command.main(_evaluation(anchor, arguments, data, out))
    rows = compare(anchor, out / "scores.jsonl")
    outside = [row for row in rows if not row["within"]]
    sys.stdout.writelines(json.dumps(row) + "\n" for row in rows)
    write_json(out / "reproduction.json", {"anchor": arguments.name, **anchor, "scores": rows})
    if outside:
        worst = max(outside, key=lambda row: abs(row["value"] - row["expected"]))
        raise NotReproduced(
            f"{arguments.name}: {len(outside)} of {len(rows)} scores outside the tolerance; {worst['language']} "
            f"{worst['measure']} is {worst['value']:.4f}, published {worst['expected']}, tolerance {worst['tolerance']}"
        )


def read_anchor(path: Path, name: str) -> dict[str, Any]:
    """One entry of the file of anchors.

    Raises:
        BadInput: no such entry, or a field that is missing or unknown.
    """
    anchors = recipes.read(path)
    if name not in anchors:
        raise BadInput(f"{path}: no anchor {name!r}; there are {', '.join(anchors)}")
    anchor = anchors[name]
    missing, unknown = sorted(NEEDED - set(anchor)), sorted(set(anchor) - KNOWN)
    if missing or unknown:
        problem = f"missing {missing[0]}" if missing else f"unknown field {unknown[0]}"
        raise BadInput(f"{path}: {name}: {problem}")
    return anchor


def compare(anchor: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """Published and measured values.

    Args:
        anchor: as in the file.
        path: `scores.jsonl` of the evaluation.

    Raises:
        BadInput: a score that was published was not measured.
    """
    # Of a language asked in several pools, the pool of all languages comes first, then its own, then the others'.
    found: dict[tuple[str, str], float] = {}
    rows = [row for _, row in read_json_lines(path) if row["value"] is not None]
    for wanted in ((None,), ("same",), None, ("other",)):
        for row in rows:
            candidates, language = row["candidate_language"], row["query_language"]
            if candidates in wanted if wanted is not None else candidates == language:
                found.setdefault((language, row["measure"]), row["value"])
    compared = []
    for language, measures in anchor["expected"].items():
        for measure, expected in measures.items():
            if (language, measure) not in found:
                raise BadInput(f"{path}: no {measure} of {language}, which was published")
            value = found[language, measure]
            row = {"language": language, "measure": measure, "value": value, "expected": expected}
            within = abs(value - expected) <= anchor["tolerance"]
            compared.append(row | {"tolerance": anchor["tolerance"], "within": within})
    return compared


def _fetch(anchor: Mapping[str, Any], arguments: Namespace, out: Path) -> Path:
    """The benchmark's files, of the table of sources."""
    if "sources" not in anchor:
        raise BadInput(f"{arguments.name}: give --data DIR: {anchor.get('data', anchor['benchmark'])}")
    execution = Execution(work=out.with_name("work"), mirror=arguments.mirror)
    runner.run_stage("download", Download(collections=anchor["sources"]), {}, out, execution)
    return payload(out) / anchor.get("folder", ".")


def _evaluation(anchor: Mapping[str, Any], arguments: Namespace, data: Path, out: Path) -> Namespace:
    """The words of `msm evaluate`."""
    words = ["--data", str(data), "--out", str(out), "--device", arguments.device, "--precision", arguments.precision]
    for name in ("benchmark", "model", "split", "setting", "depth"):
        words += [f"--{name}", str(anchor[name])] if name in anchor else []
    for name, value in anchor.get("usage", {}).items():
        words += [f"--{name}", str(value)]
    parser = argparse.ArgumentParser(prog="msm evaluate", exit_on_error=False)
    evaluate_command.add_arguments(parser)
    try:
        return parser.parse_args(words)
    except (argparse.ArgumentError, SystemExit) as error:
        raise BadInput(f"{arguments.anchors}: {arguments.name}: {error}") from error
