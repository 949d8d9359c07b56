"""What some papers' code does to the predictions that count, for runs that are to show the difference.

Nothing here is done unless a parameter asks for it: `keep_from_epoch` above 1, or `codes_at_test`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.errors import StageError
from tonegap_kit.job import Job
from tonegap_kit.training import Epoch

Codes = NDArray[np.int64]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Published:
    """Deviations of published code, as parameters spell them; the defaults deviate in nothing."""

    keep_from_epoch: int = 1
    keep_by: str = "accuracy"
    codes_at_test: tuple[str, ...] = ()

    @property
    def is_late(self) -> bool:
        """Whether the weights of some epochs are not kept."""
        return self.keep_from_epoch > 1


@dataclass(frozen=True, slots=True)
class LabelsSeen:
    """The task's classes, and the class indices of training and of validation rows."""

    classes: tuple[str, ...]
    train: Codes
    validation: Codes


def read_published(job: Job) -> Published:
    """What a job asks for. A baseline that does not declare one of the parameters cannot ask for it."""
    declared = job.parameters
    found = Published(
        keep_from_epoch=job.integer("keep_from_epoch") if "keep_from_epoch" in declared else 1,
        keep_by=job.text("keep_by") if "keep_by" in declared else "accuracy",
        codes_at_test=job.words("codes_at_test") if "codes_at_test" in declared else (),
    )
    if found.keep_from_epoch < 1:
        raise StageError(f"keep_from_epoch is {found.keep_from_epoch}, wanted 1 or more")
    unknown = sorted(set(found.codes_at_test) - set(job.classes))
    if unknown:
        raise StageError(f"codes_at_test: {unknown[0]!r} is no class of the task")
    return found


def kept_late(
    epochs: Iterator[Epoch], untrained: Probabilities, y: Codes, published: Published
) -> Iterator[Epoch]:
    """Each epoch with the predictions of the weights that would be kept if it were the last one.

    An epoch's weights are kept from `keep_from_epoch` on, and only if they do better on the first
    `len(y)` rows, those of validation, than the last epoch before that one and all that were kept since.
    Until then the untrained network stands.

    Source: the released code of Groh et al. 2021 and skin-diff (kept from the 12th epoch on, by the lowest
    loss), FairDisCo and PatchAlign (from the 2nd, by the highest accuracy).
    """
    standing, best = untrained, -np.inf
    for epoch in epochs:
        merit = _merit(epoch.p[: len(y)], y, published.keep_by)
        if epoch.number < published.keep_from_epoch:
            best = merit
        elif merit > best:
            standing, best = epoch.p, merit
        yield replace(epoch, p=standing)


def _merit(p: Probabilities, y: Codes, by: str) -> float:
    if by == "accuracy":
        return float((p.argmax(axis=1) == y).mean())
    if by == "loss":
        return float(np.log(p[np.arange(len(y)), y].clip(1e-300)).mean())
    raise StageError(f"keep_by is {by!r}, wanted accuracy or loss")


def renumbered(p: Probabilities, trained: Codes, present: Codes) -> Probabilities:
    """Probabilities [n, k] as they read where each partition numbers the classes that it has by itself.

    The j-th of the classes of `trained` rows is then taken for the j-th of those `present`; what is left
    over, for the absent ones. Nothing changes where both have all classes.

    Source: the loader of the Fitzpatrick17k-C benchmark, which makes `cat.codes` anew for each partition.
    """
    taken_for = np.empty_like(p)
    taken_for[:, _first(present, p.shape[1])] = p[:, _first(trained, p.shape[1])]
    return taken_for


def _first(codes: Codes, k: int) -> list[int]:
    present = {int(code) for code in np.unique(codes)}
    return sorted(present) + sorted(set(range(k)) - present)


def as_published(
    epochs: Iterator[Epoch], untrained: Probabilities | None, data: LabelsSeen, published: Published
) -> Iterator[Epoch]:
    """The epochs as they are, or as published code would have them where a parameter asks for that."""
    if untrained is not None:
        epochs = kept_late(epochs, untrained, data.validation, published)
    for epoch in epochs:
        yield (
            replace(epoch, p=_with_codes(epoch.p, data, published))
            if published.codes_at_test
            else epoch
        )


def _with_codes(p: Probabilities, seen: LabelsSeen, published: Published) -> Probabilities:
    n = len(seen.validation)
    at_test = np.array([seen.classes.index(label) for label in published.codes_at_test])
    return np.concatenate(
        [
            renumbered(p[:n], seen.train, seen.validation),
            renumbered(p[n:], seen.train, at_test),
        ]
    )
