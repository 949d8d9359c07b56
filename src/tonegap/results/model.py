"""Defines the values of a leaderboard: frozen, read by every renderer and computed by none.

All scores are fractions (0.612, not 61.2 %). The mistake it exists to prevent: two renderers that
work out a number each, and differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import sub
from typing import cast

from tonegap.formats.matrix import Failure
from tonegap.formats.record import EntryId, Record
from tonegap.formats.repeats import Repeats
from tonegap.scores.repeats import standard_deviation

MARKS: dict[str, str] = {
    "reference": "changes are counted from this entry",
    "control": "a control: the others are read against it (chance, or more of the same); never ranked",
    "stand-in": "synthetic phantom images stand in for the real ones; says nothing about real skin",
    "subset": "a part of the task's images was used; not to be read beside full results",
    "excluded": "without the images of a user's list; not to be read beside full results",
    "without container": "a stage ran as a plain process, not in a container",
    "says: in a container": "by its own word every stage ran in a container; nothing here can check that",
    "tone at test": "the classifier, or what is done with its predictions, is told the tone of test images",
    "incomplete seeds": "a declared seed has no result; shown over the others, not ranked",
    "other data": "ran on other data than most entries of the table; not ranked",
    "other seeds": "its seeds are not those of the others; shown apart from their means, not ranked",
    "mixed": "its seeds ran with different parameters or environments; not ranked",
    "submitted bundle": "made elsewhere; every number of it was computed again here from its predictions",
    "external predictions": "predictions made elsewhere, scored here; how they were made nobody can check; not ranked",
    "origin unknown": "does not say what its images were made from",
    "seen test data": "what it was given was trained on images of this data set; its score is no measure of new images",
    "exposure unknown": "nobody knows whether what it was given was trained on images of this data set",
    "golden unchecked": "no golden vectors confirmed the weights and the preprocessing of its features",
    "levelling down": "significantly smaller gap than the reference, and significantly worse for the worst tone",
}


@dataclass(frozen=True, slots=True)
class Mean:
    """A score's mean over seeds; None with a reason if it is undefined in any of them.

    `values` has one value per finished seed. `n_low` to `n_high` images stand behind each of them. `low` and
    `high` are the smallest and largest over seeds; None if undefined or if there is one seed only.
    """

    value: float | None
    values: tuple[float | None, ...]
    n_low: int
    n_high: int
    reason: str | None
    low: float | None = None
    high: float | None = None

    @property
    def over_seeds(self) -> float | None:
        """The standard deviation over seeds; None for one seed, or where it is undefined in any."""
        return standard_deviation(self.values)

    def overlaps(self, other: "Mean") -> bool | None:
        """Whether the ranges over seeds have a value in common; None where one of the two has none."""
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return None
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, slots=True)
class Difference:
    """One mean minus another, paired by seed; None with a reason if either is undefined.

    `of` are the two means, none where there is no value.
    """

    value: float | None
    of: tuple[Mean, ...]
    reason: str | None

    @property
    def values(self) -> tuple[float, ...]:
        """The difference at each seed."""
        if not self.of:
            return ()
        # A mean that has a value has one at every seed.
        one, other = (cast(tuple[float, ...], mean.values) for mean in self.of)
        return tuple(map(sub, one, other))


@dataclass(frozen=True, slots=True)
class MeanScores:
    """One metric of one entry: all images, each tone, worst tone, gap.

    `tones` is aligned with the table's tones of that axis; empty, with `worst` and `gap` None, for
    a metric that compares tones itself. `worst` and `gap` are those of the means
    over seeds, their `values` those of each seed; `worst_at` names the tones whose mean is the worst one.
    """

    overall: Mean
    tones: tuple[Mean, ...]
    worst: Mean | None
    worst_at: tuple[str, ...]
    gap: Mean | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Change against the reference entry."""

    overall: Difference
    worst: Difference | None
    gap: Difference | None


@dataclass(frozen=True, slots=True)
class View:
    """What a row says in one metric under one selection rule and tone axis.

    Both of the overall score, and counted from the epoch that validation picks: `under_test_oracle` is how much
    another number would be reported had the epoch been picked on the test images, luck included; `cross_fitted` is
    what such a choice gains, picked on one half of the test images and scored on the other.
    `comparison` is None for the reference itself and for controls.
    """

    scores: MeanScores
    comparison: Comparison | None
    under_test_oracle: Difference
    cross_fitted: Mean


@dataclass(frozen=True, slots=True)
class Hole:
    """A declared run without a record; `failure` None means that it never ran."""

    entry: EntryId
    task: str
    seed: int
    failure: Failure | None

    @property
    def cause(self) -> str:
        """`method-error`, `timeout`, …, or `never ran`."""
        return self.failure.cause if self.failure else "never ran"

    @property
    def text(self) -> str:
        """One sentence for a reader."""
        if not self.failure:
            return "never ran; the same command again runs it"
        return f"{self.failure.stage} of {self.failure.plugin}: {self.failure.text}"


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """A declared run whose entry cannot be asked the question, and why."""

    entry: EntryId
    task: str
    seed: int
    why: str


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One seed of a row: its record, or the hole there is instead; and what running it anew gave."""

    seed: int
    key: str
    record: Record | None
    hole: Hole | None
    repeats: Repeats | None = None


@dataclass(frozen=True, slots=True)
class Shrunken:
    """A row's scores by tone in the view that ranks, shrunken (see `shrinkage`), and the worst of them."""

    tones: tuple[float, ...]
    worst: float
    worst_at: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a table ranks by: `worst`, `shrunken_worst` or `all`, and `why` where that needs a reason.

    `believed` is the share of what is left of each tone's score that is no noise; empty where nothing was shrunken.
    """

    by: str
    why: str = ""
    believed: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One entry (or control) of a table.

    `views` maps (selection, axis, metric) to what the row says there; empty without any record.
    `rank` is None where `unranked` says why. `shrunken` is None where there was nothing to shrink with.
    """

    entry: EntryId
    control: bool
    seeds: tuple[SeedResult, ...]
    marks: tuple[str, ...]
    views: Mapping[tuple[str, str, str], View]
    rank: int | None
    unranked: str | None
    shrunken: Shrunken | None = None

    @property
    def exposure(self) -> str:
        """Whether what the entry was given has seen images of the data set: `no`, `yes` or `unknown`."""
        if "seen test data" in self.marks:
            return "yes"
        return "unknown" if "exposure unknown" in self.marks else "no"

    @property
    def records(self) -> tuple[Record, ...]:
        """The records of the seeds that finished, in order of seed."""
        return tuple(s.record for s in self.seeds if s.record is not None)


@dataclass(frozen=True, slots=True)
class Question:
    """What a table asks, on which data; rows that answer different questions never share a table.

    `subset`: to about how many images the task was subsampled; None: all of them. `exclusions`: the lists whose images
    were left out, each by name and the first digits of its SHA-256.
    """

    task: str
    data_set: str
    stand_in: bool
    drawn: bool
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    tones: tuple[str, ...]
    primary_metric: str
    selection_metric: str
    published_selection: str
    min_support: int
    subset: int | None
    exclusions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """A tone axis (`types` or `groups`) and its tones from light to dark."""

    name: str
    tones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeaderboardTable:
    """The leaderboard of one task; `rows` has the ranked ones first.

    `question` is None if no run has a record yet. `metrics` starts with the primary one; `ranked`
    is the view that ranks: (selection, axis, metric). `chance` has the metrics whose value at
    chance is known without looking at the data.
    """

    task: str
    question: Question | None
    axes: tuple[Axis, ...]
    metrics: tuple[str, ...]
    ranked: tuple[str, str, str]
    rows: tuple[Row, ...]
    controls: tuple[Row, ...]
    chance: Mapping[str, float]
    ranking: Ranking = Ranking("worst")

    def tones(self, axis: str) -> tuple[str, ...]:
        """The tones of an axis from light to dark; none for an unknown axis."""
        return next((a.tones for a in self.axes if a.name == axis), ())

    @property
    def records(self) -> tuple[Record, ...]:
        """The records of every row, controls too."""
        return tuple(record for row in self.all_rows for record in row.records)

    def leaks(self) -> dict[str, list[float]]:
        """By group column that leaks: each record's percent of test images with one of their group in training.

        The column with the largest share is first, of equal shares that with more pairs.
        """
        found: dict[str, list[tuple[float, int]]] = {}
        for record in self.records:
            for column, leak in record.leaks.groups.items():
                share = 100 * leak.n_test_images / record.partitions["test"].n
                found.setdefault(column, []).append((share, leak.n_pairs))
        leaking = [column for column, shares in found.items() if max(shares)[0]]
        leaking.sort(key=lambda column: max(found[column]), reverse=True)
        return {column: [share for share, _ in found[column]] for column in leaking}

    @property
    def n_ranked(self) -> int:
        """How many rows have a rank."""
        return sum(row.rank is not None for row in self.rows)

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """Entries, then controls."""
        return self.rows + self.controls
