"""Benchmark platform for cross-lingual dense retrieval."""

import importlib
from typing import Any

LAZY = {
    "__version__": "msm.version",
    "example": "msm.examples",
    "load_encoder": "msm.encoders.loading",
    "evaluate": "msm.verbs.evaluate",
    "Evaluation": "msm.verbs.evaluate",
    "mine": "msm.verbs.mine",
    "rerank": "msm.verbs.rerank",
    "score": "msm.verbs.score",
    "score_on_benchmark": "msm.verbs.score",
    "compare": "msm.verbs.compare",
    "run": "msm.verbs.run",
    "report": "msm.verbs.report",
    "fuse": "msm.verbs.fuse",
    "score_answers": "msm.verbs.score_answers",
    "reproduce": "msm.verbs.reproduce",
}
"""Public name to the module that has it; imported when the name is first used, so that `import msm` stays light. Type
checkers read the same names in `__init__.pyi`."""


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used."""
    if name not in LAZY:
        raise AttributeError(f"module 'msm' has no attribute {name!r}")
    return getattr(importlib.import_module(LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *LAZY])
