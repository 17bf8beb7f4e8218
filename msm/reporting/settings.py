"""Settings of the stage `report`."""

from dataclasses import dataclass
from typing import Annotated

from msm.settings import Between, Count, Settings

DOCUMENT, TABLE = "report.md", "table.txt"
"""Names of the files of a report: all tables with their notes in Markdown, and the first tables as text."""
HEATMAP, ABLATIONS, SCALING, TRADE = "heatmap-{}.svg", "ablations-{}.svg", "scaling-{}.svg", "trade-{}.svg"
"""Templates of the names of pictures, with `{}` for the benchmark."""


@dataclass(frozen=True, kw_only=True)
class Report(Settings):
    """Makes the tables and the report of a recipe from its scores."""

    recipe: str
    """Name of the recipe."""
    controls: str
    """Names of the control models, separated by commas, with which all other models are compared. The weakest comes
    first, such as `untrained, mlm`."""
    bootstrap: Annotated[int, Between(100)] = 1000
    """Number of bootstrap resamples of the questions from which every interval is computed."""
    seed: Count = 1
    """Seed of the generator that draws the resamples."""
