"""`msm card`: writes model cards of checkpoints."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msm.errors import BadInput
from msm.files import new_file
from msm.pipeline.artifacts import MANIFEST
from msm.reporting.card import TRAINED, card, find_scores

CARD = "README.md"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of `msm card`."""
    parser.add_argument(
        "folder",
        type=Path,
        help="Output folder of the stage pretrain or finetune, or folder of all stages of a recipe, such as "
        "artifacts/demo.",
    )
    parser.add_argument(
        "--scores",
        type=Path,
        nargs="*",
        metavar="DIR",
        help="Score folders that the card prints. The default is all score folders of the same recipe.",
    )


def main(arguments: Namespace) -> None:
    """Write `README.md` beside the manifest of every checkpoint, without a change to the model folder.

    Raises:
        BadInput: there is no checkpoint, or a `README.md` that is not its card.
    """
    folder: Path = arguments.folder
    checkpoints = [folder] if (folder / MANIFEST).is_file() else []
    checkpoints = checkpoints or [
        path.parent for stage in TRAINED for path in sorted(folder.glob(f"{stage}/*/{MANIFEST}"))
    ]
    if not checkpoints:
        raise BadInput(f"{folder}: no checkpoint here")
    for checkpoint in checkpoints:
        scores = find_scores(checkpoint) if arguments.scores is None else arguments.scores
        text, target = card(checkpoint, scores), checkpoint / CARD
        head = text.partition("\n## ")[0]
        if target.is_file() and not target.read_text(encoding="utf-8", errors="replace").startswith(head):
            raise BadInput(f"{target}: not a card of this checkpoint, and not replaced; move it away first")
        with new_file(target) as file:
            file.write(text)
        sys.stdout.write(f"{checkpoint / CARD}\n")
