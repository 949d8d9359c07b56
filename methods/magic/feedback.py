"""What was thought of the sampled images: a JSON file that a person or a model filled in, or a rule.

The mistake it exists to prevent: a judgement of other images than those that are learned from. Each entry names its
image by its SHA-256.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tonegap_kit.colour import lab_from_rgb
from tonegap_kit.command import say
from tonegap_kit.errors import StageError
from tonegap_kit.skin import healthy_colour, skin_colour

_UNLIKE_SKIN = 12.0  # distance in CIELAB from the skin's colour, beyond which the kit no longer calls it the same
_RANGE = (
    10.0,
    90.0,
)  # percentiles of a condition's photographs between which an image meets a criterion
_FARTHEST = 10.0


@dataclass(frozen=True, slots=True)
class Sampled:
    """A sampled image that waits for a judgement: its file's name and SHA-256, of what, and asked for how."""

    image: str
    sha256: str
    source: str
    condition: str
    prompt: str


def write_form(
    path: Path, sampled: Sequence[Sampled], scores: Sequence[float], criteria: Sequence[str]
) -> None:
    """Leaves a JSON list of the images, each with its score and an empty checklist, to be filled in and handed back."""
    entries = [
        {
            "image": one.image,
            "sha256": one.sha256,
            "source": one.source,
            "condition": one.condition,
            "prompt": one.prompt,
            "score": score,
            "checklist": dict.fromkeys(criteria),
        }
        for one, score in zip(sampled, scores, strict=True)
    ]
    path.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def read_scores(path: Path, sampled: Sequence[Sampled]) -> Tensor:
    """What each image is worth, `float64 [images]`; NaN of one that nobody judged.

    An entry has `image`, `sha256` and a `checklist` (a criterion's name, and true, false or null for not judged), whose
    share of criteria met is its worth. Where no checklist of the file has an answer the numbers `score` count.
    Raises StageError for another form, an image that stands twice, and a file that is about other images.
    """
    shares, digests = _judged(path)
    others = [one.image for one in sampled if digests.get(one.image, one.sha256) != one.sha256]
    strange = sorted(digests.keys() - {one.image for one in sampled})
    if others or strange:
        raise StageError(
            f"{path.name}: is about other images than this fit sampled, as {(others + strange)[0]}; give the judgement "
            f"of the samples that a fit with the same seed, parameters and machine left"
        )
    scores = [shares.get(one.image, np.nan) for one in sampled]
    missing = int(np.isnan(scores).sum())
    if missing:
        say(
            f"{path.name}: {missing} of {len(scores)} images are not judged: their pairs are left out"
        )
    return torch.tensor(scores, dtype=torch.float64)


def check_judgement(path: Path | None) -> None:
    """Raises StageError for a file of another form, before there is an image that it could be about."""
    if path is not None:
        _judged(path)


def _judged(path: Path) -> tuple[dict[str, float], dict[str, str]]:
    """What each image of a file is worth by its name, NaN where nobody judged, and its SHA-256."""
    try:
        found = _by_image(json.loads(path.read_bytes()))
        shares = {name: _share_met(entry) for name, entry in found.items()}
        if np.isnan(list(shares.values())).all():
            shares = {name: _score(entry) for name, entry in found.items()}
        return shares, {name: str(entry["sha256"]) for name, entry in found.items()}
    except (
        OSError,
        ArithmeticError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as problem:
        raise StageError(
            f"{path.name}: not a JSON list of objects with image, sha256, and checklist or score: {problem!r}"
        ) from None


def _by_image(entries: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        name = str(entry["image"])
        if name in found:
            raise ValueError(f"{name} stands twice, wanted one judgement of each image")
        found[name] = entry
    return found


def _share_met(entry: Mapping[str, Any]) -> float:
    answers = list((entry.get("checklist") or {}).values())
    if any(answer not in (True, False, None) for answer in answers):
        raise ValueError(f"checklist of {entry['image']} wants true, false or null")
    told = [bool(answer) for answer in answers if answer is not None]
    return sum(told) / len(told) if told else float("nan")


def _score(entry: Mapping[str, Any]) -> float:
    if isinstance(entry["score"], bool):
        raise ValueError(f"score of {entry['image']} is true or false, wanted a number")
    score = float(entry["score"])
    if not np.isfinite(score):
        raise ValueError(f"score of {entry['image']} is {score}, wanted a finite number")
    return score


def by_rule(
    images: NDArray[np.uint8],
    conditions: Sequence[str],
    photographs: Mapping[str, NDArray[np.float64]],
) -> list[float]:
    """A score for each image `uint8 [n, h, w, 3]` without any network, from what `measure` says of its condition.

    The score is minus the mean distance of the image's four numbers to the photographs' median, in halves of their
    middle 80 %, each at most 10; so far is a lesion's colour where there is no lesion. It says how alike an image is
    to its condition's photographs, not whether it is right.
    """
    return [
        -float(_apart(own, photographs[label]).mean())
        for own, label in zip(measure(images), conditions, strict=True)
    ]


def measure(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Size, redness, darkness and texture [n, 4] of images [h, w, 3]; NaN for colours of a lesion that is not there.

    Size is the share of pixels unlike the skin, redness and darkness are theirs against the skin, in CIELAB, and
    texture is the mean step in L* between neighbouring pixels.
    """
    return np.array([_measured(image) for image in images], np.float64)


def _apart(value: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each number is from the others' median, 0 to 10; 10 where either side has none."""
    found = np.full(len(value), _FARTHEST)
    for k, own in enumerate(others.T):
        own = own[np.isfinite(own)]
        if len(own) and np.isfinite(value[k]):
            low, high = np.percentile(own, _RANGE)
            half = max((high - low) / 2, 1e-6)
            found[k] = min(abs(value[k] - np.median(own)) / half, _FARTHEST)
    return found


def _measured(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    lab = lab_from_rgb(image)
    healthy = healthy_colour(lab)
    apart = lab - (skin_colour(lab) if healthy is None else healthy)
    lesion = np.linalg.norm(apart, axis=-1) > _UNLIKE_SKIN
    steps = [np.abs(np.diff(lab[..., 0], axis=axis)).mean() for axis in (0, 1)]
    red, dark = apart[lesion].mean(axis=0)[[1, 0]] if lesion.any() else (np.nan, np.nan)
    return np.array([lesion.mean(), red, -dark, np.mean(steps)], np.float64)
