"""Cells and records made by hand, small enough to work a leaderboard out on paper."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from records import plain_record

from tonegap.declared.report_settings import LeaderboardSettings, Reference
from tonegap.formats.matrix import Failure, RunId, RunOutcome
from tonegap.formats.record import (
    Circumstances,
    CrossFit,
    CurvePoint,
    DataId,
    EntryId,
    Isolation,
    PartitionId,
    Record,
    ScoreColumns,
    Selected,
    StageCost,
    StageId,
)
from tonegap.report.pages.templates import render_template
from tonegap.tones import GROUPS

SELECTIONS = ("validation", "last", "test-oracle")
ROOT = Path(__file__).parents[2]

# One score: a fraction, or the reason why there is none.
Value = float | str
Tones = Mapping[str, Value]


def columns(by_metric: Mapping[str, Tones], n: Mapping[str, int]) -> ScoreColumns:
    """Scores as a record keeps them; each metric maps tones, `all`, `worst`, `gap` to values."""
    rows = [(m, t, v) for m, tones in by_metric.items() for t, v in tones.items()]
    total = sum(n.values())
    return ScoreColumns(
        metric=tuple(m for m, _, _ in rows),
        tone=tuple(t for _, t, _ in rows),
        value=tuple(None if isinstance(v, str) else v for _, _, v in rows),
        n=tuple(n.get(t, total) for _, t, _ in rows),
        reason=tuple(v if isinstance(v, str) else None for _, _, v in rows),
    )


def with_ends(per_tone: Tones, overall: Value) -> Tones:
    """The tones' scores with `all`, `worst` and `gap`; undefined as soon as one tone is."""
    reasons = [v for v in per_tone.values() if isinstance(v, str)]
    values = [v for v in per_tone.values() if not isinstance(v, str)]
    worst: Value = reasons[0] if reasons else min(values)
    gap: Value = reasons[0] if reasons else max(values) - min(values)
    return {**per_tone, "all": overall, "worst": worst, "gap": gap}


class RecordFactory:
    """Makes records of the task `phantom/smoke` with accuracy given per tone."""

    def __call__(
        self,
        entry: EntryId,
        seed: int,
        per_tone: Tones,
        overall: Value = 0.5,
        control: bool = False,
        oracle_overall: Value | None = None,
        gain: Value = 0.0,
    ) -> Record:
        n = dict.fromkeys(per_tone, 40)
        tones = {
            "validation": with_ends(per_tone, overall),
            "last": with_ends(per_tone, overall),
            "test-oracle": with_ends(
                per_tone, overall if oracle_overall is None else oracle_overall
            ),
        }
        axis = "groups" if set(per_tone) <= set(GROUPS) else "types"
        scores = {s: self.selected({axis: columns(self.metrics(tones[s]), n)}) for s in SELECTIONS}
        record = self.record(entry, seed, tuple(per_tone), scores, control)
        gains = columns({"accuracy": {"all": gain}, "pqd": {"all": 0.0}}, n)
        return msgspec.structs.replace(record, cross_fit=CrossFit((3, 4), (20, 20), {axis: gains}))

    def metrics(self, accuracy: Tones) -> dict[str, Tones]:
        """Accuracy, and PQD as a metric that compares tones itself."""
        return {"accuracy": accuracy, "pqd": {"all": 0.5}}

    def selected(self, tables: dict[str, ScoreColumns]) -> Selected:
        return Selected(epoch=3, threshold=None, tables=tables)

    def record(
        self,
        entry: EntryId,
        seed: int,
        tones: tuple[str, ...],
        scores: dict[str, Selected],
        control: bool = False,
    ) -> Record:
        by_tone = dict.fromkeys(tones, 40)
        part = PartitionId(n=40 * len(tones), n_by_tone=by_tone, sha256=f"{seed:064x}")
        return plain_record(
            entry=entry,
            control=control,
            baseline_parameters={"epochs": 8},
            task="phantom/smoke",
            seed=seed,
            classes=("acne", "eczema", "nevus", "psoriasis"),
            positive=(),
            tones=tones,
            selection_metric="balanced_accuracy",
            min_support=5,
            data=DataId("phantom", "a" * 64, "b" * 64, stand_in=False, drawn=True),
            partitions=dict.fromkeys(("train", "validation", "test"), part),
            stages=(StageId("train", f"baselines/{entry.baseline}", "c" * 64, "d" * 64),),
            scores=scores,
            curve=tuple(CurvePoint(i, 0.3 + 0.05 * i, 0.28 + 0.05 * i) for i in range(8)),
            circumstances=self.circumstances(),
        )

    def circumstances(self) -> Circumstances:
        return Circumstances(
            finished="2025-01-01T00:00:00Z",
            hardware={"processor": "x86_64", "device": "cpu"},
            versions={"python": "3.11.7", "torch": "2.14.1"},
            costs=(StageCost("train", 20.0, 19.5, 512.0),),
            isolation=Isolation(
                "local", True, "off (namespace)", "read-only view", {"cpu_s": "600"}
            ),
        )


@pytest.fixture
def make_record() -> RecordFactory:
    return RecordFactory()


@pytest.fixture
def entry() -> Callable[..., EntryId]:
    def make(name: str, backbone: str = "resnet18", variant: str = "") -> EntryId:
        method, baseline = name.split("+")
        return EntryId(method, baseline, backbone, variant)

    return make


@pytest.fixture
def cell() -> Callable[..., RunOutcome]:
    """A cell around a record; `changes` replaces fields of the record."""

    def make(record: Record, **changes: object) -> RunOutcome:
        record = msgspec.structs.replace(record, **changes)
        key = f"{record.entry.label}/{record.task}/{record.seed}"
        return RunOutcome(
            RunId(record.entry, record.task, record.seed, key, record.control), record, None
        )

    return make


@pytest.fixture
def hole() -> Callable[..., RunOutcome]:
    """A cell without a record: failed with a cause, or never ran."""

    def make(
        entry: EntryId, seed: int, cause: str | None = None, control: bool = False
    ) -> RunOutcome:
        key = f"{entry.label}/phantom/smoke/{seed}"
        failure = cause and Failure(
            key, "train", f"baselines/{entry.baseline}", cause, "exit code 3 after 2 s", "2025"
        )
        return RunOutcome(RunId(entry, "phantom/smoke", seed, key, control), None, failure or None)

    return make


@pytest.fixture
def settings() -> LeaderboardSettings:
    return LeaderboardSettings(
        title="Leaderboard",
        selection="validation",
        rank_by="worst",
        metrics=("accuracy", "pqd"),
        reference=Reference("none", "erm"),
        tone_note="Tone labels are annotations with an error of their own.",
        templates={p.name: p.read_text("utf-8") for p in (ROOT / "reports/templates").glob("*.j2")},
    )


@pytest.fixture
def macro(settings: LeaderboardSettings) -> Callable[..., str]:
    """Renders a call of a macro, as `x.NAME(…)`, of one of the templates."""

    def render(template: str, call: str, **values: object) -> str:
        source = f'{{% import "{template}" as x %}}{{{{ {call} }}}}'
        templates = {**settings.templates, "one.html.j2": source}
        own = msgspec.structs.replace(settings, templates=templates)
        return render_template(own, "one.html.j2", values)

    return render
