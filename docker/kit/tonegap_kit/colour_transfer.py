"""The colours of a whole picture moved towards those of another one, by a published form without training.

None knows what is skin: rulers, cloth and the lesion take part in both pictures' colours. A pair of pictures that
would darken the lesion more than the skin around it is passed over. The mistake this prevents: a browned lesion on skin
that stays light, called dark skin.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.colour import lab_from_rgb
from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.predictions import write_notes
from tonegap_kit.quota import Quota, draw_sources, plan_quotas, read_rule
from tonegap_kit.skin import healthy_colour, is_border
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

Picture = NDArray[np.uint8]
Transfer = Callable[[Picture, Picture], Picture]  # an image, and the one whose colours it takes

_FARTHER = 5.0  # L* that anything may darken more than the skin
_MOST = 0.05  # of the picture's middle, which does so all the same
_TRIES = 40  # pairs for one image


def write_transferred(stage: Stage, transfer: Transfer) -> None:
    """Leaves lighter images of a class in the colours of a darker real one, for every tone it is short of.

    The darker one has the same class where such an image is there, else any. Pairs that darken the lesion more than
    its skin are passed over and counted, as are images for which 40 pairs did. Raises StageError if a tone that is to
    be filled has no real image at all.
    """
    train = read_partition(stage, "train")
    orders = plan_quotas(train, read_rule(stage, len(train)))
    n = sum(order.n for order in orders)
    left = Left(set(), [])
    write_synthetic(stage, _transferred(stage, train, orders, transfer, left), n, train.ids)
    skipped = {
        "pairs of images passed over: the lesion would darken more than the skin around it": len(
            left.pairs
        ),
        "images not made: no pair of images was found that darkens both alike": len(left.images),
    }
    write_notes(stage.out, {"skipped": {why: n for why, n in skipped.items() if n}})


def darkens_alike(image: Picture, made: Picture) -> bool:
    """Whether what lies in the middle of an image [h, w, 3] darkened with the skin at its border.

    Not where more than 5 % of the middle darkened by 5 L* more than the border did (median), nor where the border shows
    no skin. On pairs of 480 photographs whose lesions are marked, 133 of 134 pairs that darken the lesion by 5 L* more
    (medians) are found, and 36 % of the others taken for such.
    """
    lab = lab_from_rgb(image)
    darker, border = (lab - lab_from_rgb(made))[..., 0], is_border(lab)
    if healthy_colour(lab) is None:
        return False
    return bool((darker[~border] > np.median(darker[border]) + _FARTHER).mean() <= _MOST)


@dataclass(frozen=True, slots=True)
class Left:
    """Pairs of training rows whose transfer failed, and ids of images for which no pair was found."""

    pairs: set[tuple[int, int]]
    images: list[str]


def _transferred(
    stage: Stage, train: Partition, orders: list[Quota], transfer: Transfer, left: Left
) -> Iterator[SyntheticImage]:
    rng, spare = stage.rng("transferring"), stage.rng("replacing")
    for order in orders:
        tone = stage.job.tones[order.t]
        references = _references(train, order, tone)
        for k, row in enumerate(draw_sources(order.lighter, order.n, rng)):
            drawn = (int(row), int(rng.choice(references)))
            image_id = f"transferred-{order.y}-{tone}-{k}"
            for pair in _candidates(drawn, order, references, spare):
                if pair in left.pairs:
                    continue
                image, reference = train.pictures.take(np.array(pair))
                made = transfer(image, reference)
                if not darkens_alike(image, made):
                    left.pairs.add(pair)
                    continue
                yield SyntheticImage(
                    image_id=image_id,
                    image=made,
                    label=stage.job.classes[order.y],
                    tone=tone,
                    sources=tuple(train.ids[row] for row in pair),
                )
                break
            else:
                left.images.append(image_id)


def _candidates(
    drawn: tuple[int, int], order: Quota, references: NDArray[np.int64], spare: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """The pair that was drawn, then others at random."""
    yield drawn
    for _ in range(_TRIES - 1):
        yield int(spare.choice(order.lighter)), int(spare.choice(references))


def _references(train: Partition, order: Quota, tone: str) -> NDArray[np.int64]:
    same = np.flatnonzero((train.t == order.t) & (train.y == order.y))
    found = same if len(same) else np.flatnonzero(train.t == order.t)
    if len(found) == 0:
        raise StageError(
            f"tone {tone} has no training image to take colours from; leave it out of targets, or use a "
            f"method that needs none"
        )
    return found
