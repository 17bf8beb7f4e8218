"""`msm run`: runs the unfinished tasks of a recipe, one task of it, or one stage by hand."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msm.cli.execution import add_execution, begin, execution
from msm.cli.options import add_device, add_log, add_mirror, add_recipe, add_verify
from msm.cli.parser import Parser
from msm.pipeline import recipes, runner
from msm.pipeline.chain import summary
from msm.pipeline.checks import check
from msm.pipeline.fingerprints import notes
from msm.pipeline.places import check_processes
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import find_task, tasks
from msm.pipeline.times import time_lines
from msm.settings import Setting, base_type, flat, make, nested
from msm.verbs import run as verb

USAGE = """\
msm run RECIPE                       run the unfinished tasks of a recipe; `msm run demo --help` lists options
       msm run TASK --recipe RECIPE         run one task, such as `pretrain/msm-1`, whose inputs exist
       msm run STAGE --SETTING VALUE ...    run one stage by hand; `msm run STAGE --help` lists its settings"""
STAGE_NAMES = f"Stages: {', '.join(STAGES)}."


def main(words: Sequence[str]) -> None:
    """Run a recipe, a task or a stage.

    Raises:
        BadInput: the words name nothing that exists, or settings or inputs are wrong.
        CommandError: a task failed.
    """
    parser = Parser(prog="msm run", usage=USAGE, epilog=STAGE_NAMES)
    parser.add_argument(
        "what", metavar="RECIPE | TASK | STAGE", help="Name of a recipe, of one of its tasks, or of a stage."
    )
    what = parser.parse_args(words[:1]).what
    if what in STAGES:
        _stage(what, words[1:])
    elif any(word.partition("=")[0] == "--recipe" for word in words):
        _task(what, words[1:])
    else:
        _recipe(what, words[1:])


def recipe_parser() -> Parser:
    """Return the parser of the options that follow the name of a recipe."""
    purpose = "Run the unfinished tasks of a recipe."
    parser = Parser(prog="msm run RECIPE", usage="msm run RECIPE [options]", description=purpose)
    parser.add_argument(
        "--rows",
        nargs="+",
        default=[],
        metavar="NAME",
        help="Names of the models, rows of pre-training or tasks to run, with everything that they need. The default "
        "is all rows.",
    )
    parser.add_argument(
        "--side_by_side",
        type=int,
        default=0,
        metavar="N",
        help="Largest number of tasks that run side by side; 0 allows one for each core, up to 8 (default: 0).",
    )
    add_mirror(parser)
    parser.add_argument(
        "--results",
        default="results",
        metavar="DIR",
        help="Folder of exported results. A row that was exported there with the recipe's settings and "
        "code is not run again; an empty value ('') runs every row here (default: results).",
    )
    parser.add_argument(
        "--any_code", action="store_true", help="Accept finished results that another version of the program has made."
    )
    add_device(parser)
    parser.add_argument(
        "--times",
        action="store_true",
        help="Print how the time was spent: the share of each stage, and the longest tasks.",
    )
    add_verify(parser)
    add_log(parser)
    return parser


def _recipe(name: str, words: Sequence[str]) -> None:
    arguments = recipe_parser().parse_args(words)
    outcome = verb.run(
        name,
        rows=arguments.rows,
        side_by_side=arguments.side_by_side,
        mirror=arguments.mirror,
        results=arguments.results,
        any_code=arguments.any_code,
        device=arguments.device,
        log=arguments.log,
        verify=arguments.verify,
    )
    sys.stderr.write(f"{summary(Path(name).stem, outcome)}\n")
    if arguments.times:
        sys.stdout.writelines(f"{line}\n" for line in time_lines(outcome.times))


def _task(name: str, words: Sequence[str]) -> None:
    purpose = "Run one task of a recipe. The tasks whose outputs it reads must be finished."
    parser = Parser(prog="msm run TASK", usage="msm run TASK --recipe RECIPE [options]", description=purpose)
    add_recipe(parser)
    add_execution(parser)
    arguments = vars(parser.parse_args(words))
    path = recipes.find(arguments["recipe"])
    recipe = recipes.load(path)
    all_tasks = tasks(recipe, str(path))
    task = find_task(name, all_tasks, str(path))
    if not arguments["stop_with_parent"]:  # `msm run RECIPE` has checked it before
        check(all_tasks, str(path))
    check_processes(task.settings, arguments["gpus"])
    begin(arguments, ["msm", "run", name, *words])
    reads = {name_of_input: Path(folder) for name_of_input, folder in task.reads.items()}
    out = Path(task.out)
    task_notes = notes(task, all_tasks, recipe)
    manifest = runner.run_stage(task.stage, task.settings, reads, out, execution(arguments, out), task_notes)
    _tell(task.name, out, manifest, arguments["part"])


def _stage(name: str, words: Sequence[str]) -> None:
    stage = STAGES[name]
    arguments = vars(stage_parser(name).parse_args(words))
    values = {setting.name: arguments[setting.name] for setting in flat(stage.settings)}
    settings_by_name = {setting: value for setting, value in values.items() if value is not None}
    settings = make(stage.settings, nested(settings_by_name), f"run {name}")
    check_processes(settings, arguments["gpus"])
    begin(arguments, ["msm", "run", name, *words])
    out: Path = arguments["out"]
    reads = {input_name: arguments[input_name] for input_name in stage.reads}
    manifest = runner.run_stage(name, settings, reads, out, execution(arguments, out))
    _tell(name, out, manifest, arguments["part"])


def _tell(name: str, out: Path, manifest: Mapping[str, Any], part: str) -> None:
    what = (
        f"part {part} is done; the same command without --part joins all parts"
        if part
        else f"{out} ({manifest['seconds']:.1f} s)"
    )
    sys.stderr.write(f"{name}: {what}\n")


def stage_parser(name: str) -> Parser:
    """Return the parser of a stage's folders, settings and execution options."""
    stage = STAGES[name]
    usage = f"msm run {name} --INPUT DIR ... --SETTING VALUE ... --out DIR"
    parser = Parser(prog=f"msm run {name}", usage=usage, description=inspect.getdoc(stage.settings))
    folders = parser.add_argument_group(
        "folders: outputs of earlier stages that are read, and the output of this stage"
    )
    for input_name in stage.reads:
        folders.add_argument(
            f"--{input_name}", type=Path, required=True, metavar="DIR", help=f"Folder of the {input_name}."
        )
    folders.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help=f"Output folder; it gets manifest.json and {stage.payload}/.",
    )
    add_execution(parser)
    group = parser.add_argument_group("settings, which decide the result; the later of two values counts")
    for setting in flat(stage.settings):
        meaning = help_text(setting).replace("%", "%%")
        group.add_argument(f"--{setting.name}", type=base_type(setting.hint), metavar="VALUE", help=meaning)
    return parser


def help_text(setting: Setting) -> str:
    """Return the meaning, the allowed values and the default of a setting."""
    choices = f" [{setting.allowed}]" if setting.allowed else ""
    default = "" if setting.default is None else f" (default: {setting.default if setting.default != '' else 'empty'})"
    return f"{setting.meaning}{choices}{default}"
