"""`--log tensorboard|mlflow|wandb`: losses, scores and reports in the tools that people watch, beside `log.jsonl`.

A tracker is chosen by an execution option and decides nothing: no fingerprint knows of it, and where it fails in the
middle of a run, the run goes on. Servers and keys are told by the usual variables of each tool, such as
`MLFLOW_TRACKING_URI`, `WANDB_API_KEY` and `WANDB_MODE`.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import yaml

from msm.errors import BadInput, CommandError
from msm.files import read_json_lines
from msm.imports import entry, needed_package
from msm.pipeline.artifacts import FOLDERS

STAGES = ("pretrain", "finetune", "score", "report")
"""Stages that have something to watch."""
ADDRESSES = {"mlflow": "MLFLOW_TRACKING_URI", "wandb": "WANDB_BASE_URL"}
"""Variable of each tool that names its server."""
KEYS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "WANDB_API_KEY")
"""Variables with the keys of a server."""
TEXTS = (".md", ".txt", ".svg", ".yaml")
"""Files of a report that are shown."""
FLUSH_SECONDS = 5.0
"""Between two requests to a tracking server, each with all values since the last one."""
BATCH = 500
"""Most values in one request; servers of MLflow take 1000."""
PARAMETERS = 100
"""Most parameters in one request to a server of MLflow."""
LONGEST = 5000
"""Characters of a parameter or tag that are kept."""


class TrackedTask(NamedTuple):
    """What a tracker shows as one run."""

    recipe: str
    """Name of its experiment or project."""
    task: str
    """FOLDER/ROW."""
    identity: str
    """Checksum of settings and inputs: the same task that goes on after a kill is the same run."""
    folder: Path
    """For the tracker's own files; it outlives the task."""


class Backend(Protocol):
    """One of the tools."""

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Show values of a step."""
        ...

    def facts(self, values: Mapping[str, Any]) -> None:
        """Show settings and where the result comes from."""
        ...

    def document(self, name: str, text: str) -> None:
        """Show a text file."""
        ...

    def close(self, *, has_failed: bool) -> None:
        """Send what is left, and end the run."""
        ...


class Tracker:
    """Tells a backend what a task does, in order and beside it: no step waits for a server.

    Args:
        name: name of the backend, for messages.
        backend: that is told.
    """

    def __init__(self, name: str, backend: Backend) -> None:
        self._name, self._backend = name, backend
        self._thread = ThreadPoolExecutor(1)
        self._complained = False

    def row(self, row: Mapping[str, float]) -> None:
        """Show a line of `log.jsonl`."""
        values = {name: value for name, value in row.items() if name != "step"}
        self._later(self._backend.numbers, values, int(row["step"]))

    def finish(self, manifest: Mapping[str, Any], folder: Path) -> None:
        """Show settings, lineage, recipe, scores by language and report of a finished stage folder."""
        payload = folder / manifest["payload"]
        self._later(self._backend.facts, lineage(manifest))
        if recipe := manifest.get("recipe"):
            self._later(self._backend.document, "recipe.yaml", yaml.safe_dump(recipe, sort_keys=False))
        if manifest["stage"] == "score":
            self._later(self._backend.numbers, scores(payload / "scores.jsonl"), 0)
        if manifest["stage"] == "report":
            for path in sorted(path for path in payload.iterdir() if path.suffix in TEXTS):
                self._later(self._backend.document, path.name, path.read_text(encoding="utf-8"))

    def close(self, *, has_failed: bool) -> None:
        """Wait until everything is told."""
        self._thread.submit(self._safely, lambda: self._backend.close(has_failed=has_failed))
        self._thread.shutdown()

    def _later(self, tell: Callable[..., None], *values: Any) -> None:
        self._thread.submit(self._safely, lambda: tell(*values))

    def _safely(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:  # of any tool: days of training are worth more than their curve
            if not self._complained:
                sys.stderr.write(f"--log {self._name}: {_line(error)}; the run goes on\n")
            self._complained = True


@contextlib.contextmanager
def tracked(name: str, task: TrackedTask) -> Iterator[Tracker | None]:
    """A tracker for a task; None where none is asked for.

    Args:
        name: one of `BACKENDS`, or empty.
        task: the task.

    Raises:
        BadInput: the tool is not installed, or has no key.
        CommandError: its server does not answer; a cluster may try again.
    """
    if not name or task.task.partition("/")[0] not in STAGES:
        yield None
        return
    check(name)
    try:
        tracker = Tracker(name, BACKENDS[name](task))
    except Exception as error:  # whatever a tool raises where it cannot be reached
        raise CommandError(f"--log {name}: {_line(error)}") from error
    has_failed = True
    try:
        yield tracker
        has_failed = False
    finally:
        tracker.close(has_failed=has_failed)


def check(name: str) -> None:
    """See that a tool can be used, before anything runs.

    Raises:
        BadInput: it is not installed, or would ask for a key at the terminal.
    """
    if name:
        needed_package(name, "tracking")
    if name == "wandb" and os.environ.get("WANDB_MODE") not in ("offline", "disabled"):
        if not entry("wandb:api").api_key:
            raise BadInput("--log wandb: no key; set WANDB_API_KEY, or WANDB_MODE=offline")


def name_of(work: Path, stage: str) -> tuple[str, str]:
    """Names of recipe and task of a scratch folder such as `work/demo/pretrain/msm-1`; of another one, the stage's."""
    parts = work.absolute().parts
    if len(parts) > 3 and parts[-2] in FOLDERS:
        return parts[-3], "/".join(parts[-2:])
    return "msm", f"{stage}/{work.name.strip('.').removesuffix('.work')}"


def scores(path: Path) -> dict[str, float]:
    """Means and values of every language of a score file: `map@20/multilingual/de`."""
    values = {}
    for _, line in read_json_lines(path):
        language, pool = line["query_language"], line["candidate_language"]
        if line["value"] is not None and (language == "mean" or pool in (None, "same", language)):
            values[f"{line['measure']}/{pool or 'multilingual'}/{language}"] = float(line["value"])
    return values


def lineage(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a task, and what tells whether another result is the same: identity, code, commit and inputs."""
    facts = {name: manifest[name] for name in ("identity", "code", "commit", "device", "command", "seconds")}
    facts |= {f"fingerprint.{part}": value for part, value in (manifest.get("fingerprint") or {}).items()}
    facts |= {f"inputs.{input_name}": value["checksum"] for input_name, value in manifest["inputs"].items()}
    return facts | dict(_flat("settings", manifest["settings"]))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, value


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class TensorBoard:
    """Event files in `tensorboard/` of the task's scratch folder: `tensorboard --logdir work` shows all.

    Args:
        watched: the task.
    """

    def __init__(self, task: TrackedTask) -> None:
        self._make = entry("torch.utils.tensorboard:SummaryWriter")
        self._folder = str(task.folder / "tensorboard")
        self._writer: Any = None

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """See `Backend`."""
        for name, value in values.items():
            self._open(step).add_scalar(name, value, step)

    def facts(self, values: Mapping[str, Any]) -> None:
        """See `Backend`."""
        self.document("lineage.json", json.dumps(values, indent=1))

    def document(self, name: str, text: str) -> None:
        """See `Backend`."""
        self._open(0).add_text(name, text if name.endswith(".md") else f"```\n{text}\n```")

    def close(self, *, has_failed: bool) -> None:
        """See `Backend`."""
        del has_failed
        if self._writer is not None:
            self._writer.close()

    def _open(self, step: int) -> Any:
        """The writer; a run that goes on from a checkpoint takes the place of what it had shown from there on."""
        if self._writer is None:
            self._writer = self._make(self._folder, purge_step=step or None)
        return self._writer


class Mlflow:
    """A run of MLflow, on the server or in the folder that `MLFLOW_TRACKING_URI` names.

    Args:
        watched: the task; the recipe is its experiment.
    """

    def __init__(self, task: TrackedTask) -> None:
        self._mlflow = needed_package("mlflow", "tracking")
        self._client = self._mlflow.MlflowClient()
        experiment = self._mlflow.set_experiment(task.recipe).experiment_id
        same = f"tags.`msm.identity` = '{task.identity}' and attributes.status != 'FINISHED'"
        runs = self._client.search_runs([experiment], same, max_results=1)
        tags = {"msm.identity": task.identity, "msm.task": task.task, "msm.recipe": task.recipe}
        run = runs[0] if runs else self._client.create_run(experiment, run_name=task.task, tags=tags)
        self._run: str = run.info.run_id
        self._client.update_run(self._run, status="RUNNING")
        self._values: list[Any] = []
        self._sent = time.monotonic()

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """See `Backend`."""
        now = int(time.time() * 1000)
        metric = self._mlflow.entities.Metric
        # Names of MLflow take no @.
        self._values += [metric(name.replace("@", "_at_"), value, now, step) for name, value in values.items()]
        if len(self._values) >= BATCH or time.monotonic() - self._sent >= FLUSH_SECONDS:
            self._flush()

    def facts(self, values: Mapping[str, Any]) -> None:
        """See `Backend`."""
        parameter = self._mlflow.entities.Param
        whole = [parameter(name, str(value)[:LONGEST]) for name, value in values.items()]
        for first in range(0, len(whole), PARAMETERS):
            self._client.log_batch(self._run, params=whole[first : first + PARAMETERS])

    def document(self, name: str, text: str) -> None:
        """See `Backend`."""
        self._client.log_text(self._run, text, name)

    def close(self, *, has_failed: bool) -> None:
        """See `Backend`."""
        self._flush()
        self._client.set_terminated(self._run, "KILLED" if has_failed else "FINISHED")

    def _flush(self) -> None:
        while self._values:
            self._client.log_batch(self._run, metrics=self._values[:BATCH])
            self._values = self._values[BATCH:]
        self._sent = time.monotonic()


class Wandb:
    """A run of Weights & Biases; with `WANDB_MODE=offline`, files in `wandb/` of the task's scratch folder.

    Args:
        watched: the task; the recipe is its project.
    """

    def __init__(self, task: TrackedTask) -> None:
        wandb = needed_package("wandb", "tracking")
        task.folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=task.recipe,
            name=task.task,
            id=task.identity[:32],
            # Said again: the tool keeps what the environment was when it first looked for a key.
            mode=os.environ.get("WANDB_MODE"),
            resume="allow",
            dir=str(task.folder),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """See `Backend`."""
        self._run.log(dict(values), step=step)

    def facts(self, values: Mapping[str, Any]) -> None:
        """See `Backend`."""
        self._run.config.update(dict(values), allow_val_change=True)

    def document(self, name: str, text: str) -> None:
        """See `Backend`."""
        path = Path(self._run.dir, name)
        path.write_text(text, encoding="utf-8")
        self._run.save(str(path), base_path=self._run.dir, policy="now")

    def close(self, *, has_failed: bool) -> None:
        """See `Backend`."""
        self._run.finish(exit_code=int(has_failed))


BACKENDS: dict[str, Callable[[TrackedTask], Backend]] = {"tensorboard": TensorBoard, "mlflow": Mlflow, "wandb": Wandb}
