"""Runs the unfinished tasks of a recipe: independent ones side by side, each in a process of its own."""

import contextlib
import fcntl
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from msm.errors import BadInput, CommandError
from msm.evaluation import exported
from msm.pipeline.artifacts import check_unaltered
from msm.pipeline.checks import check_sources
from msm.pipeline.fingerprints import Fingerprint, fingerprints, is_made, is_told
from msm.pipeline.places import cores, free_memory, gpus, processes, visible_gpus
from msm.pipeline.runner import describe, finished
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import Task, inputs
from msm.pipeline.times import Span
from msm.reporting.lineage import portable
from msm.retrieval.parts import refusal
from msm.settings import suggestion

MOST_TASKS = 8
"""Largest number of tasks side by side where no other number is given."""
LEAST_MEMORY = 1 << 30
"""Bytes that must be free for one more task beside others, however little the tasks before needed."""
MOST_NAMES = 8
"""Largest number of tasks that one line lists by name."""
PAUSE = 0.05
"""Seconds between two looks at the running tasks."""


class Options(NamedTuple):
    """Choices of how a recipe is run; none of them changes a result."""

    recipe: Path
    results: Path | None = Path("results")
    """Folder of exported results. A row whose exported fingerprint is the recipe's is not run again."""
    side_by_side: int = 0
    """Largest number of tasks that run side by side; 0 allows one for each core, up to `MOST_TASKS`."""
    any_code: bool = False
    """Whether finished results that another version of the program has made are accepted."""
    verify: bool = False
    """Whether all bytes of finished results and of inputs are compared with their manifests, or only those of files
    whose size or time differ."""
    words: tuple[str, ...] = ()
    """Further words of the command of every task, such as `--mirror` and a folder."""


class Outcome(NamedTuple):
    """Names of the tasks by their outcome."""

    ran: list[str]
    reused: list[str]
    exported: list[str]
    """Rows whose exported results have the same fingerprint."""
    times: dict[str, Span]
    """Begin and end of each task that ran, in seconds after the chain began."""


class Failure(NamedTuple):
    """Exit code and reason of a task that failed."""

    code: int
    """Exit code; negative for a signal."""
    reason: str
    """Message of the task, or the last line of its log."""


class TasksFailed(CommandError):
    """Some tasks failed; the message names them with their reasons, and those that were not run for want of them.

    The exit code is that of the first.
    """

    def __init__(self, failures: Mapping[str, Failure], skipped_names: Sequence[str]) -> None:
        message = "; ".join(f"{name}: {failure.reason}" for name, failure in failures.items())
        super().__init__(f"{message}; not run for want of it: {named(skipped_names)}" if skipped_names else message)
        self.failures, self.lost = dict(failures), list(skipped_names)
        # A negative code is that of a signal, such as the system's when memory runs out.
        self.exit_code = max(1, next(iter(failures.values())).code)


@dataclass
class _Running:
    """A task that is running."""

    task: Task
    process: subprocess.Popen[bytes]
    log: Path
    gpus: list[str]
    start_time: float = field(default_factory=time.monotonic)


def rows_of(all_tasks: Sequence[Task], names: Sequence[str]) -> list[Task]:
    """Return the tasks of some rows and everything that they read, with the report; all tasks where no row is named.

    Args:
        all_tasks: all tasks of the recipe.
        names: names of models, of rows of pre-training without their seed, or of tasks.

    Raises:
        BadInput: a name that no row has.
    """
    if not names:
        return list(all_tasks)
    by_name: dict[str, list[Task]] = {}
    for task in all_tasks:
        model = getattr(task.settings, "model", "") if task.stage == "score" else ""
        for name in {task.name, task.row, task.row.rpartition("-")[0], model} - {""}:
            by_name.setdefault(name, []).append(task)
    row_tasks: dict[str, Task] = {}
    for name in names:
        if name not in by_name:
            raise BadInput(f"--rows: no row {name}{suggestion(name, by_name)}")
        scores = [task for task in by_name[name] if task.stage == "score"]
        row_tasks |= {task.out: task for task in scores or by_name[name]}
    outs = _needed(list(row_tasks.values()), all_tasks)
    return [task for task in all_tasks if task.out in outs or (task.stage == "report" and _has_score(outs, all_tasks))]


def _has_score(outs: set[str], all_tasks: Sequence[Task]) -> bool:
    return any(task.stage == "score" and task.out in outs for task in all_tasks)


def _needed(row_tasks: Sequence[Task], all_tasks: Sequence[Task]) -> set[str]:
    """Return the output folders of some tasks and of everything behind them."""
    outs = {task.out for task in row_tasks}
    for task in reversed(all_tasks):
        if task.out in outs:
            outs |= {other.out for other in inputs(task, all_tasks)}
    return outs


def _missing(all_tasks: Sequence[Task], finished_outs: set[str]) -> list[Task]:
    """Return the tasks that are not done and that a missing result needs; always the report, which is of all scores."""
    outs: set[str] = set()
    inner_outs = {other.out for task in all_tasks for other in inputs(task, all_tasks)}
    for task in reversed(all_tasks):
        if task.stage == "report" or (
            task.out not in finished_outs and (task.out in outs or task.out not in inner_outs)
        ):
            outs.add(task.out)
            outs |= {other.out for other in inputs(task, all_tasks) if other.out not in finished_outs}
    return _rows_first([task for task in all_tasks if task.out in outs], all_tasks)


class Chain:
    """The tasks of a recipe that are run together.

    Args:
        all_tasks: the tasks, each behind those that it reads.
        options: choices of how they are run.

    Raises:
        BadInput: a finished result is not what its manifest says.
    """

    def __init__(self, all_tasks: Sequence[Task], options: Options) -> None:
        self.options, self.tasks = options, all_tasks
        prints = fingerprints(all_tasks)
        finished_tasks = [
            task
            for task in all_tasks
            if task.stage != "report" and is_made(Path(task.out), prints[task.out], any_code=options.any_code)
        ]
        for task in finished_tasks:
            check_unaltered(Path(task.out), whole=options.verify)
        finished_outs = {task.out for task in finished_tasks}
        exported_tasks = [
            task for task in all_tasks if task.out not in finished_outs and self._is_exported(task, prints[task.out])
        ]
        self.queue = _missing(all_tasks, finished_outs | {task.out for task in exported_tasks})
        self.total = len(self.queue)
        self.first_source = next((task for task in all_tasks if task.stage in ("download", "world")), None)
        """The task that makes the sources, until these have been looked at."""
        self.shared_models = _shared_models(all_tasks)
        self.outcome = Outcome([], [task.name for task in finished_tasks], [task.name for task in exported_tasks], {})
        self.failures: dict[str, Failure] = {}
        self.lost: list[str] = []
        self.running_tasks: list[_Running] = []
        self.begun = time.monotonic()
        self.most = options.side_by_side or min(cores(), MOST_TASKS)
        self.free_gpus = gpus()

    def _is_exported(self, task: Task, fingerprint: Fingerprint) -> bool:
        if task.stage != "score" or self.options.results is None:
            return False
        manifest = exported.manifests(self.options.results / task.out.split("/")[1]).get(task.name, {})
        return is_told(manifest, fingerprint, any_code=self.options.any_code)

    def run(self) -> Outcome:
        """Run the tasks.

        Raises:
            TasksFailed: some failed; those that do not need their outputs have been run.
        """
        self.begun = time.monotonic()
        with contextlib.ExitStack() as stack:
            stores = {self._store(task) for task in self.queue if task.stage == "retrieve"}
            signs = {store: stack.enter_context(presence(store)) for store in stores}
            with self._stopped_together():
                while self.queue or self.running_tasks:
                    self._collect()
                    self._look_at_sources()
                    if not self._start_next():
                        time.sleep(PAUSE)
            if self.failures:
                raise TasksFailed(self.failures, self.lost)
            for store, sign in signs.items():
                if is_alone(sign):
                    shutil.rmtree(store, ignore_errors=True)
                    Path(sign.name).unlink(missing_ok=True)
        return self.outcome

    def _look_at_sources(self) -> None:
        """See, once the sources are there, that they hold what later tasks read.

        Raises:
            BadInput: they do not.
        """
        if self.first_source and self.first_source not in self._unfinished():
            check_sources(self.first_source, self.queue)
            self.first_source = None

    def _ready(self) -> list[Task]:
        """Return the waiting tasks whose inputs are made."""
        unfinished = self._unfinished()
        unfinished_outs = {task.out for task in unfinished}
        ready = []
        for task in self.queue:
            above = {other.out for other in inputs(task, self.queue)} | set(task.reads.values())
            # A report waits for everything else.
            if not above & unfinished_outs and not (task.stage == "report" and len(unfinished) > 1):
                ready.append(task)
        return ready

    def _unfinished(self) -> list[Task]:
        return [*self.queue, *(running_task.task for running_task in self.running_tasks)]

    def _start_next(self) -> bool:
        """Start one task that can be started, or find it made; False where none can."""
        for task in self._ready():
            if not self._has_place(task):
                continue
            self.queue.remove(task)
            try:
                if self._is_made_now(task):
                    self.outcome.reused.append(task.name)
                else:
                    self.running_tasks.append(self._start(task))
            except BadInput as error:
                self._fail(task, Failure(error.exit_code, str(error)))
            return True
        return False

    def _is_made_now(self, task: Task) -> bool:
        """Return whether the output folder was made from the inputs as they are now."""
        reads = {input_name: Path(path) for input_name, path in task.reads.items()}
        if task.stage == "report" and not reads["scores"].is_dir():
            return True
        description = describe(task.stage, task.settings, reads)
        return finished(Path(task.out), description, any_code=self.options.any_code) is not None

    def _has_place(self, task: Task) -> bool:
        if not self.running_tasks:
            return True
        if any(self._shares_vectors(task, running_task.task) for running_task in self.running_tasks):
            return False
        if len(self.running_tasks) >= self.most or self._gpus(task) > len(self.free_gpus):
            return False
        memory_of_children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        return free_memory() >= max(LEAST_MEMORY, memory_of_children)

    def _shares_vectors(self, task: Task, other: Task) -> bool:
        """Return whether one task can take the vectors that the other one is computing."""
        model = task.reads.get("model")
        return task.stage == other.stage == "retrieve" and model == other.reads["model"]

    def _store(self, task: Task) -> Path:
        return Path("work", Path(task.out).parts[1], "vectors")

    def _gpus(self, task: Task) -> int:
        """Return the number of GPUs of a task: as in the table of stages, or a share of the free ones if it splits."""
        if not refusal(task.settings):
            others = [other for other in self._ready() if other is not task and STAGES[other.stage].gpus]
            return min(visible_gpus(), max(1, len(self.free_gpus) // (len(others) + 1)))
        return processes(task.settings, min(STAGES[task.stage].gpus, visible_gpus()))

    def _start(self, task: Task) -> _Running:
        log = Path("work", *Path(task.out).parts[1:2], "logs", f"{portable(task.name)}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        count = self._gpus(task)
        task_gpus, self.free_gpus = self.free_gpus[:count], self.free_gpus[count:]
        words = ["msm", "run", task.name, "--recipe", str(self.options.recipe), *self.options.words]
        words += ["--verify"] * self.options.verify
        if count > 1:
            words += ["--gpus", str(count)]
        if task.stage == "retrieve" and task.reads["model"] in self.shared_models:
            words += ["--vector_store", str(self._store(task))]
        environment = {"OMP_NUM_THREADS": str(max(1, cores() // self.most)), **os.environ}
        if visible_gpus():
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(task_gpus)
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", *words, "--stop_with_parent"],
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                # So that an interrupt from the terminal reaches this process alone, which lets tasks save their state.
                start_new_session=True,
            )
        return _Running(task, process, log, task_gpus)

    def _collect(self) -> None:
        ended_tasks = [one for one in self.running_tasks if one.process.poll() is not None]
        for running_task in ended_tasks:
            self.running_tasks.remove(running_task)
            self.free_gpus = sorted(self.free_gpus + running_task.gpus)
            seconds = time.monotonic() - running_task.start_time
            if running_task.process.returncode == 0:
                self.outcome.ran.append(running_task.task.name)
                start = running_task.start_time - self.begun
                self.outcome.times[running_task.task.name] = Span(start, start + seconds)
                self._tell(running_task.task, f"{seconds:.1f} s")
                continue
            failure = Failure(running_task.process.returncode, _reason(running_task.log))
            self._fail(running_task.task, failure, f" after {seconds:.1f} s", f" ({running_task.log})")

    def _fail(self, task: Task, failure: Failure, after: str = "", log: str = "") -> None:
        """Note a failure, and leave out everything that needs the output of the task."""
        self.failures[task.name] = failure
        self._tell(task, f"failed{after}: {failure.reason}{log}")
        missing_outs, later_outs = {task.out}, {other.out for other in self.queue if other.stage != "report"}
        for other in self.tasks:
            if other.out in later_outs and missing_outs & set(other.reads.values()):
                missing_outs.add(other.out)
                self.lost.append(other.name)
        self.queue = [other for other in self.queue if other.out not in missing_outs]

    def _tell(self, task: Task, message: str) -> None:
        count = self.total - len(self.queue) - len(self.running_tasks)
        sys.stderr.write(f"[{count:>{len(str(self.total))}}/{self.total}] {task.name}: {message}\n")

    @contextlib.contextmanager
    def _stopped_together(self) -> Iterator[None]:
        """A block that ends before its tasks, as at a request to stop, ends them; they save their state first."""
        try:
            yield
        finally:
            for running_task in self.running_tasks:
                running_task.process.terminate()
            for running_task in self.running_tasks:
                running_task.process.wait()


@contextlib.contextmanager
def presence(store: Path) -> Iterator[IO[bytes]]:
    """Open a file whose shared lock says that a chain is running that may read a store of vectors."""
    store.parent.mkdir(parents=True, exist_ok=True)
    path = store.with_name(f".{store.name}.lock")
    while True:
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            # Between opening and locking, another chain may have ended and taken the file away.
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield file
                return


def is_alone(sign: IO[bytes]) -> bool:
    """Return whether no other chain is running that may read the store."""
    try:
        fcntl.flock(sign, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _rows_first(tasks: Sequence[Task], all_tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with the longest way behind them first, so that a row is scored before the next one begins.

    The way is counted over all tasks, made or not: a chain that goes on keeps the order that it began with.
    """
    levels: dict[str, int] = {}
    for task in all_tasks:
        levels[task.out] = 1 + max((levels.get(other.out, 0) for other in inputs(task, all_tasks)), default=0)
    return sorted(tasks, key=lambda task: -levels[task.out])


def _shared_models(tasks: Sequence[Task]) -> set[str]:
    """Return the folders of the models that several of the tasks search with."""
    models = [task.reads["model"] for task in tasks if task.stage == "retrieve"]
    return {model for model in models if models.count(model) > 1}


def _reason(log: Path) -> str:
    """Return why a task failed: its own message, whatever torchrun printed after it, else the last line of its log."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    own_lines = [line.removeprefix("msm: ") for line in lines if line.startswith("msm: ")]
    return (own_lines or lines or ["no message"])[-1]


def named(names: Sequence[str]) -> str:
    """Return the first of some names, and the number of the others."""
    besides = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {besides} more" if besides > 0 else "")


def summary(recipe: str, outcome: Outcome) -> str:
    """Return one line: which tasks were run and which were not."""
    parts = [f"{len(outcome.ran)} run", f"{len(outcome.reused)} reused"]
    if outcome.exported:
        parts.append(f"{len(outcome.exported)} rows taken as exported")
    return f"{recipe}: {', '.join(parts)}"
