"""Options that choose among the languages of scores."""

from argparse import ArgumentParser


def add_choice(parser: ArgumentParser) -> None:
    """Declare `--languages` and `--pairs`."""
    parser.add_argument(
        "--languages", default="", metavar="CODES", help="Languages of the questions to keep, with commas; all else."
    )
    parser.add_argument(
        "--pairs",
        default="",
        metavar="PAIRS",
        help="Pairs of languages of questions and candidates to keep, such as de-en,fr-en; of bitext in either order.",
    )
