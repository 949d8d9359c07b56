"""sRGB to CIELAB and back, for whole images.

Formulas: IEC 61966-2-1 (sRGB) and CIE 15 (CIELAB), for the white point D65 and the 2 degree observer.
"""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_WHITE = np.array([0.95047, 1.0, 1.08883], np.float32)
_RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ],
    np.float32,
)
_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ.astype(np.float64)).astype(np.float32)
_EDGE = 6 / 29  # below it CIELAB's cube root is replaced by a straight line


def _decode_table() -> Float:
    value = np.arange(256) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


_LINEAR = _decode_table()


def lab_from_rgb(rgb: NDArray[np.uint8]) -> Float:
    """L*, a*, b* of 8-bit sRGB; both are [..., 3]."""
    xyz = _LINEAR[rgb] @ (_RGB_TO_XYZ / _WHITE[:, None]).T
    f = np.where(xyz > _EDGE**3, np.cbrt(xyz), xyz / (3 * _EDGE**2) + 4 / 29)
    lightness = 116 * f[..., 1] - 16
    return np.stack(
        [lightness, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    ).astype(np.float32)


def rgb_from_lab(lab: Float) -> NDArray[np.uint8]:
    """8-bit sRGB of L*, a*, b*; both are [..., 3]. What sRGB cannot show is cut at its border."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > _EDGE, f**3, 3 * _EDGE**2 * (f - 4 / 29)) * _WHITE
    linear = np.clip(xyz.astype(np.float32) @ _XYZ_TO_RGB.T, 0, 1)
    value = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(value * 255), np.uint8)
