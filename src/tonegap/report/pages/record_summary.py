"""Says in words what records rest on: data, partitions, parameters, stages, machines, costs.

The mistake it exists to prevent: a number whose data, code and circumstances nobody can name.
"""

from collections.abc import Iterable, Mapping, Sequence

from tonegap.formats.record import Record, SyntheticId
from tonegap.lines import counted
from tonegap.report.phrases import spelled
from tonegap.results.costs import total_cost
from tonegap.results.model import LeaderboardTable
from tonegap.tones import tone_order

_SHORT = 12
_UNKNOWN = "unknown"
_PARTS = ("train", "validation", "test", "unused")
# Kinds of plug-ins as people read them.
NAMES = {
    "method": "method",
    "baseline": "baseline",
    "postprocessor": "post-processor",
    "extractor": "extractor",
}
Facts = tuple[tuple[str, str], ...]


def same_data(table: LeaderboardTable) -> list[tuple[list[int], Record]]:
    """The seeds of a table that ran on the same data and partitions, with a record of one of them."""
    seeds: dict[str, list[int]] = {}
    example: dict[str, Record] = {}
    for record in table.records:
        parts = sorted((name, part.sha256) for name, part in record.partitions.items())
        key = repr((record.data, parts))
        example.setdefault(key, record)
        if record.seed not in seeds.setdefault(key, []):
            seeds[key].append(record.seed)
    return [(sorted(seeds[key]), record) for key, record in example.items()]


def data_facts(record: Record) -> tuple[Facts, tuple[str, ...], tuple[str, ...]]:
    """What a record ran on as (name, text), the names of its partitions, and their tones, unknown last."""
    data, leaks = record.data, record.leaks
    names = tuple(name for name in _PARTS if name in record.partitions)
    counts = {name: record.tone_counts(name) for name in names}
    tones = {tone for of in counts.values() for tone in of}
    known = sorted(tones - {_UNKNOWN}, key=tone_order)
    n_kept = record.n_unknown_tone
    unknown = f"{n_kept:,} kept: in the scores over all images, in no tone's" if n_kept else "none"
    if record.n_without_tone:
        unknown = f"{record.n_without_tone:,} left out of the task"
    across = "none found"
    if leaks.n_groups:
        images = f"{leaks.n_test_images:,} test image{'' if leaks.n_test_images == 1 else 's'}"
        across = f"{counted(leaks.n_groups, 'set of near-duplicates')}, {images} in them"
    n_test, n_validation = (record.partitions[name].n for name in ("test", "validation"))
    grouped = [
        leak.text(column, n_test, n_validation).partition(": ")
        for column, leak in leaks.groups.items()
    ]
    tested = f"; tested on {' + '.join(data.tested)}" if data.tested else ""
    joined = f" ({' + '.join(data.joined)}{tested})" if data.joined else ""
    facts = (
        ("Data set", f"{data.data_set}{joined}"),
        ("Metadata", data.metadata_sha256[:_SHORT]),
        ("Images", data.images_sha256[:_SHORT]),
        ("Minimum support", f"{record.min_support} images, or a score is undefined"),
        ("Positive classes", ", ".join(record.positive) or "none declared"),
        ("Near-duplicates across the test border", across),
        *((name.capitalize(), text) for name, _, text in grouped),
        ("Images of unknown tone", unknown),
        *(("List", f"{e.text} (SHA-256 {e.sha256[:_SHORT]})") for e in data.exclusions),
    )
    return facts, names, (*known, *({_UNKNOWN} & tones))


def facts_of(records: Sequence[Record]) -> Facts:
    """What was in force, values that differ between seeds separated by semicolons."""

    def each(texts: Iterable[str]) -> str:
        return "; ".join(dict.fromkeys(text for text in texts if text))

    where = [record.circumstances for record in records]
    isolation = (
        f"{c.isolation.engine}: {'contained' if c.isolation.contained else 'not contained'}, "
        f"network {c.isolation.network}, files {c.isolation.files}"
        f"{f', limits {_pairs(c.isolation.limits)}' if c.isolation.limits else ''}"
        for c in where
    )
    stages = (
        ", ".join(
            f"{s.stage} of {s.plugin} (key {s.key[:_SHORT]}, environment {s.environment[:_SHORT]})"
            for s in record.stages
        )
        for record in records
    )
    found = (
        *(
            (f"Parameters of the {NAMES[kind]}", each(_written(r, kind) for r in records))
            for kind in NAMES
        ),
        ("Synthetic images", each(synthetic_text(r.synthetic) for r in records if r.synthetic)),
        ("Pretraining saw test data", each(e.text for r in records for e in r.exposure or ())),
        ("Stages", each(stages)),
        ("Isolation", each(isolation)),
        ("Hardware", each(_pairs(c.hardware) for c in where)),
        ("Versions", each(_pairs(c.versions) for c in where)),
    )
    return tuple((name, text) for name, text in found if text)


def parameter_rows(records: Sequence[Record]) -> list[tuple[str, str, str]]:
    """Kind of plug-in, parameter, and its values as a suite file has them, several where seeds differ."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for record in records:
        for kind, name in NAMES.items():
            for parameter, value in sorted(record.plugin_parameters.get(kind, {}).items()):
                found.setdefault((name, parameter), {})[spelled(value)] = None
    return [(*key, "; ".join(values)) for key, values in found.items()]


def _written(record: Record, kind: str) -> str:
    values = record.plugin_parameters.get(kind, {})
    return ", ".join(f"{name} {spelled(value)}" for name, value in sorted(values.items()))


def synthetic_text(made: SyntheticId) -> str:
    """How many synthetic images by tone, and what is known of what they were made from."""

    def by_rule(counts: Mapping[str, int]) -> str:
        return f" ({_pairs(counts)})" if counts else ""

    by_tone = ", ".join(f"{tone} {n:,}" for tone, n in made.n_by_tone.items() if n)
    shown = f"descend from training images that are shown beside held-out ones{by_rule(made.shown)}"
    withheld = f"training images withheld, for images that are held out{by_rule(made.withheld)}"
    origin = (
        (made.n_unknown, "of unknown lineage"),
        (made.n_unnamed, "that do not say what they were made from"),
        (made.n_allowed, shown),
        (made.n_withheld, withheld),
    )
    number = f"{made.n:,} ({by_tone or 'none were made'}), {made.sha256[:_SHORT]}"
    return "; ".join([number, *(f"{n:,} {text}" for n, text in origin if n)])


def cost_of(records: Sequence[Record]) -> str:
    """Total over seeds: wall and processor time, and the highest peak of memory."""
    total = total_cost(records)
    if not total.n_stages:
        return "not measured"
    cpu, peak = total.cpu_seconds, total.peak_memory_mib
    cpu_text = "processor –" if cpu is None else f"{cpu:,.0f} s of processor"
    memory = "memory –" if peak is None else f"{peak:,.0f} MiB at most"
    return f"{total.seconds:,.0f} s, {cpu_text}, {memory}"


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()))
