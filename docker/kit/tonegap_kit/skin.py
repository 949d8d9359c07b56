"""The colour of the skin in a picture: measured, drawn for a tone, and moved from one to another.

Works without masks, so it guesses what is skin by colour: yellow to red, neither grey nor blue. The
lesion counts as skin, because it lies in the same skin and darkens with it. Under a cold light healthy skin is
grey to that rule; the picture's border, where lesions seldom lie, tells. The mistake this prevents: a lesion that is
browned on skin that stays light, and called dark skin.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.colour import Float, lab_from_rgb, rgb_from_lab
from tonegap_kit.errors import StageError

_TYPES = ("I", "II", "III", "IV", "V", "VI")
_GROUPS = {"I-II": ("I", "II"), "III-IV": ("III", "IV"), "V-VI": ("V", "VI")}
# Typology angles in degrees; the gaps between the ranges keep the types apart.
_ANGLES_DEG = dict(
    zip(_TYPES, [(58, 68), (43, 54), (30, 40), (12, 26), (-26, 6), (-62, -34)], strict=True)
)
_DARK = frozenset({"V", "VI"})
_LIGHTNESS = (18.0, 82.0)

_HUE_DEG = (-25.0, 105.0)  # from violet-red to yellow: skin, blood, and most lesions
_CHROMA = (4.0, 9.0)  # below the first a pixel is grey, above the second it is coloured
_HUE_EDGE_DEG = 20.0
_VIOLET_DEG = (-75.0, -25.0)
_SAME, _SIMILAR = (12.0, 20.0), (20.0, 30.0)  # distances in CIELAB from the skin's colour
_WHITE = 92.0  # L* of paper and gauze, which no skin has
_OFF_TARGET, _FARTHER = 10.0, 5.0  # L*
_LESION_FARTHER = 4.5  # L*, so that with the border's error it is 5 at most
_YELLOW_LEFT = 1.0  # b*; of healthy skin it is to be above 0
_LIKE_BORDER = (8.0, 9.0)  # distances in CIELAB from the border's colour


def draw_skin_colour(rng: np.random.Generator, tone: str) -> Float:
    """L*, a*, b* of a skin of this tone; of a tone group, one of its types is drawn first."""
    types: Sequence[str] = _GROUPS.get(tone, (tone,))
    skin_type = types[int(rng.integers(len(types)))]
    if skin_type not in _ANGLES_DEG:
        raise StageError(
            f"tone {tone!r} has no individual typology angle, wanted I to VI or a tone group"
        )
    angle = math.radians(rng.uniform(*_ANGLES_DEG[skin_type]))
    yellow = rng.uniform(9, 16) if skin_type in _DARK else rng.uniform(13, 19)
    lightness = np.clip(50 + yellow * math.tan(angle), *_LIGHTNESS)
    return np.array([lightness, rng.uniform(7, 12), yellow], np.float32)


def skin_colour(lab: Float) -> Float:
    """Median L*, a*, b* of the skin in an image [h, w, 3]; of all pixels if hardly any look like skin.

    The median is taken twice, the second time over the 60 % nearest to the first, so that a lesion or
    a deep shadow does not pull it.
    """
    pixels = lab.reshape(-1, 3)
    looks = coloured_like_skin(pixels) > 0.5
    return _middle(pixels[looks] if looks.mean() > 0.05 else pixels)


def healthy_colour(lab: Float) -> Float | None:
    """L*, a*, b* of the healthy skin in an image [h, w, 3]; None where its border shows none.

    Where the colour rule takes less than half of the border, the border's own colour is that of the skin, if most
    of it has that colour and it is no white. A colour without yellow (b* at 0 or below) is no skin.
    """
    border = lab[is_border(lab)]
    if (coloured_like_skin(border) > 0.5).mean() >= 0.5:
        own = skin_colour(lab)
    else:
        own = _middle(border)
        if (_near(border, own, _SAME) > 0.5).mean() < 0.5 or own[0] > _WHITE:
            return None
    return own if own[2] > 0 else None


def is_border(image: Float) -> NDArray[np.bool_]:
    """Where an image [h, w, 3] lies within 3/16 of its shorter side from an edge: lesions lie in the middle."""
    height, width = image.shape[:2]
    deep = max(1, 3 * min(height, width) // 16)
    border = np.ones((height, width), bool)
    border[deep : height - deep, deep : width - deep] = False
    return border


def _middle(pixels: Float) -> Float:
    first = np.median(pixels, axis=0)
    distance = np.abs(pixels - first).sum(axis=1)
    near = pixels[distance <= np.quantile(distance, 0.6)]
    return np.asarray(np.median(near, axis=0), np.float32)


def coloured_like_skin(lab: Float) -> Float:
    """How much each colour [..., 3] looks like skin by hue and chroma, 0 to 1."""
    middle, half = sum(_HUE_DEG) / 2, (_HUE_DEG[1] - _HUE_DEG[0]) / 2
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    away = np.abs((hue - middle + 180) % 360 - 180)
    by_hue = np.clip((half + _HUE_EDGE_DEG - away) / _HUE_EDGE_DEG, 0, 1)
    return np.asarray(by_hue * _is_coloured(lab), np.float32)


def recolour(image: NDArray[np.uint8], target: Float, contrast: float) -> NDArray[np.uint8] | None:
    """An image [h, w, 3] whose skin has the colour `target` instead of its own; None where that fails.

    A pixel's difference to the skin's colour, in CIELAB, shrinks as behind a darker filter: light scaled
    by g scales L* + 16, a* and b* by the cube root of g (CIELAB's definition), so redness fades on dark
    skin. `contrast` says how much of the differences in L* is kept on top: 0 none, 1 all.
    Grey and blue things brighter than the skin (rulers, scale, markers, cloth) stay as they are.

    It fails where the border shows no skin, skin that is darker than the target, or does not come to the target;
    where it darkens by 5 L* less than a quarter of the middle, or 15 % of the picture by 5 L* more than its skin
    (crusts and scales lighter than it); where 15 % of the border are violet ink or cloth, which stay. There the lesion
    would be darkened and what is around it left. It fails as well where what was made shows it: see `_went_wrong`.
    """
    lab = lab_from_rgb(image)
    own = healthy_colour(lab)
    if own is None or own[0] < target[0] or _is_ink(lab, own)[is_border(lab)].mean() > 0.15:
        return None
    behind = (target[0] + 16) / (own[0] + 16)
    kept = np.array([behind + contrast * (1 - behind), behind, behind], np.float32)
    moved = target + kept * (lab - own)
    moved[..., 0] = np.clip(moved[..., 0], 0, 100)
    goes = _skin_share(lab, own)
    made = lab + smoothed(goes)[..., None] * (moved - lab)
    border, darker = is_border(lab), (lab - made)[..., 0]
    if np.median(made[border, 0]) > target[0] + _OFF_TARGET:
        return None
    if (darker[~border] > np.median(darker[border]) + _FARTHER).mean() > 0.25:
        return None
    if (darker > own[0] - target[0] + _FARTHER).mean() > 0.15 or _went_wrong(lab, made, goes):
        return None
    return rgb_from_lab(made)


def _went_wrong(lab: Float, made: Float, goes: Float) -> bool:
    """Whether the border's skin lost its yellow (a lesion's colour was taken for it) or the lesion darkened more.

    The lesion: what differs from the border in its colour, averaged over 3 by 3 pixels, where it is 1 % of the picture.
    Both by medians, with a margin, because the border may hold some of the lesion.
    """
    border = is_border(lab)
    skin = border & (goes > 0.5)
    if skin.any() and np.median(made[skin, 2]) <= _YELLOW_LEFT:
        return True
    even = np.stack([smoothed(lab[..., i]) for i in range(3)], axis=-1)
    lesion = (
        ~border & (_near(even, _middle(lab[border]), _LIKE_BORDER) < 1) & (even[..., 0] < _WHITE)
    )
    darker = (lab - made)[..., 0]
    return bool(lesion.mean() > 0.01) and bool(
        np.median(darker[lesion]) > np.median(darker[border]) + _LESION_FARTHER
    )


def _skin_share(lab: Float, own: Float) -> Float:
    """How much of each colour goes with the skin, 0 to 1: by hue and chroma, where these take the border's skin.

    Skin is what they take or what has the skin's colour. Where they leave out more than 15 % of it, what is near to
    that colour goes with it too.
    """
    looks = coloured_like_skin(lab)
    skin = is_border(lab) & (np.maximum(looks, _near(lab, own, _SAME)) > 0.5)
    if looks[skin].mean() < 0.85:
        looks = np.maximum(looks, _near(lab, own, _SIMILAR))
    return np.maximum(looks, _is_shadow(lab, own))


def _near(lab: Float, own: Float, away: tuple[float, float]) -> Float:
    """How near each colour [..., 3] is to the skin's: 1 up to the first distance in CIELAB, 0 from the second."""
    distance = np.sqrt(((lab - own) ** 2).sum(axis=-1))
    return np.asarray(np.clip((away[1] - distance) / (away[1] - away[0]), 0, 1), np.float32)


def _is_shadow(lab: Float, own: Float) -> Float:
    """How much each colour is a dark grey, 0 to 1: hair or shadow, which goes with the skin below."""
    dark = np.clip((own[0] - 5 - lab[..., 0]) / 15, 0, 1)
    return np.asarray(dark * (1 - _is_coloured(lab)), np.float32)


def _is_ink(lab: Float, own: Float) -> NDArray[np.bool_]:
    """Which colours are violet and darker than the skin: a surgeon's marker, or cloth of that colour."""
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))
    violet = (hue > _VIOLET_DEG[0]) & (hue < _VIOLET_DEG[1])
    violet &= np.hypot(lab[..., 1], lab[..., 2]) > _CHROMA[1]
    return np.asarray(violet & (lab[..., 0] < own[0]))


def _is_coloured(lab: Float) -> Float:
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    return np.asarray(np.clip((chroma - _CHROMA[0]) / (_CHROMA[1] - _CHROMA[0]), 0, 1), np.float32)


def smoothed(plane: Float) -> Float:
    """A plane [h, w] averaged over 3 by 3 pixels, so that a mask has no ragged border."""
    padded = np.pad(plane, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9, np.float32)
