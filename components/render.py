"""Write every rendering of the stage table, or check that the committed ones are in step."""

import sys
from collections.abc import Callable
from pathlib import Path

from components import dvc_pipeline

RENDERINGS: dict[str, Callable[[], str]] = {
    "dvc.yaml": dvc_pipeline.render,
    "params.yaml": lambda: Path("recipes/demo.yaml").read_text(encoding="utf-8"),
}


def main() -> None:
    """Write the files; with `--check` only compare, and exit 1 when one differs."""
    stale = [name for name, text in RENDERINGS.items() if _read(name) != text()]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"{name} is out of step: run `python -m components.render`\n")
        sys.exit(bool(stale))
    for name in stale:
        Path(name).write_text(RENDERINGS[name](), encoding="utf-8")


def _read(name: str) -> str:
    path = Path(name)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    main()
