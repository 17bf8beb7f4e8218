"""The scores of one model on one benchmark, as functions and commands return them."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msm.errors import BadInput, visible
from msm.files import new_file, read_json_lines
from msm.pipeline.artifacts import MANIFEST, read_manifest
from msm.pipeline.runner import locked
from msm.reporting.score_lines import score_lines

CONTENTS = {"sources", "work", "retrieve", "lexical", "fused", "runs", "rerank", "score", "run.trec.gz", "scores.jsonl"}
"""Files and folders in a score folder."""


@contextlib.contextmanager
def score_folder(out: Path) -> Iterator[None]:
    """Hold a score folder alone while it is written.

    Raises:
        BadInput: another run is at work on it, it cannot be written, or it holds something else.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BadInput(f"{out}: cannot be written: {'a link' if out.is_symlink() else 'a file'}")
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if names and not names & CONTENTS:
        raise BadInput(f"{out}: holds files of something else; take another folder for --out")
    with locked(out):
        try:
            yield
        except BaseException:
            drop_empty(out / "work", out)
            raise


@contextlib.contextmanager
def removed_on_failure(runs: Path) -> Iterator[None]:
    """Remove, after an error within the block, runs that are made quickly and of no use without their scores."""
    try:
        yield
    except BaseException:
        shutil.rmtree(runs, ignore_errors=True)
        raise


def drop_empty(*folders: Path) -> None:
    """Remove the folders that are empty, one after the other."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@dataclass(frozen=True)
class Scores:
    """Scores by language, and the folder that holds them; `str(scores)` is the table that the command prints."""

    folder: Path
    """Score folder: `msm.compare`, `msm report` and the dashboard read it."""
    rows: list[dict[str, Any]]
    """Lines of `scores.jsonl`; see `msm.evaluation.scores`. None where another process writes them: for a part of the
    passages, and in all processes of torchrun but the first."""

    @property
    def measures(self) -> list[str]:
        """Names of the measures, in the benchmark's order; tables print the first."""
        return list(dict.fromkeys(row["measure"] for row in self.rows))

    @property
    def mean(self) -> float | None:
        """Mean of the first measure over the languages, in the widest pool."""
        return self.by_language().get("mean")

    @property
    def passage_bytes(self) -> float | None:
        """Number of bytes that an index keeps of a passage, or their mean; None where it keeps no vectors."""
        folder = self.folder / "retrieve"
        if not (folder / MANIFEST).is_file():
            return None
        return read_manifest(folder)["facts"].get("passage_bytes")

    def by_language(self, measure: str = "", candidates: str | None = None) -> Mapping[str, float | None]:
        """Return values of a measure by language of the questions; `mean` is their unweighted mean.

        Args:
            measure: name of a measure, such as `ndcg@10`; the first one when not given.
            candidates: `same` for the pools of the questions' own languages, `other` for the means over all other
                languages. When not given: the pool of all languages, or what there is where nothing is searched in one.

        Returns:
            Values from 0 to 1 (ranks may be larger); None where the run does not reach as deep as the measure looks.

        Raises:
            BadInput: no such measure, or no such pool.
        """
        if measure and measure not in self.measures:
            raise BadInput(f"{self.folder}: no measure {measure}; there are {', '.join(self.measures)}")
        kinds = [candidates] if candidates else [None, "same", "other"]
        for kind in kinds:
            values = self._values(measure or next(iter(self.measures), ""), kind)
            if values:
                return values
        raise BadInput(f"{self.folder}: no scores of {candidates or 'any'} candidates")

    def _values(self, measure: str, kind: str | None) -> dict[str, float | None]:
        """Return the values of one kind of pool by language of the questions."""
        rows = [row for row in self.rows if row["measure"] == measure]
        return {
            row["query_language"]: row["value"]
            for row in rows
            if row["candidate_language"] == (row["query_language"] if kind == "same" else kind)
            or (kind == "same" and row["candidate_language"] == "same")
        }

    @property
    def title(self) -> str:
        """Benchmark, split, model and folder, in words."""
        first = self.rows[0]
        return visible(f"{first['benchmark']}, {first['split']}: {first['model']} ({self.folder})")

    def __str__(self) -> str:
        return "\n".join(score_lines(self.rows))


def copy_scores(folder: Path) -> Scores:
    """The scores of a folder's stage `score`; `scores.jsonl` is laid beside that."""
    scores = folder / "scores.jsonl"
    with new_file(scores) as file:
        file.write((folder / "score" / "scores" / "scores.jsonl").read_text(encoding="utf-8"))
    return Scores(folder, [row for _, row in read_json_lines(scores)])
