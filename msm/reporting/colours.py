"""Colours of a heat map from dark to bright, which colour-blind people and grey print can tell apart, too."""

from typing import NamedTuple

STOPS = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")
"""Ten colours of the viridis map (van der Walt and Smith, CC0), whose lightness rises in even steps."""


class Colour(NamedTuple):
    """Fill of a cell and the colour of the text on it, as `#rrggbb`."""

    fill: str
    text: str


def colour(value: float, low: float, high: float) -> Colour:
    """Return the colour of a value on a scale from `low` (dark) to `high` (bright), or that of the nearer end."""
    share = (value - low) / (high - low) if high > low else 0.5
    place = min(max(share, 0.0), 1.0) * (len(STOPS) - 1)
    below = min(int(place), len(STOPS) - 2)
    first, second = _channels(STOPS[below]), _channels(STOPS[below + 1])
    channels = [round(a + (b - a) * (place - below)) for a, b in zip(first, second, strict=True)]
    return Colour("#" + "".join(f"{channel:02x}" for channel in channels), _text_on(channels))


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as WCAG 2 defines it."""
    brighter, darker = sorted((_luminance(_channels(first)), _luminance(_channels(second))), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _text_on(channels: list[int]) -> str:
    fill = "#" + "".join(f"{channel:02x}" for channel in channels)
    return max(("#ffffff", "#000000"), key=lambda text: contrast(fill, text))


def _channels(text: str) -> list[int]:
    return [int(text[start : start + 2], 16) for start in (1, 3, 5)]


def _luminance(channels: list[int]) -> float:
    shares = [channel / 255 for channel in channels]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
