"""`msm score`: measures of a TREC run, one JSON object a line."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import get_args

import numpy as np

from msm.collections.measure_names import parse_measure
from msm.collections.runs import Qrels, Run, read_qrels, read_run
from msm.errors import BadInput
from msm.evaluation.measures import evaluate
from msm.evaluation.ranks import Ties
from msm.files import write_json_lines
from msm.settings import listed


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm score`."""
    parser.add_argument("--qrels", type=Path, required=True, metavar="FILE", help="TREC judgements, may be .gz")
    parser.add_argument("--run", type=Path, required=True, metavar="FILE", help="TREC run, may be .gz")
    parser.add_argument("--measures", required=True, metavar="NAMES", help="such as mrr@100,recall@100,ndcg@10,map@20")
    parser.add_argument("--ties", choices=get_args(Ties), default="trec", help="how equal scores are ordered")
    parser.add_argument("--float32", action="store_true", help="scores as trec_eval before version 10 took them")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the lines to this file too")


def main(arguments: Namespace) -> None:
    """Print the value of every measure, averaged over the judged queries as by `trec_eval -c`.

    Raises:
        BadInput: an unknown measure, a cutoff below 1, a file that is not a run or not qrels, or one of them as `out`.
    """
    measures = [parse_measure(text) for text in listed(arguments.measures)]
    if not measures:
        raise BadInput("--measures names no measure")
    if arguments.out and arguments.out.resolve() in (arguments.qrels.resolve(), arguments.run.resolve()):
        raise BadInput(f"--out {arguments.out}: would replace what is scored")
    qrels, run = read_qrels(arguments.qrels), read_run(arguments.run, double=not arguments.float32)
    _say_missing(qrels, run)
    results = evaluate(qrels, run, measures, ties=arguments.ties).measures
    for result in results:
        if result.blank:
            sys.stderr.write(f"msm score: {result.measure} is left blank: {result.blank}\n")
    rows = [
        {
            "measure": str(result.measure),
            "value": None if np.isnan(result.mean) else result.mean,
            "queries": int(np.count_nonzero(~np.isnan(result.values))),
        }
        for result in results
    ]
    if arguments.out:
        write_json_lines(arguments.out, rows)
    sys.stdout.writelines(json.dumps(row) + "\n" for row in rows)


def _say_missing(qrels: Qrels, run: Run) -> None:
    """Say how many judged queries the run knows, where these are not all: the others count with 0."""
    judged = set(qrels.query_ids.to_pylist())
    found = len(judged.intersection(run.query_ids.to_pylist()))
    if found < len(judged):
        sys.stderr.write(f"msm score: {found} of {len(judged)} judged queries are in the run; the others count 0\n")
