"""Where an entry's numbers come from: stages with their costs, digests in full, circumstances."""

from collections.abc import Iterable
from dataclasses import dataclass

from tonegap.formats.record import Record, StageCost
from tonegap.report.pages.details import cost_of, facts_of
from tonegap.report.pages.entry_kept import EntryKept
from tonegap.report.phrases import UNDEFINED, metric_label, spread_words
from tonegap.scores.repeats import standard_deviation
from tonegap.scores.tables import ALL

_SHORT = 12


@dataclass(frozen=True, slots=True)
class StageLine:
    """A stage of one seed: its plug-in, what it took, and the start of its key and environment."""

    seed: str
    stage: str
    plugin: str
    seconds: str
    cpu_seconds: str
    memory: str
    key: str
    environment: str


@dataclass(frozen=True, slots=True)
class SeedFacts:
    """The digests behind one seed, in full, as (name, text) pairs; or why it has no result."""

    seed: int
    facts: tuple[tuple[str, str], ...]
    missing: str


def stage_lines(kept: EntryKept) -> tuple[StageLine, ...]:
    """Every stage of every finished seed, in the order they ran."""
    return tuple(line for record in kept.row.records for line in _stages(record))


def seed_facts(kept: EntryKept) -> tuple[SeedFacts, ...]:
    """What each seed rests on."""
    return tuple(
        SeedFacts(
            seed.seed,
            tuple(_digests(kept, seed.key, seed.record)) if seed.record else (),
            seed.hole.text if seed.hole else "",
        )
        for seed in kept.row.seeds
    )


def circumstances(kept: EntryKept) -> tuple[tuple[str, str], ...]:
    """Parameters, isolation, hardware and versions, those that differ between seeds beside each other."""
    records = kept.row.records
    facts = (pair for pair in facts_of(records) if pair[0] != "Stages")  # a table of their own
    return (*_submitted(kept), *facts, ("Cost, all seeds", cost_of(records)), *_repeated(kept))


def _repeated(kept: EntryKept) -> Iterable[tuple[str, str]]:
    """How far the first metric spreads from run to run, beside its spread over seeds; nothing without repeats."""
    selection, _, metric = kept.table.ranked
    name = f"{selection}: {metric}, {ALL}"
    seeds = [seed for seed in kept.row.seeds if seed.repeats and name in seed.repeats.scores]
    if not seeds:
        return
    for seed in seeds:
        if seed.repeats:
            words = spread_words(seed.repeats, name)
            yield f"{metric_label(metric)} from run to run, seed {seed.seed}", words
    values = kept.row.views[kept.table.ranked].scores.overall.values
    over = standard_deviation(values)
    if over is not None:
        words = f"{100 * over:.1f} points (standard deviation of {len(values)} seeds)"
        yield f"{metric_label(metric)} from seed to seed", words


def _submitted(kept: EntryKept) -> Iterable[tuple[str, str]]:
    """Whose result an external submission is: its stages have keys `ID:KEY`."""
    keys = {stage.key for record in kept.row.records for stage in record.stages}
    ids = {key.rpartition(":")[0] for key in keys}
    for shelved in kept.board.submissions:
        if shelved.id in ids:
            card = shelved.submission
            named = (
                ("Authors", card.authors),
                ("Their paper", card.paper),
                ("Their code", card.code),
            )
            yield from ((name, text) for name, text in named if text)
            yield "How it came here", f"{shelved.id}: {card.about}"


def _stages(record: Record) -> Iterable[StageLine]:
    costs = {cost.stage: cost for cost in record.circumstances.costs}
    for stage in record.stages:
        cost = costs.get(stage.stage)
        yield StageLine(
            str(record.seed),
            stage.stage,
            stage.plugin,
            *_cost(cost),
            stage.key[:_SHORT],
            stage.environment[:_SHORT],
        )


def _cost(cost: StageCost | None) -> tuple[str, str, str]:
    if cost is None:
        return UNDEFINED, UNDEFINED, UNDEFINED
    amounts = (cost.seconds, cost.cpu_seconds, cost.peak_memory_mib)
    seconds, cpu, memory = (UNDEFINED if a is None else f"{a:,.0f}" for a in amounts)
    return seconds, cpu, memory


def _digests(kept: EntryKept, key: str, record: Record) -> Iterable[tuple[str, str]]:
    yield "Record", key
    yield "Predictions", record.predictions_sha256
    if record.truth_sha256:
        yield "Truth", record.truth_sha256
    yield "Metadata", record.data.metadata_sha256
    yield "Images", record.data.images_sha256
    for name, part in record.partitions.items():
        yield f"Ids, {name} ({part.n:,})", part.sha256
    if record.synthetic:
        yield f"Synthetic images ({record.synthetic.n:,})", record.synthetic.sha256
    for stage in record.stages:
        yield f"Stage, {stage.stage}", stage.key
        yield f"Image or environment, {stage.stage}", stage.environment
        code = kept.marks[stage.key].ingredients.get("plug-in") if stage.key in kept.marks else None
        if code:
            yield f"Code, {stage.plugin}", code
