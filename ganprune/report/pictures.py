"""Before and after: the original's picture and the slim generator's in one place, with a slider between."""

import base64
import io
from collections.abc import Sequence

from PIL import Image

from ganprune.figures import Pixels
from ganprune.figures.of_run import PictureComparison
from ganprune.report.html import Html, tag

LARGEST = 512
"""Pictures of more pixels a side are made smaller, so that a page stays small."""
_QUALITY = 90


def data_uri(pixels: Pixels) -> str:
    """A picture, uint8 [h, w, 3], as a JPEG within an address."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture_rows(comparisons: Sequence[PictureComparison]) -> Html:
    """A heading a direction, then a row a picture: the input, and both translations under a slider."""
    parts: list[Html] = []
    for side in dict.fromkeys(comparison.side for comparison in comparisons):
        rows = [row for row in comparisons if row.side == side]
        parts.append(tag("h3", f"G_{side}: domain {side} to {'B' if side == 'A' else 'A'}"))
        cards = [_card(row, i + 1) for i, row in enumerate(rows)]
        parts.append(tag("div", *cards, class_="pictures"))
    return tag("div", *parts)


def _card(row: PictureComparison, number: int) -> Html:
    what = f"picture {number} of domain {row.side}"
    slider = tag(
        "div",
        tag("img", class_="before", src=data_uri(row.original), alt=f"{what} by the original network"),
        tag("img", class_="after", src=data_uri(row.slim), alt=f"{what} by the slim network"),
        tag("span", "original", class_="mark left"),
        tag("span", "slim", class_="mark right"),
        tag("input", type="range", min="0", max="100", value="50", step="1",
            aria_label=f"{what}: how much of it is the original's"),
        class_="compare",
    )  # fmt: skip
    small = [_small(row.input, "input", what)]
    if row.untuned is not None:
        small.append(_small(row.untuned, "slim before fine-tuning", what))
    return tag("div", slider, tag("div", *small, class_="small"), class_="card")


def _small(pixels: Pixels, caption: str, what: str) -> Html:
    image = tag("img", src=data_uri(pixels), alt=f"{what}: {caption}")
    return tag("figure", image, tag("figcaption", caption))
