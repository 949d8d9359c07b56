"""Draws a photograph-like picture and its mask from an image's id, label and tone.

A picture depends on its own id, label, tone, size and difficulty alone, never on the pictures drawn
before it, so that any number of workers draw the same data set in any order.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from tonegap.colour import srgb_from_lab
from tonegap.data.phantom import props
from tonegap.data.phantom.appearance import Appearance, appearance_of, blend, mimic_of
from tonegap.data.phantom.difficulty import DEFAULT, Difficulty
from tonegap.data.phantom.lesion import draw_lesions
from tonegap.data.phantom.noise import stream
from tonegap.data.phantom.skin import bare_skin, light, mark_skin, skin_colour
from tonegap.errors import BadRequest
from tonegap.tones import GROUPS, TYPES, tone_group, tone_index

__all__ = ["DEFAULT", "MASK_CLASSES", "Difficulty", "Sitter", "check_size", "draw", "skin_type_of"]

MASK_CLASSES = ("background", "lesion", "marker", "ruler", "skin")
_BACKGROUND, _LESION, _MARKER, _RULER, _SKIN = range(5)

_SMALLEST_PX, _LARGEST_PX = 16, 2048


@dataclass(frozen=True, slots=True)
class Sitter:
    """Who is drawn. `tone` is a type, a group (one of its types is drawn) or None (any type is).

    `malignant` matters only for labels without an appearance of their own.
    """

    image_id: str
    label: str
    tone: str | None
    malignant: bool | None = None


def draw(
    sitter: Sitter, size_px: int, difficulty: Difficulty = DEFAULT
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture, sRGB [size_px, size_px, 3], and its mask [size_px, size_px].

    The mask's values index `MASK_CLASSES`. Same arguments, same pixels. Raises BadRequest
    for a tone that does not exist, or a size out of bounds.
    """
    check_size(size_px)
    skin_type = skin_type_of(sitter)
    rng = stream(sitter.image_id, "skin")
    colour = skin_colour(rng, skin_type)
    lab = bare_skin(rng, colour, size_px)
    mark_skin(stream(sitter.image_id, "marks"), lab, difficulty.marks)
    mask = np.full((size_px, size_px), _SKIN, np.uint8)
    _add_lesions(lab, mask, sitter, difficulty, difficulty.contrast[tone_index(skin_type)])
    lab = _add_props(lab, mask, sitter.image_id, difficulty, colour)
    return _photograph(lab, mask == _SKIN, sitter.image_id, difficulty), mask


def check_size(size_px: int) -> None:
    """Raises BadRequest for a picture too small to show a lesion, or too large to be meant."""
    if not _SMALLEST_PX <= size_px <= _LARGEST_PX:
        raise BadRequest(f"drawing: size {size_px} px; wanted {_SMALLEST_PX} to {_LARGEST_PX} px")


def skin_type_of(sitter: Sitter) -> str:
    """The type I to VI that a sitter is drawn with; its own, or one drawn from its id's numbers."""
    if sitter.tone in TYPES:
        return sitter.tone
    if sitter.tone is not None and sitter.tone not in GROUPS:
        raise BadRequest(
            f"drawing: image {sitter.image_id}: tone {sitter.tone!r}; wanted a type {TYPES[0]} to "
            f"{TYPES[-1]}, a group ({', '.join(GROUPS)}), or no tone where it is unknown"
        )
    choices = [t for t in TYPES if sitter.tone in (None, tone_group(t))]
    return choices[stream(sitter.image_id, "tone").integers(len(choices))]


def _look(rng: np.random.Generator, sitter: Sitter, difficulty: Difficulty) -> Appearance:
    """How one image's lesions look: its condition's look, drawn towards the one it is taken for."""
    typical = appearance_of(sitter.label, sitter.malignant)
    weight = difficulty.overlap * float(rng.beta(1, 1.6))
    mixed = blend(typical, mimic_of(sitter.label, sitter.malignant), weight)
    shift = difficulty.atypical * rng.standard_normal(3)
    lightness, red, yellow = (float(c + s) for c, s in zip(mixed.body, shift, strict=True))
    return replace(mixed, body=(lightness, red, yellow))


def _add_lesions(
    lab: NDArray[np.float32],
    mask: NDArray[np.uint8],
    sitter: Sitter,
    difficulty: Difficulty,
    contrast: float,
) -> None:
    rng = stream(sitter.image_id, "lesion")
    strength = np.float32(contrast * rng.uniform(0.6, 1.15))
    lesions = draw_lesions(rng, _look(rng, sitter, difficulty), lab.shape[1])
    lab += strength * lesions.offset
    mask[lesions.cover > 0.5] = _LESION


def _add_props(
    lab: NDArray[np.float32],
    mask: NDArray[np.uint8],
    image_id: str,
    difficulty: Difficulty,
    skin: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The picture with pen, hairs, cloth and ruler, each now and then, in the order they lie."""
    rng, size_px = stream(image_id, "props"), lab.shape[1]
    pen, hair, cloth, ruler = rng.random(4)
    if pen < difficulty.marker_share:
        lab = _lay(props.pen_marks(rng, size_px), lab, mask, _MARKER)
    if hair < difficulty.hair_share:
        lab = props.hairs(rng, size_px, skin).paint(lab)
    if cloth < difficulty.backdrop_share:
        lab = _lay(props.backdrop(rng, size_px), lab, mask, _BACKGROUND)
    if ruler < difficulty.ruler_share:
        paper, ticks = props.ruler(rng, size_px)
        lab = ticks.paint(_lay(paper, lab, mask, _RULER))
    return lab


def _lay(
    layer: props.Layer, lab: NDArray[np.float32], mask: NDArray[np.uint8], name: int
) -> NDArray[np.float32]:
    mask[layer.cover > 0.5] = name
    return layer.paint(lab)


def _photograph(
    lab: NDArray[np.float32], skin: NDArray[np.bool_], image_id: str, difficulty: Difficulty
) -> NDArray[np.uint8]:
    """The scene as a camera keeps it: lit, out of focus, noisy, 8 bits."""
    rng, size_px = stream(image_id, "camera"), lab.shape[1]
    lit = light(rng, lab, skin, difficulty.vignette_share)
    sigma_px = rng.uniform(0, difficulty.blur) / 100 * size_px
    if sigma_px > 0.25:  # below, the middle pixel keeps all of its weight
        for axis in (1, 2):
            lit = gaussian_filter1d(lit, sigma_px, axis=axis, mode="nearest", truncate=2.5)
    rgb = srgb_from_lab(lit)
    grain = rng.standard_normal((4, size_px, size_px), dtype=np.float32)
    # Four fifths of the noise are common to the channels, three fifths their own: 0.8² + 0.6² = 1.
    rgb += np.float32(difficulty.noise) * (
        np.float32(0.8) * grain[:1] + np.float32(0.6) * grain[1:]
    )
    levels = np.clip(rgb + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))
