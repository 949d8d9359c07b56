"""The tone that the skin in a picture shows, by its individual typology angle (ITA). A measure, not an annotation.

Skin is looked for where methods change it least by intention: outside the lesion mask where there is one, else in the
border of the picture. The mistake this prevents: a lesion that was made dark, measured as dark skin.

The borders between the six colour classes are those of Del Bino and Bernerd, Br J Dermatol 2013
(after Chardon et al. 1991). That the classes follow the Fitzpatrick types is a convention: on
photographs light and camera move the angle, which is why a sheet shows real images beside.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonegap.colour import individual_typology_angle, lab_from_srgb
from tonegap.data.mask_file import KINDS, SKIN
from tonegap.tones import TYPES

# Degrees: type I lies above the first border, type VI at or below the last.
BORDERS_DEG = (55.0, 41.0, 28.0, 10.0, -30.0)
SIZE_PX = 64  # a median over some thousand pixels; more of them say nothing more
MIN_SHARE = (
    0.5  # of the pixels looked at that look like skin; with fewer the tone is not measurable
)

_HUE_DEG = (0.0, 95.0)  # from red to yellow
_MIN_CHROMA = 6.0  # below it a pixel is grey
_MIN_HEALTHY = 0.05  # of the picture; where a mask leaves less the lesion is all there is to see
_NEAREST = 0.6
_BACKGROUND = KINDS.index("background")  # all of it: nobody drew a mask


@dataclass(frozen=True, slots=True)
class Skin:
    """The skin of a picture: its angle in degrees (None: not measurable), and what share of the pixels looked at it is.

    `by_mask`: they lie outside the lesion by its mask, else in the border of the picture.
    """

    angle_deg: float | None
    share: float
    by_mask: bool = False

    @property
    def type(self) -> str | None:
        """The Fitzpatrick type whose colour class the angle lies in; a border belongs to the darker one."""
        if self.angle_deg is None:
            return None
        return TYPES[sum(self.angle_deg <= border for border in BORDERS_DEG)]


def measured_skin(image: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None) -> Skin:
    """The skin of an image [h, w, 3] with its mask [h, w] of kinds (`data/mask_file`), if there is one.

    Skin is what is red to yellow and not grey. The median is taken twice, the second time over the
    60 % of colours nearest to the first, so that a shadow does not pull it.
    """
    by_mask = mask is not None and bool(mask.any())
    where = is_border(image.shape[0], image.shape[1])
    if mask is not None and by_mask:
        where = mask == (SKIN if (mask == SKIN).any() else _BACKGROUND)
    if where.mean() < _MIN_HEALTHY:
        return Skin(None, 0.0, by_mask)
    pixels = lab_from_srgb(image[where])
    hue = np.degrees(np.arctan2(pixels[:, 2], pixels[:, 1]))
    chroma = np.hypot(pixels[:, 1], pixels[:, 2])
    skin = (hue >= _HUE_DEG[0]) & (hue <= _HUE_DEG[1]) & (chroma >= _MIN_CHROMA)
    share = float(skin.mean())
    if share < MIN_SHARE:
        return Skin(None, share, by_mask)
    pixels = pixels[skin]
    away = np.abs(pixels - np.median(pixels, axis=0)).sum(axis=1)
    near = pixels[away <= np.quantile(away, _NEAREST)]
    return Skin(float(individual_typology_angle(np.median(near, axis=0))), share, by_mask)


def is_border(height: int, width: int) -> NDArray[np.bool_]:
    """Where a picture lies within 3/16 of its shorter side from an edge: lesions are taken in the middle."""
    deep = max(1, 3 * min(height, width) // 16)
    border = np.ones((height, width), bool)
    border[deep : height - deep, deep : width - deep] = False
    return border
