"""Draws what lies on or beside the skin in clinical photographs and means nothing for the class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tonegap.colour import Lab
from tonegap.data.phantom.noise import coordinates, smooth_noise, smoothstep

_FINER = 3  # strokes are drawn this much larger and averaged, which smooths their edges

_INKS: tuple[Lab, ...] = ((28, 34, -52), (34, 10, -40), (18, 2, -6), (38, -30, 12))
_CLOTHS: tuple[Lab, ...] = (
    (24, 4, -22),
    (46, -22, 4),
    (62, -8, -14),
    (10, 0, 0),
    (86, 0, 3),
    (55, 1, 6),
)

Plane = NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layer:
    """A colour [3, h, w] or [3, 1, 1] in CIELAB, and how much of it a pixel gets, `cover` [h, w]."""

    colour: NDArray[np.float32]
    cover: Plane

    def paint(self, lab: NDArray[np.float32]) -> NDArray[np.float32]:
        """The picture [3, h, w] with this layer over it."""
        painted: NDArray[np.float32] = lab + self.cover * (self.colour - lab)
        return painted


class _Sheet:
    """A transparent sheet to draw lines on, in the coordinates of a picture (-1 to 1)."""

    def __init__(self, size_px: int) -> None:
        self._side = size_px * _FINER
        self._image = Image.new("L", (self._side, self._side))
        self._pen = ImageDraw.Draw(self._image)

    def _pixels(self, points: list[Point]) -> list[Point]:
        return [((x + 1) * self._side / 2, (y + 1) * self._side / 2) for x, y in points]

    def line(self, points: list[Point], width: float) -> None:
        thick = max(1, round(width * self._side / 2))
        self._pen.line(self._pixels(points), fill=255, width=thick, joint="curve")

    def area(self, points: list[Point]) -> None:
        self._pen.polygon(self._pixels(points), fill=255)

    def cover(self) -> Plane:
        return np.asarray(self._image.reduce(_FINER), dtype=np.float32) / np.float32(255)


def hairs(rng: np.random.Generator, size_px: int, skin: NDArray[np.float32]) -> Layer:
    """A few to some dozen hairs that lie roughly one way, darker than the skin `skin` (L*, a*, b*)."""
    sheet = _Sheet(size_px)
    way, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.007, 0.014)
    for _ in range(int(3 + rng.exponential(9))):
        x, y = rng.uniform(-1.1, 1.1, 2)
        sheet.line(_arc(rng, (x, y), way + rng.normal(0, 0.35), rng.uniform(0.25, 0.9)), width)
    dark = min(rng.uniform(8, 45), 0.7 * float(skin[0]))
    return Layer(_flat((dark, 4, 0.25 * dark)), sheet.cover() * np.float32(rng.uniform(0.5, 0.9)))


def _arc(rng: np.random.Generator, start: Point, heading: float, length: float) -> list[Point]:
    bend = np.linspace(0, 1, 7) * rng.normal(0, 0.7)
    x = start[0] + np.cumsum(np.cos(heading + bend)) * length / 7
    y = start[1] + np.cumsum(np.sin(heading + bend)) * length / 7
    return [start, *zip(x.tolist(), y.tolist(), strict=True)]


def pen_marks(rng: np.random.Generator, size_px: int) -> Layer:
    """A surgeon's pen: a circle with gaps around the middle, or dots and dashes beside it."""
    sheet = _Sheet(size_px)
    width, radius = rng.uniform(0.025, 0.05), rng.uniform(0.55, 0.85)
    cx, cy = rng.uniform(-0.15, 0.15, 2)
    turn = rng.uniform(0, 2 * np.pi)
    pieces = int(rng.integers(1, 5))
    sweep = 2 * np.pi / pieces * rng.uniform(0.25, 0.85)
    for i in range(pieces):
        angles = turn + i * 2 * np.pi / pieces + np.linspace(0, sweep, 16)
        wobble = radius + 0.012 * np.cumsum(rng.standard_normal(16))
        x, y = cx + wobble * np.cos(angles), cy + wobble * np.sin(angles)
        sheet.line(list(zip(x.tolist(), y.tolist(), strict=True)), width)
    ink = _INKS[rng.integers(len(_INKS))]
    return Layer(_flat(ink), sheet.cover() * np.float32(rng.uniform(0.65, 0.95)))


def ruler(rng: np.random.Generator, size_px: int) -> tuple[Layer, Layer]:
    """A paper ruler along one side, slightly askew, and the ink of its ticks."""
    paper, ink = _Sheet(size_px), _Sheet(size_px)
    depth, tilt = rng.uniform(0.16, 0.3), rng.normal(0, 0.05)
    quarter, step = int(rng.integers(4)), rng.uniform(0.05, 0.09)

    def turned(points: list[Point]) -> list[Point]:
        for _ in range(quarter):
            points = [(-y, x) for x, y in points]
        return points

    edge = 1 - depth
    paper.area(turned([(-1.2, edge - tilt), (1.2, edge + tilt), (1.2, 1.2), (-1.2, 1.2)]))
    for i, x in enumerate(np.arange(-1.2, 1.2, step).tolist()):
        top = edge + tilt * x / 1.2 + 0.01
        long = (0.6 if i % 10 == 0 else 0.45 if i % 5 == 0 else 0.28) * depth
        ink.line(turned([(x, top), (x, top + long)]), 0.012)
    white = _flat((rng.uniform(80, 94), rng.normal(0, 1), rng.uniform(-2, 8)))
    return Layer(white, paper.cover()), Layer(_flat((18, 0, -2)), ink.cover() * np.float32(0.85))


def backdrop(rng: np.random.Generator, size_px: int) -> Layer:
    """Cloth or a wall behind the limb's edge, in a corner or along a side."""
    x, y = coordinates(size_px)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    across = y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))
    start = abs(np.cos(angle)) + abs(np.sin(angle)) - rng.uniform(0.18, 0.5)
    edge = along - np.float32(start) - np.float32(rng.normal(0, 0.12)) * across * across
    cloth = _CLOTHS[rng.integers(len(_CLOTHS))]
    folds = np.float32(rng.uniform(1, 5)) * smooth_noise(rng, size_px, 5)[0]
    colour = np.broadcast_to(_flat(cloth), (3, size_px, size_px)).copy()
    colour[0] += folds
    return Layer(colour, smoothstep(edge / np.float32(0.04) + np.float32(0.5)))


def _flat(colour: Lab) -> NDArray[np.float32]:
    return np.array(colour, dtype=np.float32)[:, None, None]
