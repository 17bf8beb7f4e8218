"""`msm verify RECIPE`: compares all files of a recipe with their manifests."""

import sys
from argparse import ArgumentParser, Namespace

from msm.errors import Differs
from msm.verbs.verify import verify


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm verify`."""
    parser.add_argument("recipe", metavar="RECIPE", help="Name of a recipe, such as demo, or path of its file.")
    parser.add_argument(
        "--quick", action="store_true", help="Read only the files whose size or time differs from their manifest."
    )


def main(arguments: Namespace) -> None:
    """Print a line for every difference, and the number of tasks whose files are as they were made.

    Raises:
        BadInput: the recipe does not exist.
        Differs: a file or an input differs.
    """
    verdicts = verify(arguments.recipe, quick=arguments.quick)
    sys.stdout.writelines(f"{one.task}: {problem}\n" for one in verdicts for problem in one.problems)
    made_tasks = [one for one in verdicts if one.is_made]
    altered_tasks = [one for one in made_tasks if one.problems]
    if altered_tasks:
        raise Differs(
            f"{arguments.recipe}: {len(altered_tasks)} of {len(made_tasks)} tasks differ, first {altered_tasks[0].task}"
        )
    sys.stdout.write(
        f"{arguments.recipe}: {len(made_tasks)} of {len(verdicts)} tasks are made, and as they were made\n"
    )
