"""A picture with the colours' mean and deviation of another one."""

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.colour_transfer import Picture

_RGB_TO_LMS = np.array(
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]]
)
_LMS_TO_OPPONENT = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ [[1, 1, 1], [1, 1, -2], [1, -1, 0]]
_DARKEST = 1 / 255  # a logarithm of black is not to be had


def move_statistics(image: Picture, reference: Picture) -> Picture:
    """The image with mean and deviation of the reference in each plane of the opponent space l, alpha, beta.

    Source: Reinhard, Ashikhmin, Gooch and Shirley 2001, Color transfer between images, IEEE CG&A 21(5),
    equations 1 to 11.
    """
    own, other = _opponent(image), _opponent(reference)
    axes = (0, 1)
    spread = other.std(axes) / np.maximum(own.std(axes), 1e-6)
    moved = (own - own.mean(axes)) * spread + other.mean(axes)
    lms = 10 ** (moved @ np.linalg.inv(_LMS_TO_OPPONENT).T)
    return _bytes(lms @ np.linalg.inv(_RGB_TO_LMS).T)


def _opponent(image: Picture) -> NDArray[np.float64]:
    lms = np.maximum(image / 255.0, _DARKEST) @ _RGB_TO_LMS.T
    return np.asarray(np.log10(lms) @ _LMS_TO_OPPONENT.T)


def _bytes(rgb: NDArray[np.float64]) -> Picture:
    return np.asarray(np.round(np.clip(rgb, 0, 1) * 255), np.uint8)
