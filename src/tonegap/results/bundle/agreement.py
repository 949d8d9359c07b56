"""Whether bundles say the same of the same images, and what follows where they do not.

The mistake it exists to prevent: a bundle with labels of its own that ranks beside those scored against the task's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tonegap.formats.record import Record
from tonegap.formats.truth import TaskTruth, decode_truth
from tonegap.store.layout import truth_unit

Said = dict[str, tuple[str, str | None]]  # image id -> label, tone


@dataclass(frozen=True, slots=True)
class Voice:
    """What one bundle says of a task's images; `keys` are its records', the same ones have one vote together."""

    path: Path
    said: Said
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Disagreements:
    """Why a bundle is outvoted, and why a task has no ranks, a sentence each."""

    outvoted: dict[Path, str] = field(default_factory=dict)
    contested: dict[str, str] = field(default_factory=dict)


def said_of(task: str, truths: Iterable[TaskTruth]) -> tuple[Said, list[str]]:
    """Label and tone of every image of a task's truths, and what they say in two ways, at most one sentence."""
    said: Said = {}
    twice: dict[str, None] = {}
    for truth in truths:
        for part in (truth.validation, truth.test):
            for image, label, tone in zip(part.ids, part.labels, part.tones, strict=True):
                if said.setdefault(image, (label, tone)) != (label, tone):
                    twice[image] = None
    first = next(iter(twice), None)
    return said, [f"{task}: two truths in it differ about {first}"] if first else []


def truths_of(store: Path, records: Iterable[Record]) -> list[TaskTruth]:
    """The truths that records of a store, or of an extracted bundle, were scored against, each once."""
    units = {r.truth_sha256: truth_unit(r.truth_sha256) for r in records}
    return [
        decode_truth((store / u).read_bytes(), sha256, u)
        for sha256, u in units.items()
        if (store / u).is_file()
    ]


def disagreements(
    voices: Mapping[str, list[Voice]], own: Mapping[str, Said] | None = None
) -> Disagreements:
    """By task: who says otherwise than this store (`own`) or than most bundles, and where no majority is.

    A tie about one image, among those not outvoted, leaves the task contested: which is right is open.
    """
    found = Disagreements()
    for task, all_voices in sorted(voices.items()):
        ours = (own or {}).get(task, {})
        left = []
        for voice in all_voices:
            other = [i for i, told in voice.said.items() if ours.get(i, told) != told]
            if other:
                how = _in_words(other[0], voice.said, ours)
                found.outvoted[voice.path] = (
                    f"{task}: another truth of {len(other):,} images than this store's ({how})"
                )
            else:
                left.append(voice)
        _vote(task, left, found)
    return found


def _vote(task: str, voices: list[Voice], found: Disagreements) -> None:
    voters = list({v.keys: v for v in voices}.values())
    votes: dict[str, Counter[tuple[str, str | None]]] = {}
    for voice in voters:
        for image, told in voice.said.items():
            votes.setdefault(image, Counter())[told] += 1
    settled = {
        image: value
        for image, told in votes.items()
        for value, n in told.most_common(1)
        if 2 * n > told.total()
    }
    left = []
    for voice in voices:
        other = [i for i, told in voice.said.items() if settled.get(i, told) != told]
        if not other:
            left.append(voice)
            continue
        with_it = [v.path.name for v in voices if v.said.get(other[0]) == settled[other[0]]]
        how = _in_words(other[0], voice.said, settled)
        found.outvoted[voice.path] = (
            f"{task}: another truth of {len(other):,} images than most bundles, {', '.join(with_it)} ({how})"
        )
    apart = [image for image in votes if len({v.said[image] for v in left if image in v.said}) > 1]
    if apart:
        each = ", ".join(
            f"{_word(v.said[apart[0]])} in {v.path.name}" for v in left if apart[0] in v.said
        )
        found.contested[task] = (
            f"{task}: bundles disagree on the truth of {len(apart):,} images ({apart[0]}: {each}) and do not show "
            "which is right: nothing of the task is ranked"
        )


def _in_words(image: str, said: Said, wanted: Said) -> str:
    return f"{image}: {_word(said[image])}, there {_word(wanted[image])}"


def _word(told: tuple[str, str | None]) -> str:
    return f"{told[0]}, tone {told[1] or 'unknown'}"
