"""Decides whether the records of a table may stand beside each other, and computes the changes of an entry.

The mistake it exists to prevent: a mean over seeds, a rank or a change across different data, settings or backbones.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from tonegap.declared.report_settings import Reference
from tonegap.formats.matrix import RunOutcome
from tonegap.formats.record import EntryId, Record
from tonegap.results.model import Comparison, Difference, Hole, MeanScores, SeedResult
from tonegap.results.seeds import difference

# Differences below this come from the order of additions, not from images.
ROUNDING = 1e-9


def runs_by_entry(runs: Sequence[RunOutcome]) -> dict[EntryId, list[RunOutcome]]:
    """The runs of each entry by seed; entries in order of appearance."""
    found: dict[EntryId, list[RunOutcome]] = {}
    for run in runs:
        found.setdefault(run.id.entry, []).append(run)
    return {entry: sorted(own, key=lambda c: c.id.seed) for entry, own in found.items()}


def seed_results(runs: Sequence[RunOutcome]) -> tuple[SeedResult, ...]:
    """What became of each seed."""
    return tuple(
        SeedResult(
            run.id.seed,
            run.id.key,
            run.record,
            None if run.record else Hole(run.id.entry, run.id.task, run.id.seed, run.failure),
            run.repeats,
        )
        for run in runs
    )


def marks_of(
    seeds: Sequence[SeedResult], control: bool, elsewhere: bool, submission: str = ""
) -> tuple[str, ...]:
    """The marks of a row (keys of MARKS), except those that need another row to tell."""
    records = [s.record for s in seeds if s.record]
    seen = {r.seen for r in records} | ({"unknown"} if submission == "predictions" else set())
    found = {
        "control": control,
        "submitted bundle": submission == "bundle",
        "external predictions": submission == "predictions",
        "stand-in": any(r.data.stand_in for r in records),
        "subset": any(r.data.subset is not None for r in records),
        "excluded": any(r.data.exclusions for r in records),
        "without container": not all(r.circumstances.isolation.contained for r in records),
        # Of a run elsewhere that is a claim, and taking the mark away would be believing it.
        "says: in a container": submission == "bundle"
        and all(r.circumstances.isolation.contained for r in records),
        "tone at test": any(r.tone_at_test for r in records),
        "origin unknown": any(
            r.synthetic and r.synthetic.n_unknown + r.synthetic.n_unnamed for r in records
        ),
        "seen test data": "yes" in seen,
        "exposure unknown": "yes" not in seen and "unknown" in seen,
        "golden unchecked": any(
            r.bank and r.bank.parameters.get("golden") == "unchecked" for r in records
        ),
        "incomplete seeds": len(records) < len(seeds),
        "other data": elsewhere,
        "mixed": len({_recipe(r) for r in records}) > 1,
    }
    return tuple(mark for mark, holds in found.items() if holds)


def other_data(seeds: Mapping[EntryId, Sequence[SeedResult]]) -> set[EntryId]:
    """Entries that at some seed saw other images or partitions than most entries did."""
    by_seed: dict[int, dict[EntryId, str]] = {}
    for entry, results in seeds.items():
        for result in results:
            if record := result.record:
                parts = sorted((name, part.sha256) for name, part in record.partitions.items())
                by_seed.setdefault(result.seed, {})[entry] = repr((record.data, parts))
    found: set[EntryId] = set()
    for of_entry in by_seed.values():
        # The order of appearance breaks a tie.
        usual = Counter(of_entry.values()).most_common(1)[0][0]
        found.update(entry for entry, data in of_entry.items() if data != usual)
    return found


def other_seeds(runs: Mapping[EntryId, Sequence[RunOutcome]]) -> dict[EntryId, str]:
    """Entries whose declared seeds are not those of most of this store's own entries, and why they have no rank.

    One of several seeds may be the lucky one, and a seed of somebody's choice more so. Of equally many the more
    seeds are the usual ones. Without an entry of this store's own there is nothing to differ from.
    """
    seeds = {entry: tuple(run.id.seed for run in own) for entry, own in runs.items()}
    ours = [entry for entry, own in runs.items() if not own[0].submission]
    counted = Counter(seeds[e] for e in ours if not runs[e][0].id.control)
    counted = counted or Counter(seeds[e] for e in ours)
    if not counted:
        return {}
    usual = max(counted, key=lambda found: (counted[found], len(found), found))
    return {
        entry: f"its seeds ({listed(own)}) are not those of the others ({listed(usual)})"
        for entry, own in seeds.items()
        if own != usual and not runs[entry][0].id.control
    }


def listed(seeds: Sequence[int]) -> str:
    """Seeds as people read them; `none` where there is none."""
    return ", ".join(map(str, seeds)) or "none"


def _recipe(record: Record) -> str:
    stages = sorted((s.stage, s.plugin, s.environment) for s in record.stages)
    return repr(([sorted(values.items()) for values in record.plugin_parameters.values()], stages))


def reference_of(
    entry: EntryId, reference: Reference, others: Collection[EntryId]
) -> EntryId | None:
    """The reference for an entry among `others`: its own backbone and variant, else no variant."""
    for variant in (entry.variant, ""):
        wanted = EntryId(reference.method, reference.baseline, entry.backbone, variant)
        if wanted in others:
            return wanted
    return None


def compare(own: MeanScores, reference: MeanScores) -> Comparison:
    """Change of an entry's scores against the reference's, over the same seeds."""
    overall = difference(own.overall, reference.overall)
    if not (own.worst and own.gap and reference.worst and reference.gap):
        return Comparison(overall, None, None)
    worst, gap = difference(own.worst, reference.worst), difference(own.gap, reference.gap)
    return Comparison(overall, worst, gap)


def incomparable(own: MeanScores, reason: str) -> Comparison:
    """The change where there is nothing to compare with."""
    none = Difference(None, (), reason)
    per_tone = none if own.gap else None
    return Comparison(none, per_tone, per_tone)
