"""Refuses, before a model is loaded, bitext and language vectors for models without one vector for each text."""

from pathlib import Path

from msm.collections.registry import find_bitext
from msm.encoders.model_files import KINDS, OTHER_KINDS, model_kind
from msm.errors import BadInput


def check_kind(model: Path, benchmark: str, language_vectors: str) -> None:
    """Refuse what only models with one vector for each text can do.

    Args:
        model: folder of the model.
        benchmark: reference of the benchmark.
        language_vectors: kind of language vectors; see `msm.retrieval.settings.Retrieve`.

    Raises:
        BadInput: the model is of another kind.
    """
    kind = model_kind(model)
    if kind in OTHER_KINDS and find_bitext(benchmark):
        raise BadInput(f"{model}: {KINDS[kind]}; {benchmark} is mined by one vector a text")
    if kind in OTHER_KINDS and language_vectors != "none":
        raise BadInput(f"{model}: {KINDS[kind]}; --language_vectors are taken off one vector a text")
