"""Runs the unfinished tasks of a recipe."""

from collections.abc import Sequence
from pathlib import Path

from msm import tracking
from msm.errors import BadInput
from msm.pipeline import recipes
from msm.pipeline.chain import Chain, Options, Outcome, rows_of
from msm.pipeline.checks import check, check_here
from msm.pipeline.places import total_memory, visible_gpus
from msm.pipeline.tasks import tasks


def run(
    recipe: str | Path,
    *,
    rows: Sequence[str] = (),
    side_by_side: int = 0,
    mirror: str | Path = "",
    results: str | Path | None = "results",
    any_code: bool = False,
    device: str = "auto",
    log: str = "",
    verify: bool = False,
) -> Outcome:
    """Run all tasks of a recipe that are missing, in order; independent ones side by side.

    Outputs lie below `artifacts/`, logs and what a stopped task goes on from below `work/`.

        >>> import msm
        >>> msm.run("tiny", rows=["sources/world"]).ran
        ['sources/world']

    Args:
        recipe: name of the recipe, such as `demo`, or its file.
        rows: models or tasks; only these and what they need are run. All rows if not given.
        side_by_side: largest number of tasks that run at once; 0 for one on each core.
        mirror: folder with a copy of the public files.
        results: folder of exported results; a row whose exported fingerprint is the recipe's is not run again. None for
            none.
        any_code: take results that another version of the program has made.
        device: `auto`, `cpu`, `cuda` or `mps`.
        log: `tensorboard`, `mlflow` or `wandb`, which shows losses and scores too.
        verify: compare all bytes of inputs and of finished results with their manifests, not only of files whose size
            or time differ.

    Returns:
        Names of the tasks that ran, that were there already, and that were taken as exported.

    Raises:
        BadInput: no such recipe, a value in it that is not allowed, a finished result that was altered, or a tool of
            `log` that is not installed.
        TasksFailed: some tasks failed; those that do not read their outputs have been run.
    """
    if side_by_side < 0:
        raise BadInput(f"--side_by_side must be at least 0, got {side_by_side}")
    tracking.check(log)
    path = recipes.find(str(recipe))
    whole = tasks(recipes.load(path), str(path))
    check(whole, str(path), 0 if visible_gpus() else total_memory())
    all_tasks = rows_of(whole, rows)
    words = (f"--mirror={mirror}", "--device", device, f"--log={log}")
    chain = Chain(all_tasks, Options(path, Path(results) if results else None, side_by_side, any_code, verify, words))
    check_here(chain.queue, whole, str(path), device=device, mirror=str(mirror))
    return chain.run()
