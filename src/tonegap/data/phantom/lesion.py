"""Draws lesions of an appearance: where they are, and how they change the skin's colour.

Every lesion is a chain of discs; a round one has one disc, a winding track many. All else follows
from the reach of a pixel: its distance to the nearest disc in units of that disc's radius, 0 in the
middle and 1 at the border.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonegap.colour import Lab
from tonegap.data.phantom.appearance import Appearance
from tonegap.data.phantom.noise import coordinates, smooth_noise, smoothstep

_FAR = np.float32(2.4)  # reach is cut here: nothing of a lesion is left beyond

_FLUSH: Lab = (-3.0, 9.0, 1.0)
_FLAKE: Lab = (20.0, -13.0, -5.0)
_VESSEL: Lab = (-10.0, 16.0, 3.0)
_DARK_PATCH: Lab = (-11.0, -2.0, -2.0)
_RED_PATCH: Lab = (2.0, 6.0, 0.0)

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lesions:
    """`offset` [3, h, w] in CIELAB at full contrast; `cover` [h, w], how much of a pixel is lesion."""

    offset: NDArray[np.float32]
    cover: Plane


@dataclass(frozen=True, slots=True)
class _Disc:
    x: float
    y: float
    radius: float
    stretch: float
    angle: float


def draw_lesions(rng: np.random.Generator, look: Appearance, size_px: int) -> Lesions:
    """Lesions that look like `look`, somewhere on a picture of `size_px` by `size_px` pixels."""
    discs = _place(rng, look)
    lamp = float(rng.uniform(0, 2 * np.pi))
    coarse, fine = smooth_noise(rng, size_px, 6, 5), smooth_noise(rng, size_px, 22, 4)
    flakes = smooth_noise(rng, size_px, 48)[0]
    radius = sum(disc.radius for disc in discs) / len(discs)
    reach = _reach(discs, coarse[:2] + np.float32(0.4) * fine[:2], look.irregularity * radius)
    width = max(1.2 * look.softness, 2 / (size_px * radius))
    cover = smoothstep((1 - reach) / np.float32(width) + np.float32(0.5))
    offset = np.zeros((3, size_px, size_px), np.float32)
    _colour(offset, look, cover, reach + np.float32(0.2) * coarse[2])
    _flush(offset, look.halo, cover, reach)
    _texture(offset, look, cover, (coarse[3], coarse[4], fine[2] + flakes, fine[3]))
    offset[0] += _shading(reach, radius, look.relief, lamp)
    return Lesions(offset, cover)


def _place(rng: np.random.Generator, look: Appearance) -> list[_Disc]:
    """The discs of all lesions of a picture; lesions keep apart from each other as they can."""
    count = max(1, round(rng.uniform(*look.count)))
    spread = min(0.22 + 0.13 * (count - 1), 0.78)
    zoom = rng.uniform(0.75, 1.2)
    centres = np.zeros((0, 2))
    discs: list[_Disc] = []
    for _ in range(count):
        tries = rng.uniform(-spread, spread, (6, 2))
        apart = np.linalg.norm(tries[:, None] - centres, axis=2)
        centre = tries[apart.min(axis=1, initial=9).argmax()]
        centres = np.vstack([centres, centre])
        radius = float(zoom * rng.uniform(*look.radius))
        discs += _chain(rng, look, centre, radius, look.track / count**0.5)
    return discs


def _chain(
    rng: np.random.Generator,
    look: Appearance,
    centre: NDArray[np.float64],
    radius: float,
    length: float,
) -> list[_Disc]:
    """One disc, or as many along a winding path of `length` as leave no hole in it."""
    stretch, heading = look.elongation * rng.uniform(0, 2), rng.uniform(0, 2 * np.pi)
    n = 1 + int(length / (0.6 * radius))
    if n == 1:
        return [_Disc(float(centre[0]), float(centre[1]), radius, stretch, heading)]
    # The heading swings like a meander's and drifts, so that the path winds and now and then loops.
    at = np.linspace(0, length, n)
    swing = rng.uniform(0.7, 1.4) * np.sin(2 * np.pi * at / rng.uniform(0.5, 0.9) + heading)
    headings = heading + swing + np.cumsum(rng.standard_normal(n)) * 1.2 * (length / n) ** 0.5
    path = np.cumsum(np.stack([np.cos(headings), np.sin(headings)], axis=1), axis=0) * length / n
    path = np.clip(path - path.mean(axis=0) + centre, -0.92, 0.92)
    return [_Disc(float(x), float(y), radius, 0.0, 0.0) for x, y in path]


def _reach(discs: list[_Disc], warp: NDArray[np.float32], amplitude: float) -> Plane:
    """Distance of every pixel to its nearest disc in radii; `warp` [2, h, w] frays the borders.

    Each disc is worked out only in the window that it can reach, as a track has a hundred of them.
    """
    size_px = warp.shape[1]
    x, y = (
        axis + np.float32(0.5 * amplitude) * w
        for axis, w in zip(coordinates(size_px), warp, strict=True)
    )
    reach = np.full((size_px, size_px), _FAR, np.float32)
    for disc in discs:
        half = disc.radius * float(_FAR) * (1 + disc.stretch) + 2 * amplitude
        rows, columns = _window(disc.y, half, size_px), _window(disc.x, half, size_px)
        dx, dy = x[rows, columns] - np.float32(disc.x), y[rows, columns] - np.float32(disc.y)
        cos, sin = np.float32(np.cos(disc.angle)), np.float32(np.sin(disc.angle))
        along = (dx * cos + dy * sin) * np.float32(1 / (disc.radius * (1 + disc.stretch)))
        across = (dy * cos - dx * sin) * np.float32(1 / disc.radius)
        np.minimum(reach[rows, columns], np.hypot(along, across), out=reach[rows, columns])
    return reach


def _window(centre: float, half: float, size_px: int) -> slice:
    """The pixels from `centre` - `half` to `centre` + `half`."""
    first = int((centre - half + 1) * size_px / 2)
    return slice(max(first, 0), max(int((centre + half + 1) * size_px / 2) + 1, 0))


def _add(offset: NDArray[np.float32], colour: Lab, where: Plane, strength: float = 1.0) -> None:
    for plane, c in zip(offset, colour, strict=True):
        plane += np.float32(c * strength) * where


def _colour(offset: NDArray[np.float32], look: Appearance, cover: Plane, frayed: Plane) -> None:
    _add(offset, look.body, cover)
    _add(offset, look.rim, cover * smoothstep((frayed - np.float32(0.6)) / np.float32(0.25)))
    if look.core_radius > 0:
        inside = (np.float32(look.core_radius) - frayed) / np.float32(0.2) + np.float32(0.5)
        _add(offset, look.core, cover * smoothstep(inside))


def _flush(offset: NDArray[np.float32], strength: float, cover: Plane, reach: Plane) -> None:
    if strength > 0:
        near = smoothstep((_FAR - reach) / np.float32(1.6))
        _add(offset, _FLUSH, near * (1 - cover), strength)


def _texture(
    offset: NDArray[np.float32], look: Appearance, cover: Plane, noise: tuple[Plane, ...]
) -> None:
    """Patches, flakes and vessels within the lesion; `noise` is two coarse fields and two fine."""
    patch, blush, flake, branch = noise
    if look.variegation > 0:
        _add(offset, _DARK_PATCH, cover * np.maximum(patch, 0), look.variegation)
        _add(offset, _RED_PATCH, cover * np.maximum(blush, 0), look.variegation)
    if look.scale > 0:
        flakes = smoothstep((flake + np.float32(0.7) * patch + np.float32(0.3)) / np.float32(2.4))
        _add(offset, _FLAKE, cover * flakes, look.scale)
    if look.vessels > 0:
        distance: Plane = np.abs(branch)
        branches = smoothstep(distance / np.float32(-0.3) + np.float32(1.2))
        _add(offset, _VESSEL, cover * branches, look.vessels)


def _shading(reach: Plane, radius: float, relief: float, lamp: float) -> Plane:
    """Change of L* where a dome faces the lamp or turns away from it."""
    height = np.sqrt(np.maximum(1 - reach * reach, 0)) * np.float32(min(radius, 0.3) * relief)
    down, right = np.gradient(height, np.float32(2 / reach.shape[0]))
    slope = down * np.float32(np.sin(lamp)) + right * np.float32(np.cos(lamp))
    shade: Plane = np.clip(slope, -1, 1.4) * np.float32(9)
    return shade
