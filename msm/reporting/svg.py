"""Pictures in SVG, of plain shapes and text, without a plotting library."""

from collections.abc import Iterable

from msm.reporting.wording import escaped

INK = "#1a1d21"
STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI','Noto Sans',sans-serif;font-size:13px}"
    ".title{font-size:17px;font-weight:600}.faint{fill:#5f6670}.small{font-size:11px}.bold{font-weight:600}"
)


def document(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """Return a picture on a white ground.

    Args:
        width: width in pixels.
        height: height in pixels.
        title: title for readers that are shown no pictures.
        parts: elements of the picture.
    """
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escaped(title)}">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", ground, *parts, "</svg>", ""])


def text(left: float, base: float, words: str, *, style: str = "", anchor: str = "start", fill: str = INK) -> str:
    """Return a line of text.

    Args:
        left: distance of the anchor from the left, in pixels.
        base: distance of the base line from the top, in pixels.
        words: text, which is escaped.
        style: classes, of `title`, `faint`, `small` and `bold`, with blanks between.
        anchor: part of the text that is at `left`: start, middle or end.
        fill: colour of text that is not faint.
    """
    kind = f' class="{style}"' if style else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    paint = "" if "faint" in style else f' fill="{fill}"'
    return f'<text x="{left:g}" y="{base:g}"{kind}{place}{paint}>{escaped(words)}</text>'
