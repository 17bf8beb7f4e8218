"""Declares the options that choose among the languages of scores."""

from argparse import ArgumentParser


def add_choice(parser: ArgumentParser) -> None:
    """Declare `--languages` and `--pairs`."""
    parser.add_argument(
        "--languages",
        default="",
        metavar="CODES",
        help="Codes of the languages of the questions to keep, separated by commas. The default is all.",
    )
    parser.add_argument(
        "--pairs",
        default="",
        metavar="PAIRS",
        help="Language pairs to keep, question first and candidate second, such as de-en,fr-en; in bitext the"
        " order does not matter.",
    )
