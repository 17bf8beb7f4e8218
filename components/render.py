"""Write every rendering of the stage table, or check that the committed ones are in step."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from msm.cli import pipeline as pipeline_command
from msm.cli.corpus_job import TOKENIZER
from msm.components import dvc_pipeline
from msm.components.clusters import A100
from msm.components.corpus_job import CorpusPlan, job_text

IMAGE = f"registry.example.org/msm@sha256:{'0' * 64}"


def _pipeline() -> str:
    """What `msm pipeline compile benchmark --recipe tiny` writes."""
    parser = argparse.ArgumentParser()
    pipeline_command.add_arguments(parser)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pipeline.yaml"
        words = ["compile", "benchmark", "--recipe", "tiny", "--image", IMAGE, "--out", str(out)]
        pipeline_command.main(parser.parse_args(words))
        return out.read_text(encoding="utf-8")


def _corpus_job() -> str:
    """What `msm corpus-job recipes/corpus/common_crawl.yaml --pods 4 --job FILE` writes."""
    recipe = Path("recipes/corpus/common_crawl.yaml")
    return job_text(CorpusPlan(recipe, "s3://corpora/cc-108", TOKENIZER, 4, A100, IMAGE))


RENDERINGS: dict[str, Callable[[], str]] = {
    "dvc.yaml": dvc_pipeline.render,
    "params.yaml": lambda: Path("recipes/demo.yaml").read_text(encoding="utf-8"),
    "manifests/rendered/benchmark-tiny.yaml": _pipeline,
    "manifests/rendered/corpus-job.yaml": _corpus_job,
}


def main() -> None:
    """Write the files; with `--check` only compare, and exit 1 when one differs."""
    stale = [name for name, text in RENDERINGS.items() if _read(name) != text()]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"{name} is out of step: run `python -m components.render`\n")
        sys.exit(bool(stale))
    for name in stale:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(RENDERINGS[name](), encoding="utf-8")


def _read(name: str) -> str:
    path = Path(name)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    main()
