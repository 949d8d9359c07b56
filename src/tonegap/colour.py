"""CIELAB to sRGB and back, and the individual typology angle (ITA): the engine has their formulas here alone.

It exists so that skin is drawn, lit and measured in one space. Formulas: CIE 15 (CIELAB) and IEC
61966-2-1 (sRGB), for the white point D65 and the 2° observer. The pictures' way (Lab to sRGB) is
single precision with a table, because it runs once per pixel of every picture.
"""

import numpy as np
from numpy.typing import NDArray

Lab = tuple[float, float, float]

_WHITE = np.array([0.95047, 1.0, 1.08883])
_RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ)
_EPSILON = 6 / 29  # below it CIELAB's cube root is replaced by a straight line
_LEVELS = 65536  # linear light is cut into as many steps; the darkest 8-bit step still spans 19


def _encode(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light in [0, 1] as an sRGB value in [0, 1]."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _decode(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """An sRGB value in [0, 1] as linear light in [0, 1]."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


_SRGB = (255 * _encode(np.arange(_LEVELS) / (_LEVELS - 1))).astype(np.float32)


def srgb_from_lab(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sRGB values 0 to 255, not rounded, of planes L*, a*, b*; both arrays are [3, h, w].

    Colours that sRGB cannot show are cut at its border, channel by channel.
    """
    fy = (lab[0] + np.float32(16)) / np.float32(116)
    f = (fy + lab[1] / np.float32(500), fy, fy - lab[2] / np.float32(200))
    xyz = [_from_cube_root(c) * np.float32(w) for c, w in zip(f, _WHITE, strict=True)]
    # Written out: a matrix product may add in another order on another machine.
    linear = np.stack(
        [
            sum((np.float32(m) * c for m, c in zip(row, xyz, strict=True)), np.float32(0))
            for row in _XYZ_TO_RGB
        ]
    )
    step = np.clip(linear * np.float32(_LEVELS - 1) + np.float32(0.5), 0, _LEVELS - 1)
    rgb: NDArray[np.float32] = _SRGB[step.astype(np.int32)]
    return rgb


def _from_cube_root(f: NDArray[np.float32]) -> NDArray[np.float32]:
    """The tristimulus value, relative to white, whose CIELAB cube root is `f`."""
    line = np.float32(3 * _EPSILON**2) * (f - np.float32(4 / 29))
    return np.where(f > np.float32(_EPSILON), f * f * f, line)


def lab_from_srgb(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """L*, a*, b* of 8-bit sRGB colours; `rgb` and the result are [..., 3]."""
    xyz = _decode(rgb.astype(np.float64) / 255) @ _RGB_TO_XYZ.T / _WHITE
    f = np.where(xyz > _EPSILON**3, np.cbrt(xyz), xyz / (3 * _EPSILON**2) + 4 / 29)
    fx, fy, fz = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def individual_typology_angle(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Individual typology angle (ITA) in degrees of colours [..., 3]; large is light skin.

    Source: arctan((L* - 50) / b*), Chardon, Cretois and Hourseau 1991. A colour without yellow
    (b* <= 0) is no skin; its angle is that of the quadrant, so it lies beyond ±90.
    """
    return np.degrees(np.arctan2(lab[..., 0] - 50, lab[..., 2]))
