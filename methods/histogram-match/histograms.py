"""A picture whose channels are distributed as those of another one."""

import numpy as np

from tonegap_kit.colour_transfer import Picture


def match_histograms(image: Picture, reference: Picture) -> Picture:
    """The image with each of red, green and blue mapped to the value of the same rank in the reference.

    Source: histogram specification, Gonzalez and Woods, Digital Image Processing, section 3.3.2.
    """
    planes = [_specified(image[..., c], reference[..., c]) for c in range(3)]
    return np.stack(planes, axis=-1)


def _specified(plane: Picture, reference: Picture) -> Picture:
    shares = [np.bincount(p.ravel(), minlength=256).cumsum() / p.size for p in (plane, reference)]
    # The smallest value of the reference that at least as large a share of it does not exceed.
    table = np.searchsorted(shares[1], shares[0] - 1e-12).clip(0, 255).astype(np.uint8)
    return table[plane]
