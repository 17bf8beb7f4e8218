"""At least 1,000 broken inputs over every verb and stage: one line and an exit code of the table, nothing left."""

import gc
import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from msm.cli.main import VERBS
from msm.pipeline.stages import STAGES
from tests.fuzz.cases import UNKNOWN, Case, cases, draw, files_of, prepare
from tests.fuzz.forked import CODES, ProcessEnd, run
from tests.fuzz.mutations import mutate, mutate_words

INPUTS = 1000
WORD_SHARE = 0.2


class Attempt(NamedTuple):
    """A command that was broken, and how it ended."""

    seed: int
    words: list[str]
    change: str
    end: ProcessEnd
    left: list[str]
    """Files that it left behind under temporary names."""

    @property
    def problem(self) -> str:
        """What is wrong with its end; empty if nothing."""
        if "Traceback" in self.end.stderr:
            return "trace"
        if self.end.code not in CODES - {1}:
            return f"exit {self.end.code}"
        if self.end.code and len(self.end.stderr.splitlines()[-1:]) != 1:
            return "no line"
        return "left behind" if self.left else ""


def import_all() -> None:
    """Import what commands need, once for all forks."""
    for module, _ in VERBS.values():
        importlib.import_module(module)
    for stage in STAGES.values():
        importlib.import_module(stage.run.partition(":")[0])
    gc.collect()
    gc.freeze()


def broken(base: Path, all_cases: list[Case], seed: int) -> Attempt:
    """Break and run the command of a seed, on files that share their bytes with those of the base."""
    case, rng = draw(all_cases, seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "a" / "b" / "case"  # so that `../../out` stays inside
        shutil.copytree(base, folder, copy_function=os.link)
        words, files = list(case.words), files_of(folder, case)
        if not files or rng.random() < WORD_SHARE:
            change = mutate_words(words, rng)
        else:
            path = rng.choice(files)
            change = f"{path.relative_to(folder)}: {mutate(path, rng)}"
        end = run(words, folder, seconds=60)
        remnants = [
            str(path.relative_to(folder)) for path in folder.rglob(".*") if path.suffix in (".partial", ".lock")
        ]
        return Attempt(seed, words, change, end, remnants)


@pytest.mark.slow
def test_every_command_survives_its_inputs(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    prepare(chain)
    import_all()
    all_cases = cases(chain)
    for case in all_cases:
        end = run(case.words, chain)
        assert end.code == (2 if UNKNOWN in case.words else 0), (case.words, end.stderr)
        out = chain / "out"
        shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
    failures = [one for one in (broken(chain, all_cases, seed) for seed in range(INPUTS)) if one.problem]
    assert not failures, "\n".join(f"{one.seed}: {one.problem}: {one.words[:3]}, {one.change}" for one in failures)
