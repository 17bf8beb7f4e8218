"""`msm completion bash | zsh`: prints a script that completes commands, recipes, flags and their values.

The script holds all words, so that completing starts no Python. It is printed anew after an update.
"""

import argparse
import contextlib
import shlex
import sys
from collections.abc import Iterable, Iterator

from msm.cli import main as command
from msm.cli import run
from msm.pipeline import recipes
from msm.pipeline.stages import STAGES

SHELLS = ("bash", "zsh")
SCRIPT = """\
{head}_msm() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} verb=${{COMP_WORDS[1]}} words
    [ "$verb" = run ] && [ "$COMP_CWORD" -gt 2 ] && verb="run ${{COMP_WORDS[2]}}"
    case "$verb $before" in
{values}
    *)
        [ "$COMP_CWORD" = 1 ] && verb=
        case "$verb" in
        "") words={verbs} ;;
{flags}
        "run "*) words={recipe_flags} ;;
        *) words= ;;
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _msm msm
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm completion`."""
    parser.add_argument("shell", choices=SHELLS, help="Shell that reads the script.")


def main(arguments: argparse.Namespace) -> None:
    """Print the script of a shell."""
    sys.stdout.write(script(arguments.shell))


def script(shell: str) -> str:
    """Return the script that completes the words of `msm` in a shell."""
    names = sorted({file.stem for folder in (recipes.RECIPES, recipes.PACKAGED) for file in folder.glob("*.yaml")})
    parsers: dict[str, argparse.ArgumentParser] = {}
    for name in command.VERBS:
        # A command whose packages are not installed completes by its name alone.
        with contextlib.suppress(ModuleNotFoundError):
            parsers |= {} if name == "run" else {name: command.parser_of(name)}
    parsers |= {f"run {stage}": run.stage_parser(stage) for stage in STAGES}
    words = {"run": [*names, *STAGES], "recipe": [*names, *_words(parsers["recipe"])]}
    words = {name: _words(parser) for name, parser in parsers.items()} | words
    # zsh reads bash's completions through bashcompinit.
    return SCRIPT.format(
        head="autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else "",
        verbs=_quoted(command.VERBS),
        recipe_flags=_quoted(_words(run.recipe_parser())),
        flags="\n".join(f'        "{name}") words={_quoted(choices)} ;;' for name, choices in words.items()),
        values="\n".join(line for name, parser in parsers.items() for line in _values(name, parser)),
    )


def _words(parser: argparse.ArgumentParser) -> list[str]:
    """Return the flags of a parser and of its subparsers, and the choices of its arguments without a flag."""
    words: list[str] = []
    for action in parser._actions:
        words += [flag for flag in action.option_strings if flag.startswith("--")]
        words += [] if action.option_strings else _choices(action)
        if isinstance(action, argparse._SubParsersAction):
            words += [word for below in action.choices.values() for word in _words(below)]
    return list(dict.fromkeys(words))


def _values(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the lines of the script for flags that have a fixed set of values."""
    for action in parser._actions:
        for flag in action.option_strings:
            if action.choices:
                yield f'    "{name} {flag}") words={_quoted(_choices(action))} ;;'


def _choices(action: argparse.Action) -> list[str]:
    return [str(choice) for choice in action.choices or () if str(choice)]


def _quoted(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))
