"""`msm card`: model cards of checkpoints."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.artifacts import MANIFEST, new_file
from msm.errors import BadInput
from msm.reporting.card import TRAINED, card, find_scores

CARD = "README.md"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm card`."""
    parser.add_argument(
        "folder", type=Path, help="of a pretrain or finetune stage, or of a recipe's artifacts: all of its"
    )
    parser.add_argument("--scores", type=Path, nargs="*", metavar="DIR", help="those beside the model when not given")


def main(arguments: Namespace) -> None:
    """Write `README.md` beside the manifest of every checkpoint; the payload stays as it is.

    Raises:
        BadInput: no checkpoint there.
    """
    folder: Path = arguments.folder
    found = [folder] if (folder / MANIFEST).is_file() else []
    found = found or [path.parent for stage in TRAINED for path in sorted(folder.glob(f"{stage}/*/{MANIFEST}"))]
    if not found:
        raise BadInput(f"{folder}: no checkpoint here")
    for checkpoint in found:
        scores = find_scores(checkpoint) if arguments.scores is None else arguments.scores
        with new_file(checkpoint / CARD) as file:
            file.write(card(checkpoint, scores))
        sys.stdout.write(f"{checkpoint / CARD}\n")
