"""Parses command lines: an error is one line and suggests the nearest name; `-` and `_` are the same in a flag."""

import argparse
from collections.abc import Iterable
from typing import Any, NoReturn

from msm.settings import suggestion


class Parser(argparse.ArgumentParser):
    """Parser that ends with exit code 2 and one line on an error, as bad input does.

    A word of a flag may be joined by `-` or `_`: `--batch-tokens` is `--batch_tokens`.
    """

    def error(self, message: str) -> NoReturn:
        """Print one line and exit."""
        self.exit(2, f"{self.prog}: {message}\n")

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:  # pyright: ignore
        """Parse words; a flag that does not exist is refused with the nearest one."""
        arguments, others = self.parse_known_args(args, namespace)
        if others:
            nearest = suggestion(others[0].partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(others)}{nearest}")
        return arguments

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:  # pyright: ignore
        """Parse the words that the parser declares, with `-` or `_` in their flags."""
        return super().parse_known_args(None if args is None else [self._spelt(word) for word in args], namespace)

    def _spelt(self, word: str) -> str:
        """Return a flag as it was declared, and any other word unchanged."""
        flag, equals, value = word.partition("=")
        if not flag.startswith("--") or flag in self._option_string_actions:
            return word
        spellings = ("--" + flag[2:].replace(*change) for change in (("-", "_"), ("_", "-")))
        return next((name + equals + value for name in spellings if name in self._option_string_actions), word)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is no choice, and suggest the nearest choice."""
        if action.choices is not None and value not in action.choices:
            names = [str(choice) for choice in action.choices]
            hint = suggestion(value, names)
            raise argparse.ArgumentError(action, f"invalid choice: {value!r} (choose from {', '.join(names)}){hint}")
