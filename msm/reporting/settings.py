"""Settings of the stage `report`."""

from dataclasses import dataclass
from typing import Annotated

from msm.settings import Between, Count, Settings


@dataclass(frozen=True, kw_only=True)
class Report(Settings):
    """Score files of a recipe to tables."""

    recipe: str
    """Name of the recipe."""
    controls: str
    """Models that every other one is compared with, with commas; the floor first, such as `untrained, mlm`."""
    bootstrap: Annotated[int, Between(100)] = 1000
    """Resamples of the questions behind every interval."""
    seed: Count = 1
    """Seed of the resamples."""
