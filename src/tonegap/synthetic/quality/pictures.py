"""Contact sheets that a person can look at: images of each class and tone, and pairs of neighbours. Pure."""

import io
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tonegap.synthetic.quality.measure import Listed

Thumb = NDArray[np.uint8]
PER_CELL = 3
ROWS = ("synthetic", "training")
_INK, _MUTED, _PAPER, _EMPTY = "#1d1f22", "#5c6066", "#ffffff", "#f0efec"
_LEFT, _TOP, _GAP, _LINE = 150, 34, 12, 2
_SIZE, _SMALL = 14, 11
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class ContactCell:
    """What is shown of one class and tone: up to three synthetic images, and real ones below them."""

    synthetic: tuple[Thumb, ...] = ()
    real: tuple[Thumb, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A synthetic image above the real one that is nearest to it, and what is written below."""

    synthetic: Thumb
    real: Thumb
    text: str


def contact_sheet(
    labels: Sequence[str],
    tones: Sequence[str],
    cells: Mapping[tuple[str, str], ContactCell],
    thumb_px: int,
) -> bytes:
    """A JPEG picture: a row for each label, a column for each tone, synthetic above real images."""
    wide = PER_CELL * thumb_px + (PER_CELL - 1) * _LINE
    high = 2 * thumb_px + _LINE
    size = (
        _LEFT + len(tones) * (wide + _GAP),
        _TOP + len(labels) * (high + _GAP),
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, tone in enumerate(tones):
        draw.text((_LEFT + column * (wide + _GAP), 8), f"tone {tone}", _INK, _font(_SIZE))
    for row, label in enumerate(labels):
        y = _TOP + row * (high + _GAP)
        _row_label(draw, label, y, thumb_px)
        for column, tone in enumerate(tones):
            x = _LEFT + column * (wide + _GAP)
            cell = cells.get((label, tone), ContactCell())
            _strip(sheet, cell.synthetic, (x, y), thumb_px)
            _strip(sheet, cell.real, (x, y + thumb_px + _LINE), thumb_px)
    return _jpeg(sheet)


def pair_sheet(pairs: Sequence[ShownPair], thumb_px: int) -> bytes:
    """A JPEG picture of pairs side by side."""
    step = thumb_px + 4 * _GAP
    sheet = Image.new("RGB", (_LEFT // 2 + len(pairs) * step, 2 * thumb_px + 50), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, text in enumerate(ROWS):
        draw.text((2, row * (thumb_px + _LINE) + thumb_px // 2 - 8), text, _MUTED, _font(_SMALL))
    for column, pair in enumerate(pairs):
        x = _LEFT // 2 + column * step
        for row, thumb in enumerate((pair.synthetic, pair.real)):
            sheet.paste(Image.fromarray(thumb), (x, row * (thumb_px + _LINE)))
        draw.multiline_text((x, 2 * thumb_px + 8), pair.text, _INK, _font(_SMALL))
    return _jpeg(sheet)


def _row_label(draw: ImageDraw.ImageDraw, label: str, y: int, thumb_px: int) -> None:
    lines = textwrap.wrap(label, 19)[:3] or [label]
    draw.multiline_text((0, y), "\n".join(lines), _INK, _font(_SIZE - 1))
    for row, text in enumerate(ROWS):
        place = (_LEFT - 10, y + row * (thumb_px + _LINE) + thumb_px - 4)
        draw.text(place, text, _MUTED, _font(_SMALL), anchor="rs")


def _strip(
    sheet: Image.Image, thumbs: Sequence[Thumb], place: tuple[int, int], thumb_px: int
) -> None:
    """Images side by side; an empty place shows that there is none."""
    for i in range(PER_CELL):
        x = place[0] + i * (thumb_px + _LINE)
        if i < len(thumbs):
            sheet.paste(Image.fromarray(thumbs[i]), (x, place[1]))
        else:
            sheet.paste(_EMPTY, (x, place[1], x + thumb_px, place[1] + thumb_px))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY, subsampling=0)
    return content.getvalue()


UNKNOWN = "unknown"
MAX_LABELS = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """Labels and tones of a contact sheet, and for each pair the rows of synthetic and real images."""

    labels: tuple[str, ...]
    tones: tuple[str, ...]
    rows: dict[tuple[str, str], tuple[tuple[int, ...], tuple[int, ...]]]
    caption: str


def shown_images(real: Listed, made: Listed, classes: Sequence[str], tones: Sequence[str]) -> Shown:
    """Up to three synthetic and three real images of each class and tone, evenly taken, no choice."""
    counts = Counter(made.labels)
    most = {label for label, _ in counts.most_common(MAX_LABELS)}
    labels = tuple(label for label in classes if label in most)
    asked = {tone or UNKNOWN for tone in made.tones}
    columns = tuple(tone for tone in (*tones, UNKNOWN) if tone in asked)
    rows = {
        (label, tone): (_some(made, label, tone), _some(real, label, tone))
        for label in labels
        for tone in columns
    }
    caption = (
        "Columns: tone asked for. Above: up to three synthetic images of a class and tone, evenly "
        "taken from all of them; below: as many training images of that class and tone."
    )
    if len(counts) > len(labels):
        caption += f" The {len(labels)} classes with most synthetic images, of {len(counts)}."
    return Shown(labels, columns, rows, caption)


def _some(listed: Listed, label: str, tone: str) -> tuple[int, ...]:
    rows = [
        i
        for i, (y, t) in enumerate(zip(listed.labels, listed.tones, strict=True))
        if y == label and (t or UNKNOWN) == tone
    ]
    if len(rows) <= PER_CELL:
        return tuple(rows)
    return tuple(rows[int(i)] for i in np.linspace(0, len(rows) - 1, PER_CELL))
