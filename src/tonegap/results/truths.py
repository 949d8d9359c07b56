"""Checks that scores by tone rest on the truth that they should; what does not is said above every table.

The mistake it exists to prevent: two tones exchanged somewhere between the metadata and the table. Every
number is then defined, plausible, and wrong.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from tonegap.formats.record import Record
from tonegap.formats.truth import TaskTruth, truth_place
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.task_rules import tone_axes
from tonegap.store.layout import first_truth_unit

Said = dict[str, tuple[str, str | None]]  # image id -> label, tone
_TOLERANCE = 1e-9
_METRIC = "accuracy"


def said_of(
    truths: Iterable[TaskTruth], not_scored: Collection[str] = ()
) -> tuple[Said, str | None]:
    """Label and tone of every image of validation and test parts, and the first image of which two truths differ.

    Tones that a task does not score (`not_scored`) are unknown in its test parts, so they count as unknown in all.
    """
    said: Said = {}
    twice: list[str] = []
    for truth in truths:
        for part in (truth.validation, truth.test):
            for image, label, known in zip(part.ids, part.labels, part.tones, strict=True):
                tone = None if known in not_scored else known
                if said.setdefault(image, (label, tone)) != (label, tone):
                    twice.append(image)
    return said, next(iter(twice), None)


def truth_alarms(
    records: Sequence[Record],
    truth_of: Callable[[Record], TaskTruth | None],
    first_of: Callable[[Record], TaskTruth | None],
) -> tuple[str, ...]:
    """What is said of the same images in one place and otherwise in another, one sentence each.

    A record's truth is held against the first that the store kept of its task (`first_of`), and where there is
    none against that of the first record; each truth once.
    """
    seen: set[tuple[str, str]] = set()
    usual: dict[str, Said] = {}
    found: dict[str, None] = {}
    for record in records:
        if (record.task, record.truth_sha256) in seen:
            continue
        seen.add((record.task, record.truth_sha256))
        truth, first = truth_of(record), first_of(record)
        if truth is None:
            continue
        place = truth_place(record.task, record.seed, record.data)
        own, _ = said_of([truth])
        against = said_of([first])[0] if first else usual.setdefault(place, own)
        where = f"{record.task}, seed {record.seed}, as {record.entry.label} was scored"
        cure = f" (if on purpose, remove {first_truth_unit(place)})" if first else ""
        found.update(dict.fromkeys(f"{where}: {text}{cure}" for text in _differences(against, own)))
    return tuple(found)


def _differences(first: Said, own: Said) -> Iterator[str]:
    both = [image_id for image_id in own if image_id in first]
    labels = [i for i in both if own[i][0] != first[i][0]]
    if labels:
        was, now = first[labels[0]][0], own[labels[0]][0]
        yield f"{len(labels):,} have another label than at first ({labels[0]}: {was}, now {now}, …)"
    before, after = [first[i][1] for i in both], [own[i][1] for i in both]
    if before != after:
        yield _tones_in_words(both, before, after)


def _tones_in_words(
    ids: Sequence[str], before: Sequence[str | None], after: Sequence[str | None]
) -> str:
    """The two tones that were exchanged, where that explains every difference; else the first image."""
    moved = [i for i, (was, now) in enumerate(zip(before, after, strict=True)) if was != now]
    ways = {(before[i], after[i]) for i in moved}
    pair = sorted({str(tone) for way in ways for tone in way})
    n = f"{len(moved):,} have another tone than at first"
    if len(pair) == 2 and all(
        was != now for was, now in zip(before, after, strict=True) if str(was) in pair
    ):
        return f"tones {pair[0]} and {pair[1]} are exchanged ({n})"
    at = moved[0]
    return f"{n} ({ids[at]}: {before[at] or 'unknown'}, now {after[at] or 'unknown'}, …)"


def contradiction(record: Record, said: TestAnswers, rule: str) -> str | None:
    """What a record's scores by tone have against its own predictions and truth; None if they agree."""
    right = said.p.argmax(axis=1) == said.y
    for axis, tones, scored in tone_axes(said.tones, record.tones):
        table = record.scores[rule].tables.get(axis)
        if table is None:
            continue
        columns = zip(table.metric, table.tone, table.value, table.n, strict=True)
        written = {t: (v, n) for m, t, v, n in columns if m == _METRIC and t in scored}
        index = np.array([scored.index(t) if t in scored else -1 for t in tones])
        parts = ((tone, right[index == i]) for i, tone in enumerate(scored))
        computed = {t: (float(p.mean()) if len(p) else None, len(p)) for t, p in parts}
        wrong = [t for t in scored if t in written and not _same(written[t], computed[t])]
        if wrong:
            return _in_words(record, wrong, written, computed)
    return None


SupportedScore = tuple[float | None, int]


def _same(written: SupportedScore, computed: SupportedScore) -> bool:
    """Whether they agree; a score that has too few images to be written down has none to compare."""
    if written[0] is None or computed[0] is None:
        return True
    return abs(written[0] - computed[0]) <= _TOLERANCE and written[1] == computed[1]


def _in_words(
    record: Record,
    wrong: Sequence[str],
    written: Mapping[str, SupportedScore],
    computed: Mapping[str, SupportedScore],
) -> str:
    where = f"{record.entry.label}, {record.task}, seed {record.seed}"
    if len(wrong) == 2:
        a, b = wrong
        if _same(written[a], computed[b]) and _same(written[b], computed[a]):
            return f"{where}: its record has the scores of tones {a} and {b} exchanged, by its predictions and truth"
    tone = wrong[0]
    return (
        f"{where}: its record says {_METRIC} {written[tone][0]:.4f} of tone {tone}, "
        f"its own predictions and truth give {computed[tone][0]:.4f}"
    )
