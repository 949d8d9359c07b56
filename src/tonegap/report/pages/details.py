"""The evidence behind a row and behind a table, as the page lists it.

The mistake it exists to prevent: a number whose data, code and circumstances nobody can name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tonegap.formats.record import SELECTIONS, Isolation, PartitionId, Record
from tonegap.lines import counted
from tonegap.report.pages.plots import curve_panel
from tonegap.results.model import LeaderboardTable, Row
from tonegap.tones import tone_index

_SHORT = 12
_UNKNOWN = "unknown"
_PARTS = ("train", "validation", "test", "unused")


@dataclass(frozen=True, slots=True)
class SeedLine:
    """One seed of an entry: picked epochs, threshold, digests; or why there is nothing."""

    seed: int
    epochs: tuple[str, ...]
    threshold: str
    key: str
    predictions: str
    missing: str


@dataclass(frozen=True, slots=True)
class Details:
    """An entry's evidence; `facts` are (name, text) pairs."""

    id: str
    label: str
    marks: tuple[str, ...]
    curve: str
    selection_metric: str
    seeds: tuple[SeedLine, ...]
    facts: tuple[tuple[str, str], ...]
    cost: str


@dataclass(frozen=True, slots=True)
class PartitionLine:
    """A partition's size, in all and by tone, and the digest of its id list."""

    name: str
    n: str
    n_by_tone: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class DataNote:
    """What the entries of a table were run on at one or more seeds."""

    seeds: str
    facts: tuple[tuple[str, str], ...]
    tones: tuple[str, ...]
    partitions: tuple[PartitionLine, ...]


def entry_details(row: Row, element_id: str) -> Details:
    """The evidence of one row; `element_id` is unique in the page."""
    records = row.records
    metric = records[0].selection_metric if records else ""
    return Details(
        id=element_id,
        label=row.entry.label,
        marks=row.marks,
        curve=curve_panel(records, row.entry.label),
        selection_metric=metric,
        seeds=seed_lines(row),
        facts=facts_of(records),
        cost=cost_of(records),
    )


def seed_lines(row: Row) -> tuple[SeedLine, ...]:
    """A line for each seed of a row."""
    return tuple(
        _seed_line(s.seed, s.key, s.record, s.hole.text if s.hole else "") for s in row.seeds
    )


def data_notes(table: LeaderboardTable) -> tuple[DataNote, ...]:
    """What each seed ran on; seeds with the same data and partitions share a note."""
    seeds: dict[str, list[int]] = {}
    example: dict[str, Record] = {}
    for row in table.all_rows:
        for record in row.records:
            parts = sorted((name, part.sha256) for name, part in record.partitions.items())
            key = repr((record.data, parts))
            example.setdefault(key, record)
            if record.seed not in seeds.setdefault(key, []):
                seeds[key].append(record.seed)
    return tuple(_data_note(sorted(seeds[key]), record) for key, record in example.items())


def _data_note(seeds: Sequence[int], record: Record) -> DataNote:
    data, leaks = record.data, record.leaks
    parts = [(name, record.partitions[name]) for name in _PARTS if name in record.partitions]
    tones = _tones(part for _, part in parts)
    facts = (
        (
            "Data set",
            " ".join([data.data_set, *([f"({' + '.join(data.joined)})"] if data.joined else [])]),
        ),
        ("Metadata", data.metadata_sha256[:_SHORT]),
        ("Images", data.images_sha256[:_SHORT]),
        ("Minimum support", f"{record.min_support} images, or a score is undefined"),
        ("Positive classes", ", ".join(record.positive) or "none declared"),
        ("Near-duplicates across the test border", _leaks(leaks.n_groups, leaks.n_test_images)),
        *_grouped(record),
        ("Images of unknown tone", _unknown(record)),
        *(("List", f"{e.text} (SHA-256 {e.sha256[:_SHORT]})") for e in data.exclusions),
    )
    lines = tuple(_partition_line(name, part, tones) for name, part in parts)
    return DataNote(_listed(seeds), facts, tones, lines)


def _tones(parts: Iterable[PartitionId]) -> tuple[str, ...]:
    """Every tone that partitions have, light to dark, unknown last."""
    found = {tone for part in parts for tone in part.n_by_tone}
    known = sorted(found - {_UNKNOWN}, key=lambda tone: (tone_index(tone), tone))
    return (*known, *({_UNKNOWN} & found))


def _grouped(record: Record) -> Iterator[tuple[str, str]]:
    """A line for patients and one for lesions, where the data set says which images belong together."""
    n_test, n_validation = (record.partitions[name].n for name in ("test", "validation"))
    for column, leak in record.leaks.groups.items():
        name, _, text = leak.text(column, n_test, n_validation).partition(": ")
        yield name.capitalize(), text


def _unknown(record: Record) -> str:
    n_kept = sum(part.n_by_tone.get(_UNKNOWN, 0) for part in record.partitions.values())
    if record.n_without_tone:
        return f"{record.n_without_tone:,} left out of the task"
    return f"{n_kept:,} kept: in the scores over all images, in no tone's" if n_kept else "none"


def _leaks(n_groups: int, n_images: int) -> str:
    if not n_groups:
        return "none found"
    images = f"{n_images:,} test image{'' if n_images == 1 else 's'} in them"
    return f"{counted(n_groups, 'set of near-duplicates')}, {images}"


def _partition_line(name: str, part: PartitionId, tones: Sequence[str]) -> PartitionLine:
    by_tone = tuple(f"{part.n_by_tone.get(tone, 0):,}" for tone in tones)
    return PartitionLine(name, f"{part.n:,}", by_tone, part.sha256[:_SHORT])


def _seed_line(seed: int, key: str, record: Record | None, missing: str) -> SeedLine:
    if record is None:
        return SeedLine(seed, (), "", key[:_SHORT], "", missing)
    picked = [record.scores.get(name) for name in SELECTIONS]
    validation = record.scores.get("validation")
    threshold = validation.threshold if validation else None
    return SeedLine(
        seed=seed,
        epochs=tuple("–" if p is None else str(p.epoch) for p in picked),
        threshold="–" if threshold is None else f"{threshold:.3f}",
        key=key[:_SHORT],
        predictions=record.predictions_sha256[:_SHORT],
        missing="",
    )


def facts_of(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """What was in force, values that differ between seeds separated by semicolons."""

    def each(texts: Iterable[str]) -> str:
        return "; ".join(dict.fromkeys(text for text in texts if text))

    where = [record.circumstances for record in records]
    found = (
        ("Parameters of the method", each(_pairs(r.method_parameters) for r in records)),
        ("Parameters of the baseline", each(_pairs(r.baseline_parameters) for r in records)),
        ("Synthetic images", each(_synthetic(r) for r in records)),
        ("Stages", each(_stages(r) for r in records)),
        ("Isolation", each(f"{c.isolation.engine}: {_isolation(c.isolation)}" for c in where)),
        ("Hardware", each(_pairs(c.hardware) for c in where)),
        ("Versions", each(_pairs(c.versions) for c in where)),
    )
    return tuple((name, text) for name, text in found if text)


def _isolation(isolation: Isolation) -> str:
    contained = "contained" if isolation.contained else "not contained"
    limits = f", limits {_pairs(isolation.limits)}" if isolation.limits else ""
    return f"{contained}, network {isolation.network}, files {isolation.files}{limits}"


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()))


def _synthetic(record: Record) -> str:
    if record.synthetic is None:
        return ""
    made = record.synthetic
    by_tone = ", ".join(f"{tone} {n:,}" for tone, n in made.n_by_tone.items() if n)
    origin = [
        f"{n:,} {text}"
        for n, text in (
            (made.n_unknown, "of unknown lineage"),
            (made.n_unnamed, "that do not say what they were made from"),
            (
                made.n_allowed,
                f"descend from training images that are shown beside held-out ones{_by_rule(made.shown)}",
            ),
            (
                sum(made.withheld.values()),
                f"training images withheld, for images that are held out{_by_rule(made.withheld)}",
            ),
        )
        if n
    ]
    return "; ".join(
        [f"{made.n:,} ({by_tone or 'none were made'}), {made.sha256[:_SHORT]}", *origin]
    )


def _by_rule(counts: Mapping[str, int]) -> str:
    """` (near-duplicate 10, same patient 2)`; empty for none."""
    return f" ({_pairs(counts)})" if counts else ""


def _stages(record: Record) -> str:
    return ", ".join(
        f"{s.stage} of {s.plugin} (key {s.key[:_SHORT]}, environment {s.environment[:_SHORT]})"
        for s in record.stages
    )


def cost_of(records: Sequence[Record]) -> str:
    """Total over seeds: wall and processor time, and the highest peak of memory."""
    costs = [cost for record in records for cost in record.circumstances.costs]
    if not costs:
        return "not measured"
    cpu = [cost.cpu_seconds for cost in costs]
    peaks = [cost.peak_memory_mib for cost in costs if cost.peak_memory_mib is not None]
    known = [seconds for seconds in cpu if seconds is not None]
    cpu_text = f"{sum(known):,.0f} s of processor" if len(known) == len(cpu) else "processor –"
    memory = f"{max(peaks):,.0f} MiB at most" if peaks else "memory –"
    return f"{sum(cost.seconds for cost in costs):,.0f} s, {cpu_text}, {memory}"


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
