"""The colours of a whole picture moved towards those of another one: two published forms without training.

Neither knows what is skin: rulers, cloth and the lesion take part in both pictures' colours.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.quota import Quota, draw_sources, plan_quotas, read_rule
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

Picture = NDArray[np.uint8]
Transfer = Callable[[Picture, Picture], Picture]  # an image, and the one whose colours it takes

_RGB_TO_LMS = np.array(
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]]
)
_LMS_TO_OPPONENT = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ [[1, 1, 1], [1, 1, -2], [1, -1, 0]]
_DARKEST = 1 / 255  # a logarithm of black is not to be had


def write_transferred(stage: Stage, transfer: Transfer) -> None:
    """Leaves lighter images of a class in the colours of a darker real one, for every tone it is short of.

    The darker one has the same class where such an image is there, else any. Raises StageError if a
    tone that is to be filled has no real image at all.
    """
    train = read_partition(stage, "train")
    orders = plan_quotas(train, read_rule(stage, len(train)))
    n = sum(order.n for order in orders)
    write_synthetic(stage, _transferred(stage, train, orders, transfer), n, train.ids)


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


def _opponent(image: Picture) -> NDArray[np.float64]:
    lms = np.maximum(image / 255.0, _DARKEST) @ _RGB_TO_LMS.T
    return np.asarray(np.log10(lms) @ _LMS_TO_OPPONENT.T)


def _bytes(rgb: NDArray[np.float64]) -> Picture:
    return np.asarray(np.round(np.clip(rgb, 0, 1) * 255), np.uint8)


def _transferred(
    stage: Stage, train: Partition, orders: list[Quota], transfer: Transfer
) -> Iterator[SyntheticImage]:
    rng = stage.rng("transferring")
    for order in orders:
        tone = stage.job.tones[order.t]
        references = _references(train, order, tone)
        for k, row in enumerate(draw_sources(order.lighter, order.n, rng)):
            other = int(rng.choice(references))
            image, reference = train.pictures.take(np.array([row, other]))
            yield SyntheticImage(
                image_id=f"transferred-{order.y}-{tone}-{k}",
                image=transfer(image, reference),
                label=stage.job.classes[order.y],
                tone=tone,
                sources=(train.ids[row], train.ids[other]),
            )


def _references(train: Partition, order: Quota, tone: str) -> NDArray[np.int64]:
    same = np.flatnonzero((train.t == order.t) & (train.y == order.y))
    found = same if len(same) else np.flatnonzero(train.t == order.t)
    if len(found) == 0:
        raise StageError(
            f"tone {tone} has no training image to take colours from; leave it out of targets, or use a "
            f"method that needs none"
        )
    return found
