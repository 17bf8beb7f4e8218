"""Times several ways to one result in turn, so that a noisy machine disturbs all of them alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

PEAKS = {"H100": 790e12, "H200": 790e12, "A100": 312e12}
"""Floating-point operations a second that a GPU can reach in dense bf16 products, by a part of its name."""


def race(
    name: str, ours: Callable[[], Any], theirs: Callable[[], Any], pairs: int, flop: float = 0.0, **facts: Any
) -> dict[str, Any]:
    """Return how many times faster `ours` is than `theirs`.

    Args:
        name: name of the comparison.
        ours: function that does the work once; it is called once before the clock runs.
        theirs: function that does the same work the usual way.
        pairs: number of timed pairs of calls; `ours` goes first in every second pair.
        flop: floating-point operations of one call of `ours`, those of real tokens only; 0 if not counted.
        facts: further values of the row.

    Returns:
        `name`, `ratio` (median over pairs), `spread` (half the distance of the quartiles), `pairs`, the facts,
        `seconds` (median of `ours`), `threads`, and on a GPU whose peak is known `mfu`, the share of it that `ours`
        reaches.
    """
    ours()
    theirs()
    ratios, seconds = [], []
    gc.disable()
    for number in range(pairs):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        times = {first: _seconds(first), second: _seconds(second)}
        ratios.append(times[theirs] / times[ours])
        seconds.append(times[ours])
    gc.enable()
    low, middle, high = statistics.quantiles(ratios, n=4) if pairs > 1 else ratios * 3
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    peak = next((value for gpu, value in PEAKS.items() if gpu in device), 0.0)
    return {
        "name": name,
        "ratio": round(middle, 3),
        "spread": round((high - low) / 2, 3),
        "pairs": pairs,
        **facts,
        "seconds": round(statistics.median(seconds), 4),
        "threads": torch.get_num_threads(),
        **({"mfu": round(flop / statistics.median(seconds) / peak, 3)} if flop and peak else {}),
        "device": device,
    }


def turns(
    name: str, ours: Callable[[], Any], peers: Mapping[str, Callable[[], Any]], rounds: int
) -> list[dict[str, Any]]:
    """Return how many times faster `ours` is than each of several other ways.

    Args:
        name: name of the comparison.
        ours: function that does the work once. No way is called before the clock runs: call each of them first.
        peers: name of each other way to the function that does the same work.
        rounds: number of rounds. Every way is called once in each round; which one begins changes in turn.

    Returns:
        One row for each other way, of `name`, `against`, `ratio` (median over rounds), `spread` (half the distance of
        the quartiles), `seconds` (median of `ours`), `rounds` and the device.
    """
    sides = {"": ours, **peers}
    times: dict[str, list[float]] = {side: [] for side in sides}
    names = list(sides)
    gc.disable()
    for number in range(rounds):
        first = number % len(names)
        for side in names[first:] + names[:first]:
            times[side].append(_seconds(sides[side]))
    gc.enable()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    rows = []
    for side in peers:
        ratios = [their / own_seconds for their, own_seconds in zip(times[side], times[""], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if rounds > 1 else ratios * 3
        row = {"name": name, "against": side, "ratio": round(middle, 3), "spread": round((high - low) / 2, 3)}
        rows.append(row | {"seconds": round(statistics.median(times[""]), 3), "rounds": rounds, "device": device})
    return rows


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
