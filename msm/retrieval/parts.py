"""Decides which retrievals can be split over pods, each a part of the passages (`--part I/N`)."""

from msm.collections.registry import find_bitext
from msm.retrieval.settings import Retrieve
from msm.settings import Settings


def refusal(settings: Settings) -> str:
    """Return why a stage cannot be split into parts; empty where it can."""
    if not isinstance(settings, Retrieve):
        return "retrieve alone is split into parts"
    if find_bitext(settings.benchmark):
        return f"{settings.benchmark} is bitext, which is mined as a whole"
    if settings.language_vectors == "own" and not settings.language_sentences:
        return "each part would encode all passages for language_vectors own; give language_sentences"
    return ""
