"""`msm recipe NAME`: make a recipe the active one."""

import argparse
import re
from pathlib import Path

from msm import files
from msm.errors import BadInput
from msm.pipeline import recipes

ACTIVE = Path("params.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("name", help="a file in recipes/, without .yaml; or a path")
    parser.add_argument("--mirror", default="", metavar="DIR", help="local copy of the public files")


def main(arguments: argparse.Namespace) -> None:
    """Check the recipe whole, then write it to params.yaml.

    Raises:
        BadInput: the recipe is missing or wrong.
    """
    path = Path(arguments.name)
    if path.suffix != ".yaml":
        path = recipes.RECIPES / f"{arguments.name}.yaml"
    recipe = recipes.load(path)
    recipes.tasks(recipe, str(path))
    text = path.read_text(encoding="utf-8")
    if arguments.mirror:
        text = _with_mirror(text, arguments.mirror, path)
    with files.new_file(ACTIVE) as file:
        file.write(text)


def _with_mirror(text: str, mirror: str, path: Path) -> str:
    if not Path(mirror).is_dir():
        raise BadInput(f"{mirror}: no such folder to take the public files from")
    # The line is replaced as text: the comments of the recipe stay.
    text, count = re.subn(r"^  mirror: .*$", f'  mirror: "{mirror}"', text, flags=re.MULTILINE)
    if count != 1:
        raise BadInput(f"{path}: no line `  mirror:` under source")
    return text
