"""Whether the records of a table may stand beside each other, and what must be said about them.

The mistake it exists to prevent: a mean over seeds, or a rank, across different data or settings.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from tonegap.formats.matrix import Cell
from tonegap.formats.record import EntryId, Record, SyntheticId
from tonegap.results.model import Hole, SeedResult


def cells_by_entry(cells: Sequence[Cell]) -> dict[EntryId, list[Cell]]:
    """The cells of each entry by seed; entries in order of appearance."""
    found: dict[EntryId, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.id.entry, []).append(cell)
    return {entry: sorted(own, key=lambda c: c.id.seed) for entry, own in found.items()}


def seed_results(cells: Sequence[Cell]) -> tuple[SeedResult, ...]:
    """What became of each seed."""
    return tuple(
        SeedResult(
            cell.id.seed,
            cell.id.key,
            cell.record,
            None if cell.record else Hole(cell.id.entry, cell.id.task, cell.id.seed, cell.failure),
            cell.repeats,
        )
        for cell in cells
    )


def marks_of(
    seeds: Sequence[SeedResult], control: bool, elsewhere: bool, submission: str = ""
) -> tuple[str, ...]:
    """The marks of a row (keys of MARKS), except those that need another row to tell."""
    records = [s.record for s in seeds if s.record]
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
        "origin unknown": any(r.synthetic and _unknown(r.synthetic) for r in records),
        "incomplete seeds": len(records) < len(seeds),
        "other data": elsewhere,
        "mixed": len({_recipe(r) for r in records}) > 1,
    }
    return tuple(mark for mark, holds in found.items() if holds)


def _unknown(made: SyntheticId) -> int:
    """Of how many synthetic images nobody says what they were made from."""
    return made.n_unknown + made.n_unnamed


def other_data(seeds: Mapping[EntryId, Sequence[SeedResult]]) -> set[EntryId]:
    """Entries that at some seed saw other images or partitions than most entries did."""
    by_seed: dict[int, dict[EntryId, str]] = {}
    for entry, results in seeds.items():
        for result in results:
            if result.record:
                by_seed.setdefault(result.seed, {})[entry] = _data(result.record)
    found: set[EntryId] = set()
    for of_entry in by_seed.values():
        # The order of appearance breaks a tie.
        usual = Counter(of_entry.values()).most_common(1)[0][0]
        found.update(entry for entry, data in of_entry.items() if data != usual)
    return found


def other_seeds(cells: Mapping[EntryId, Sequence[Cell]]) -> dict[EntryId, str]:
    """Entries whose declared seeds are not those of most of this store's own entries, and why they have no rank.

    One of several seeds may be the lucky one, and a seed of somebody's choice more so. Of equally many the more
    seeds are the usual ones. Without an entry of this store's own there is nothing to differ from.
    """
    seeds = {entry: tuple(cell.id.seed for cell in own) for entry, own in cells.items()}
    ours = [entry for entry, own in cells.items() if not own[0].submission]
    counted = Counter(seeds[e] for e in ours if not cells[e][0].id.control)
    counted = counted or Counter(seeds[e] for e in ours)
    if not counted:
        return {}
    usual = max(counted, key=lambda found: (counted[found], len(found), found))
    return {
        entry: f"its seeds ({_listed(own)}) are not those of the others ({_listed(usual)})"
        for entry, own in seeds.items()
        if own != usual and not cells[entry][0].id.control
    }


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _data(record: Record) -> str:
    parts = sorted((name, part.sha256) for name, part in record.partitions.items())
    return repr((record.data, parts))


def _recipe(record: Record) -> str:
    stages = sorted((s.stage, s.plugin, s.environment) for s in record.stages)
    parameters = (
        sorted(record.method_parameters.items()),
        sorted(record.baseline_parameters.items()),
    )
    return repr((parameters, stages))
