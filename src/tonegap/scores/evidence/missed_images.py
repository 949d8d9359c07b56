"""Counts which test images an entry misses, by tone.

An image is missed where the most probable class is not the true one, which is what accuracy counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tonegap.scores.evidence.images import TestAnswers
from tonegap.tones import pooled

N_LISTED = 12  # images of a tone
UNKNOWN = "unknown tone"


@dataclass(frozen=True, slots=True)
class MissedImage:
    """A test image that was missed in `n_missed` of the `n_seeds` seeds that tested it.

    `predicted`: the classes it was taken for, one seed after another, each once.
    """

    image_id: str
    label: str
    predicted: tuple[str, ...]
    n_missed: int
    n_seeds: int


@dataclass(frozen=True, slots=True)
class MissedOfTone:
    """The missed images of a tone, most often missed first: the first N_LISTED, of how many, of how many tested."""

    tone: str
    images: tuple[MissedImage, ...]
    n_missed: int
    n_tested: int


def missed_images(seeds: Sequence[TestAnswers], scored: Sequence[str]) -> tuple[MissedOfTone, ...]:
    """Of each scored tone, then of images of no such tone if there are any, what was missed in any seed.

    Images that are missed in a larger share of their seeds come first, then those that more seeds tested, then by
    the probability of the true class (mean over seeds, smallest first), then by id.
    """
    seen: dict[str, list[tuple[bool, float, str]]] = {}
    about: dict[str, tuple[str, str]] = {}
    for seed in seeds:
        predicted = seed.p.argmax(axis=1)
        for i, (image_id, y) in enumerate(zip(seed.ids, seed.y.tolist(), strict=True)):
            k = int(predicted[i])
            seen.setdefault(image_id, []).append((k != y, float(seed.p[i, y]), seed.classes[k]))
            tone = pooled(seed.tones[i], scored)
            about[image_id] = tone if tone and tone in scored else UNKNOWN, seed.labels[i]
    ranked = sorted(seen, key=lambda image_id: (*_order(seen[image_id]), image_id))
    found = []
    for tone in (*scored, UNKNOWN):
        tested = [image_id for image_id in ranked if about[image_id][0] == tone]
        missed = [image_id for image_id in tested if any(m for m, _, _ in seen[image_id])]
        if tested:
            images = tuple(_missed(i, about[i][1], seen[i]) for i in missed[:N_LISTED])
            found.append(MissedOfTone(tone, images, len(missed), len(tested)))
    return tuple(found)


def _order(seen: Sequence[tuple[bool, float, str]]) -> tuple[float, int, float]:
    n = len(seen)
    return -sum(m for m, _, _ in seen) / n, -n, sum(p for _, p, _ in seen) / n


def _missed(image_id: str, label: str, seen: Sequence[tuple[bool, float, str]]) -> MissedImage:
    wrong = [predicted for missed, _, predicted in seen if missed]
    return MissedImage(image_id, label, tuple(dict.fromkeys(wrong)), len(wrong), len(seen))
