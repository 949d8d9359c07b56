"""Draws bare skin of a skin type in CIELAB, and the light it is seen in.

The types are ranges of the individual typology angle (ITA) with gaps between them, so that the tone of a picture can
be measured back: light and marks move single pixels, and the median hardly ever out of the type's range.
"""

import numpy as np
from numpy.typing import NDArray

from tonegap.data.phantom.noise import coordinates, smooth_noise, smoothstep
from tonegap.tones import tone_index

# Individual typology angle in degrees of the types I to VI. Each range lies within one of the six colour classes
# (borders at 55, 41, 28, 10 and -30) of Del Bino and Bernerd, Br J Dermatol 2013; that the classes
# follow the Fitzpatrick types is a convention of this phantom, not a measurement.
ANGLES = ((58.0, 68.0), (43.0, 54.0), (30.0, 40.0), (12.0, 26.0), (-26.0, 6.0), (-62.0, -34.0))
_LIGHTNESS = (18.0, 82.0)
_MARGIN = 1.5  # degrees kept from both ends of a range, for the light to take


def skin_colour(rng: np.random.Generator, skin_type: str) -> NDArray[np.float32]:
    """L*, a*, b* of one person's skin: an angle of the type's range, and a yellow and red to it."""
    i = tone_index(skin_type)
    low, high = ANGLES[i]
    angle = np.radians(rng.uniform(low + _MARGIN, high - _MARGIN))
    yellow = rng.uniform(9, 16) if i >= 4 else rng.uniform(13, 19)
    lightness = np.clip(50 + yellow * np.tan(angle), *_LIGHTNESS)
    return np.array([lightness, rng.uniform(7, 12), yellow], dtype=np.float32)


def bare_skin(
    rng: np.random.Generator, colour: NDArray[np.float32], size_px: int
) -> NDArray[np.float32]:
    """L*, a*, b* planes [3, size_px, size_px] of skin with mottling, creases and pores."""
    mottle = smooth_noise(rng, size_px, 4, 3) + np.float32(0.6) * smooth_noise(rng, size_px, 11, 3)
    mottle -= np.median(mottle, axis=(1, 2), keepdims=True)
    spread = np.array([1.1, 0.9, 0.6], np.float32)
    lab = np.asarray(colour[:, None, None] + mottle * spread[:, None, None], np.float32)
    coarse, fine = smooth_noise(rng, size_px, 22)[0], smooth_noise(rng, size_px, 44, 2)
    # A field's sign changes along closed lines: its absolute value is a net of valleys.
    creases = np.abs(coarse + np.float32(0.6) * fine[0]) - np.float32(0.9)
    pores = smoothstep(fine[1] - np.float32(1.4))
    depth = np.float32(rng.uniform(0.7, 2.4))
    texture = np.minimum(creases, np.float32(0.3)) - 2 * pores
    lab[0] += depth * (texture - np.median(texture))
    return lab


def mark_skin(rng: np.random.Generator, lab: NDArray[np.float32], mean: float) -> None:
    """Adds moles, freckles and flushes, `mean` of them on the average, that no class has."""
    x, y = coordinates(lab.shape[1])
    for _ in range(int(rng.poisson(mean))):
        cx, cy = rng.uniform(-0.95, 0.95, 2)
        flush = rng.random() < 0.4
        radius = rng.uniform(0.12, 0.4) if flush else rng.uniform(0.02, 0.06)
        colour = (-2.0, 6.0, 1.0) if flush else (-12.0, 3.0, 4.0)
        reach = np.hypot(x - cx, y - cy) / np.float32(radius)
        # On dark skin a mole has less room below it, as melanin already takes the light.
        strength = np.float32(rng.uniform(0.4, 1) * lab[0].mean() / 80)
        shape = strength * smoothstep(np.float32(1.3) - reach)
        for plane, offset in zip(lab, colour, strict=True):
            plane += np.float32(offset) * shape


def light(
    rng: np.random.Generator,
    lab: NDArray[np.float32],
    skin: NDArray[np.bool_],
    vignette_share: float,
) -> NDArray[np.float32]:
    """The picture under one lamp: a gradient, sometimes dark corners, a slip of exposure and white.

    Scaling a colour's light by g scales L* + 16, a* and b* by the cube root of g (CIELAB's own
    definition). The median of g over the pixels `skin` is 1 but for the slip, as if a camera's
    automatic exposure had been pointed at the skin.
    """
    size_px = lab.shape[1]
    x, y = coordinates(size_px)
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.28)
    tilt = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    gain = 1 + np.float32(slope) * tilt + np.float32(0.04) * smooth_noise(rng, size_px, 2)[0]
    corner, vignetted = rng.uniform(0.3, 0.75), rng.random() < vignette_share
    if vignetted:
        gain *= 1 - np.float32(corner) * _falloff(x, y)
    slip, white = np.exp(rng.normal(0, 0.015)), rng.normal(0, 0.4, 2)
    metered = np.median(gain[skin]) if skin.any() else np.float32(1)
    root = np.cbrt(np.maximum(gain / metered, np.float32(0.02)) * np.float32(slip))
    lit: NDArray[np.float32] = lab * root
    lit[0] += 16 * (root - 1)
    lit[1:] += white.astype(np.float32)[:, None, None]
    return lit


def _falloff(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of a vignette a pixel is in: 0 in the middle, 1 in the corners."""
    return smoothstep((np.hypot(x, y) - np.float32(0.7)) / np.float32(0.7))
