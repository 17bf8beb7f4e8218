"""The command itself: help, version, misspelt words, spellings of flags, and completion in a shell."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from msm.cli import main as command
from msm.cli.completion import script
from msm.cli.main import main
from msm.pipeline.recipes import RECIPES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A function that runs a command which must be refused, and returns its only line."""

    def refused(*words: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
        [line] = capsys.readouterr().err.splitlines()
        return line

    return refused


def test_a_bare_command_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    names = re.findall(r"^    ([a-z-]+)(?: |$)", capsys.readouterr().out, re.MULTILINE)
    assert names == list(command.VERBS)


def test_help_and_version_load_no_numbers_and_no_hub() -> None:
    code = "import sys, msm.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"torch", "numpy", "pyarrow", "huggingface_hub"} & set(process.stdout.split())


def test_help_of_any_command_loads_no_torch() -> None:
    code = "import sys, msm.cli.completion; msm.cli.completion.script('zsh'); print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"torch", "transformers"} & set(process.stdout.split())


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["evalute"], "evaluate"),
        (["run", "tyni"], "tiny"),
        (["run", "retreive"], "retrieve"),
        (["table", "x", "--resampels", "3"], "--resamples"),
        (["table", "x", "--format", "latec"], "latex"),
        (["recipe", "Demo"], "demo"),
    ],
)
def test_a_misspelt_word_is_refused_with_a_hint(words: list[str], nearest: str, refusal: Callable[..., str]) -> None:
    assert refusal(*words).endswith(f"; did you mean {nearest}?")


def test_words_of_flags_are_joined_either_way() -> None:
    parser = command.parser_of("corpus")
    assert parser.parse_args(["--time-limit", "1:00"]) == parser.parse_args(["--time_limit=1:00"])
    parser = command.parser_of("pipeline")
    words = ["submit", "benchmark", "--recipe", "r", "--image", "i", "--host", "h"]
    assert parser.parse_args([*words, "--token_file=f"]) == parser.parse_args([*words, "--token-file", "f"])


@pytest.fixture(scope="module")
def bash() -> str:
    return script("bash")


def completed(bash: str, words: list[str]) -> list[str]:
    """Answers of bash to a command line whose last word is not finished."""
    lines = [f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}; _msm", 'echo "${COMPREPLY[@]}"']
    text = "\n".join([bash, *lines])
    process = subprocess.run(["bash"], input=text, capture_output=True, text=True, check=True, cwd=ROOT)
    return process.stdout.split()


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (["msm", "eval"], ["evaluate"]),
        (["msm", "evaluate", "--batch"], ["--batch_tokens"]),
        (["msm", "evaluate", "--ties", "sta"], []),
        (["msm", "table", "--format", "la"], ["latex"]),
        (["msm", "run", "tin"], ["tiny"]),
        (["msm", "run", "tiny", "--side"], ["--side_by_side"]),
        (["msm", "run", "pretrain", "--msm.mu"], ["--msm.mu"]),
    ],
)
def test_bash_completes_commands_recipes_flags_and_values(bash: str, words: list[str], answers: list[str]) -> None:
    assert completed(bash, words) == answers


def test_a_recipe_of_the_package_is_found_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["recipe", "tiny"])
    RECIPES.mkdir()
    (RECIPES / "own.yaml").write_text("base: tiny\nseeds: [7]\n")
    main(["recipe", "own"])
    (RECIPES / "tiny.yaml").write_text("recipe: []\nseeds: 1\nnothing: 2\n")
    with pytest.raises(SystemExit):
        main(["recipe", "tiny"])
