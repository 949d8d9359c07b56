"""Which images of a set a contact sheet shows. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.synthetic.quality.measure import Listed
from tonegap.synthetic.quality.pictures import PER_CELL

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
