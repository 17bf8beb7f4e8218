"""Reports how the time of a chain of tasks was spent."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

LONGEST = 5
"""Tasks that are named one by one."""


class Span(NamedTuple):
    """The time of one task, in seconds after the chain began."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


def time_lines(times: Mapping[str, Span]) -> Iterator[str]:
    """Lines of a table: every stage with its share, the longest tasks, and how much ran side by side.

    Args:
        times: times of tasks by name, such as `pretrain/msm-1`.
    """
    if not times:
        yield "nothing was run"
        return
    whole = sum(span.seconds for span in times.values())
    by_stage: dict[str, list[float]] = {}
    for name, span in times.items():
        by_stage.setdefault(name.partition("/")[0], []).append(span.seconds)
    yield f"{'stage':24}{'tasks':>6}{'seconds':>10}{'share':>8}"
    for stage, seconds in sorted(by_stage.items(), key=lambda pair: -sum(pair[1])):
        yield f"{stage:24}{len(seconds):>6}{sum(seconds):>10.1f}{sum(seconds) / max(whole, 1e-9):>8.0%}"
    clock = max(span.end for span in times.values()) - min(span.begin for span in times.values())
    yield f"{whole:.1f} s of tasks in {clock:.1f} s: {whole / max(clock, 1e-9):.1f} side by side"
    longest = sorted(times.items(), key=lambda pair: -pair[1].seconds)[:LONGEST]
    yield "longest: " + ", ".join(f"{name} {span.seconds:.1f} s" for name, span in longest)
