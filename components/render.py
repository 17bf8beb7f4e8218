"""Writes all files that are rendered from the code, or checks that the committed ones are up to date."""

import inspect
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from msm.cli import main as command
from msm.components import dvc_pipeline
from msm.components.clusters import A100
from msm.components.corpus_job import TOKENIZER, CorpusPlan, job_text
from msm.pipeline import recipes
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import tasks
from msm.settings import Setting, base_type, flat

SETTINGS_HEAD = """\
# Settings

Rendered from the settings classes by `python -m msm.components.render`; never edited. `msm run STAGE --help` shows the
same texts. In a recipe, the settings of a stage stand in the section of its name (those of `world` and `download` in
`source.settings`, those of `pairs` and `teach` in `pairs`). A dot is a nested section: `msm.mu` of `pretrain` is
written `pretrain: {msm: {mu: 0.5}}`. A setting without a default must be given.
"""
IMAGE = f"registry.example.org/msm@sha256:{'0' * 64}"


def _pipeline() -> str:
    """Return the file that `msm pipeline compile benchmark --recipe tiny` writes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pipeline.yaml"
        command.main(["pipeline", "compile", "benchmark", "--recipe", "tiny", "--image", IMAGE, "--out", str(out)])
        return out.read_text(encoding="utf-8")


def _dvc() -> str:
    """Return the demo's pipeline for DVC; `msm recipe NAME --dvc` renders other recipes."""
    path = Path("recipes/demo.yaml")
    all_tasks = tasks(recipes.load(path), str(path))
    return dvc_pipeline.render(path, all_tasks, command="`python -m msm.components.render`")


def _corpus_job() -> str:
    """Return the file that `msm corpus-job recipes/corpus/common_crawl.yaml --pods 4 --job FILE` writes."""
    recipe = Path("recipes/corpus/common_crawl.yaml")
    return job_text(CorpusPlan(recipe, "s3://corpora/cc-108", TOKENIZER, 4, A100, IMAGE))


def _settings() -> str:
    """Return the page of all settings, from the same texts as the help of the command line."""
    parts = [SETTINGS_HEAD]
    for name, stage in STAGES.items():
        parts.append(f"\n## {name}\n\n{inspect.getdoc(stage.settings)}\n\n| setting | meaning | values | default |\n")
        parts.append("|---|---|---|---|\n")
        parts += [_row(setting) for setting in flat(stage.settings)]
    return "".join(parts)


def _row(setting: Setting) -> str:
    kind = base_type(setting.hint).__name__
    default = "" if setting.default is None else f"`{setting.default}`" if setting.default != "" else "empty"
    cells = (f"`{setting.name}`", setting.meaning, setting.allowed or kind, default)
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |\n"


RENDERINGS: dict[str, Callable[[], str]] = {
    "dvc.yaml": _dvc,
    "docs/settings.md": _settings,
    "manifests/rendered/benchmark-tiny.yaml": _pipeline,
    "manifests/rendered/corpus-job.yaml": _corpus_job,
}


def main() -> None:
    """Write the files; with `--check`, compare them only, and exit with 1 when one differs."""
    stale = [name for name, text in RENDERINGS.items() if _read(name) != text()]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"{name} is out of step: run `python -m msm.components.render`\n")
        sys.exit(bool(stale))
    for name in stale:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(RENDERINGS[name](), encoding="utf-8")


def _read(name: str) -> str:
    path = Path(name)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    main()
