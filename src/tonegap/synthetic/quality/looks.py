"""Measures whether a lesion can be seen in a picture, and how sharp it is, whatever its tone. Pure.

The mistake it exists to prevent: a set of smooth, empty skin whose tones are as asked.
"""

from collections.abc import Iterable
from statistics import median

import numpy as np
from numpy.typing import NDArray

from tonegap.colour import lab_from_srgb
from tonegap.formats.quality_sheet import Looks, Share
from tonegap.synthetic.quality.skin import is_border

MOST = 300  # images of a set that are looked at; more are sampled evenly
_VISIBLE = 3.0  # distance in CIELAB; docs/metrics.md has TPR and FPR
_REACH = 2  # pixels each way over which colours are averaged, so that noise and hair are no lesion


def looks_of(images: Iterable[NDArray[np.uint8]], sharp: Iterable[NDArray[np.uint8]]) -> Looks:
    """What a set of images [h, w, 3] looks like; `sharp` are the same at the size at which sharpness is compared."""
    faint = [lesion_contrast(image) < _VISIBLE for image in images]
    found = [sharpness(image) for image in sharp]
    n = len(faint)
    without = Share(sum(faint) / n, n) if n else Share(None, 0, "no images")
    return Looks(without, median(found) if found else None)


def lesion_contrast(image: NDArray[np.uint8]) -> float:
    """How far the middle of an image [h, w, 3] stands out from its border, in CIELAB; about 0 without a lesion.

    Light falls across skin, so colours are taken relative to a plane that is fitted to the border, twice, the
    second time to the 70 % of it that are nearest. The value is the 95 % quantile of distances to that plane in the
    middle minus the 75 % quantile in the border.
    """
    lab = _averaged(lab_from_srgb(image))[
        ::2, ::2
    ]  # after averaging, every other pixel says as much
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    places = np.stack([np.ones_like(x), x, y], axis=-1).reshape(-1, 3)
    colours, border = lab.reshape(-1, 3), is_border(height, width).ravel()
    fitted = border
    for _ in range(3):
        plane = np.linalg.lstsq(places[fitted], colours[fitted], rcond=None)[0]
        away = np.sqrt(((colours - places @ plane) ** 2).sum(axis=1))
        fitted = border & (away <= np.quantile(away[border], 0.7))
    return float(np.quantile(away[~border], 0.95) - np.quantile(away[border], 0.75))


def sharpness(image: NDArray[np.uint8]) -> float:
    """Standard deviation of the Laplacian (four neighbours) of the mean of red, green and blue, 0 to 255.

    Source: Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield microscopy, ICPR. Grows with noise as well.
    """
    grey = image.astype(np.float64).mean(axis=-1)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).std())


def _averaged(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours [h, w, 3] averaged over a square; edges repeat."""
    side = 2 * _REACH + 1
    around = np.pad(lab, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="edge")
    sums = np.pad(around.cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    rows = sums[side:] - sums[:-side]
    return np.asarray((rows[:, side:] - rows[:, :-side]) / side**2, np.float64)
