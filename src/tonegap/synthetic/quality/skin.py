"""The tone that the skin in a picture shows, by its individual typology angle (ITA). A measure, not an annotation.

The borders between the six colour classes are those of Del Bino and Bernerd, Br J Dermatol 2013
(after Chardon et al. 1991). That the classes follow the Fitzpatrick types is a convention: on
photographs light and camera move the angle, which is why a sheet shows real images beside.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tonegap.colour import lab_from_srgb, typology_angle
from tonegap.tones import TYPES

# Degrees: type I lies above the first border, type VI at or below the last.
BORDERS_DEG = (55.0, 41.0, 28.0, 10.0, -30.0)
SIZE_PX = 64  # a median over some thousand pixels; more of them say nothing more

_HUE_DEG = (0.0, 95.0)  # from red to yellow
_MIN_CHROMA = 6.0  # below it a pixel is grey
_MIN_SHARE = 0.05  # of pixels that look like skin; with fewer there is none to measure
_NEAREST = 0.6


def measured_types(images: Iterable[NDArray[np.uint8]]) -> tuple[str | None, ...]:
    """The Fitzpatrick type that each image [h, w, 3] shows, None where hardly a pixel looks like skin."""
    return tuple(type_of_angle(skin_angle_deg(image)) for image in images)


def type_of_angle(angle_deg: float | None) -> str | None:
    """The type whose colour class an angle lies in; a border belongs to the darker one."""
    if angle_deg is None:
        return None
    return TYPES[sum(angle_deg <= border for border in BORDERS_DEG)]


def skin_angle_deg(image: NDArray[np.uint8]) -> float | None:
    """Individual typology angle (ITA) in degrees of the median skin colour of an image [h, w, 3]; None without skin.

    Skin is what is red to yellow and not grey. The median is taken twice, the second time over the
    60 % of colours nearest to the first, so that a lesion or a shadow does not pull it.
    """
    pixels = lab_from_srgb(image).reshape(-1, 3)
    hue = np.degrees(np.arctan2(pixels[:, 2], pixels[:, 1]))
    chroma = np.hypot(pixels[:, 1], pixels[:, 2])
    skin = (hue >= _HUE_DEG[0]) & (hue <= _HUE_DEG[1]) & (chroma >= _MIN_CHROMA)
    if skin.mean() < _MIN_SHARE:
        return None
    pixels = pixels[skin]
    away = np.abs(pixels - np.median(pixels, axis=0)).sum(axis=1)
    near = pixels[away <= np.quantile(away, _NEAREST)]
    return float(typology_angle(np.median(near, axis=0)))
