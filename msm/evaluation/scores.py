"""Writes `scores.jsonl`: averages of the values of queries, one object a line.

Fields: benchmark, split, setting, model, seed, query_language, candidate_language, measure, value (0-1), queries,
tied, protocol, run_sha256. `query_language` and `candidate_language` say what was averaged:

| query_language | candidate_language | value |
|---|---|---|
| `de` | null | questions in German, candidates of all languages in one pool (LAReQA's own measure) |
| `mean` | null | mean of these over the languages |
| `de` | `de` | questions in German, candidates in German (monolingual) |
| `mean` | `same` | mean of these over the languages |
| `de` | `fr` | questions in German, candidates in French (cross-lingual), for every ordered pair |
| `de` | `other` | mean of these over the candidate languages |
| `mean` | `other` | mean of these over the languages of the questions |
| `all` | null, `same` | mean over the questions of all languages (micro); where there are several languages |

A mean over languages is unweighted. `value` is null where the run does not reach as deep as the measure looks.
`queries` counts the values in an average, `tied` those of them that hang on the order of equal scores. `run_sha256` is
that of the run file; of an average over several files, and of bitext, that of the JSON object of all their names and
checksums. `chance.jsonl` has the same fields but `tied` and `run_sha256`: the expected value of random rankings of the
same pools, model `chance`.
"""

from collections.abc import Iterator, Mapping
from operator import mul
from statistics import fmean
from typing import Any, NamedTuple

import pyarrow as pa

from msm.pipeline.artifacts import checksum

ALL = "all"
"""Name in place of a query language, for the mean over the questions of all languages."""


class MeanScore(NamedTuple):
    """One average, of a measure over the questions of a language."""

    query_language: str
    candidate_language: str | None
    measure: str
    value: float | None
    """The average; None where a run is too shallow for the measure."""
    chance: float | None
    queries: int
    tied: int


def averages(rows: pa.Table) -> list[MeanScore]:
    """Return all averages of per-query values: measures in the order of the rows, then pools and languages by name."""
    keys = ["query_language", "candidate_language", "measure"]
    parts = [("value", "mean"), ("chance", "mean"), ("value", "count"), ("tied", "sum")]
    single = [MeanScore(*cell.values()) for cell in _grouped(rows, keys, parts)]
    measures = dict.fromkeys(cell.measure for cell in single)
    return [cell for measure in measures for cell in _of_measure([c for c in single if c.measure == measure])]


def _grouped(rows: pa.Table, keys: list[str], parts: list[tuple[str, str]]) -> list[dict[str, Any]]:
    groups = rows.group_by(keys, use_threads=False).aggregate(parts)
    return groups.select([*keys, *(f"{column}_{function}" for column, function in parts)]).to_pylist()


def _of_measure(cells: list[MeanScore]) -> Iterator[MeanScore]:
    cells = sorted(cells, key=lambda cell: (cell.query_language, cell.candidate_language or ""))
    multilingual = [cell for cell in cells if cell.candidate_language is None]
    monolingual = [cell for cell in cells if cell.candidate_language == cell.query_language]
    pairs = [cell for cell in cells if cell.candidate_language not in (None, cell.query_language)]
    cross_lingual = [
        _mean([cell for cell in pairs if cell.query_language == language], language, "other")
        for language in dict.fromkeys(cell.query_language for cell in pairs)
    ]
    for kind, candidates in ((multilingual, None), (monolingual, "same"), (cross_lingual, "other")):
        yield from pairs if candidates == "other" else ()
        yield from kind
        if kind:
            yield _mean(kind, "mean", candidates)
        if len(kind) > 1 and candidates != "other":
            yield _over_questions(kind, candidates)


def _mean(cells: list[MeanScore], query_language: str, candidate_language: str | None) -> MeanScore:
    return MeanScore(
        query_language,
        candidate_language,
        cells[0].measure,
        _fmean([cell.value for cell in cells]),
        _fmean([cell.chance for cell in cells]),
        sum(cell.queries for cell in cells),
        sum(cell.tied for cell in cells),
    )


def _over_questions(cells: list[MeanScore], candidate_language: str | None) -> MeanScore:
    """Mean over all questions (micro), under the language `all`."""
    queries = [cell.queries for cell in cells]
    total = sum(queries)

    def mean(values: list[float | None]) -> float | None:
        numbers = [value for value in values if value is not None]
        return sum(map(mul, numbers, queries)) / total if len(numbers) == len(values) and total else None

    return _mean(cells, ALL, candidate_language)._replace(
        value=mean([cell.value for cell in cells]), chance=mean([cell.chance for cell in cells])
    )


def _fmean(values: list[float | None]) -> float | None:
    """The mean; None where a value is."""
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if len(numbers) == len(values) else None


def score_rows(
    cells: list[MeanScore], facts: Mapping[str, Any], runs: Mapping[str | None, str]
) -> Iterator[dict[str, Any]]:
    """Yield lines of `scores.jsonl`.

    Args:
        cells: averages to write.
        facts: benchmark, split, setting, model, seed and protocol.
        runs: SHA-256 of the run file by candidate language; None for the pool of all languages. Of bitext, by
            the name of the file.
    """
    for cell in cells:
        row = cell._asdict() | dict(facts)
        row["run_sha256"] = _run_checksum(cell, runs)
        yield {name: row[name] for name in FIELDS}


def chance_rows(cells: list[MeanScore], facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield lines of `chance.jsonl`; measures without a formula have none."""
    for cell in cells:
        if cell.chance is not None:
            row = cell._asdict() | dict(facts) | {"model": "chance", "value": cell.chance}
            yield {name: row[name] for name in FIELDS if name in row and name != "tied"}


FIELDS = (
    "benchmark",
    "split",
    "setting",
    "model",
    "seed",
    "query_language",
    "candidate_language",
    "measure",
    "value",
    "queries",
    "tied",
    "protocol",
    "run_sha256",
)


def _run_checksum(cell: MeanScore, runs: Mapping[str | None, str]) -> str:
    if cell.candidate_language in runs:
        return runs[cell.candidate_language]
    return checksum({str(language): digest for language, digest in runs.items() if language is not None})
