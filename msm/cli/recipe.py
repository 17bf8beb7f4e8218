"""`msm recipe NAME`: checks a recipe, prints it with all values, or renders its DVC pipeline."""

import argparse
import sys
from pathlib import Path

import yaml

from msm.cli.options import add_mirror
from msm.components import dvc_pipeline
from msm.files import new_file
from msm.pipeline import recipes
from msm.pipeline.checks import check
from msm.pipeline.tasks import tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm recipe`."""
    parser.add_argument("name", help="Name of a recipe, such as demo, or path of its file.")
    parser.add_argument(
        "--resolved", action="store_true", help="Print the recipe with the values of its base and all defaults."
    )
    parser.add_argument(
        "--dvc", action="store_true", help="Write the recipe as a pipeline of DVC, pipelines/NAME/dvc.yaml."
    )
    parser.add_argument(
        "--code",
        type=Path,
        metavar="FILE",
        help="File that gets the checksums of the code and of your own files, which DVC reads.",
    )
    add_mirror(parser, "For --dvc.")


def main(arguments: argparse.Namespace) -> None:
    """Check a recipe, then print or render it.

    Raises:
        BadInput: the recipe is missing or malformed.
    """
    path = recipes.find(arguments.name)
    recipe = recipes.load(path)
    all_tasks = tasks(recipe, str(path))
    check(all_tasks, str(path))
    if arguments.resolved:
        text = yaml.safe_dump(recipes.resolved(recipe), sort_keys=False, width=120, allow_unicode=True)
        sys.stdout.write(text)
    elif arguments.code:
        with new_file(arguments.code) as file:
            file.write(dvc_pipeline.code_json(all_tasks))
    elif arguments.dvc:
        target = Path("pipelines", str(recipe["recipe"]), "dvc.yaml")
        with new_file(target) as file:
            file.write(dvc_pipeline.render(path, all_tasks, wdir="../..", mirror=arguments.mirror))
        sys.stdout.write(f"{target}: {len(all_tasks)} tasks; run them with `dvc repro {target}`\n")
    else:
        sys.stdout.write("".join(f"{task.name}\n" for task in all_tasks))
