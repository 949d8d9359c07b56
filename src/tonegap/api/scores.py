"""`tonegap.score`, `tonegap.compare`: scores of predictions in memory with intervals, and two classifiers compared."""

import html
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tonegap.arguments import as_found
from tonegap.errors import BadRequest
from tonegap.lines import one_line
from tonegap.scores.evidence.comparing import Noise, Paired, holm_steps, paired
from tonegap.scores.evidence.entries import EntryEvidence, EvidenceRequest, entry_evidence
from tonegap.scores.evidence.every_score import extreme_points
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.table import table_evidence
from tonegap.scores.from_arrays import answers_from_arrays, rules_by_value
from tonegap.scores.metrics import score_table
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import (
    ALL,
    GAP,
    METRIC_NAMES,
    METRICS,
    WORST,
    Score,
    ScoreTable,
    check_per_tone,
    largest_difference,
    metric_named,
)
from tonegap.scores.truth import tones_as

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_NO_INTERVAL = Interval(None, None)


@dataclass(frozen=True, eq=False)
class Scores:
    """Every metric of one set of predictions, for each skin tone and between tones.

    `table` has the scores as fractions, each with its count, or undefined with a reason; `rules` what they were
    scored by, `answers` what they were made from.
    """

    table: ScoreTable
    rules: ScoringRules
    answers: TestAnswers

    @property
    def tones(self) -> tuple[str, ...]:
        """The tones scored, light to dark."""
        return self.table.tones

    def __getitem__(self, which: tuple[str, str]) -> float | None:
        """The score of (metric, tone | "all" | "worst" | "gap"), None if undefined.

        Raises KeyError if there is none, BadRequest for what is no pair of a metric and a tone.
        """
        words = which if isinstance(which, tuple) else ()
        if not (len(words) == 2 and all(isinstance(word, str) for word in words)):
            raise BadRequest(
                f"scores[{as_found(which)}]: wanted a metric and a tone, such as scores['accuracy', 'worst']; "
                f"tones are {', '.join([*self.tones, ALL, WORST, GAP])}"
            )
        return self._score(*which).value

    def reason(self, metric: str, tone: str = ALL) -> str | None:
        """Why a score is undefined; None where it is not. KeyError for a metric or tone that is not there."""
        return self._score(metric, tone).reason

    def _score(self, metric: object, tone: object) -> Score:
        there = {(s.metric, s.tone): s for s in self.table}
        if (metric, tone) not in there:
            tones = [of for one, of in there if one == metric]
            known = (
                f"{metric} has {', '.join(tones)}"
                if tones
                else f"metrics are {', '.join(METRIC_NAMES)}"
            )
            raise KeyError(f"no score {as_found((metric, tone))}; {known}")
        return there[metric, tone]  # type: ignore[index]

    @cached_property
    def intervals(self) -> dict[tuple[str, str], Interval]:
        """The 95 % interval of each (metric, tone | "all" | "worst" | "gap") that has one, as fractions.

        They are about the classifier that made these predictions: images are resampled (whole groups, by tone), no
        training is. Metrics that compare tones have none, with the reason in `Interval.reason`; an undefined score is
        not there. Computed when first asked for: seconds for some thousand images. Sources: docs/metrics.md.
        """
        if not self.tones:
            return {}
        shown = entry_evidence([self.answers], self._asked("accuracy")).shown
        defined = ((s.metric, s.tone) for s in self.table if s.value is not None)
        return {name: shown[name] for name in defined if name in shown}

    def _asked(self, ranked: str, *, compared: bool = False) -> EvidenceRequest:
        event, everything = self.rules.positive, not compared
        return EvidenceRequest(event, self.tones, ranked, everything, compared, nulls=False)

    @property
    def frame(self) -> "pd.DataFrame":
        """Metrics by tone, [metrics, tones + all + worst + gap], as fractions; NaN where undefined."""
        import pandas as pd

        columns = [*self.tones, ALL, WORST, GAP]
        value = {(s.metric, s.tone): s.value for s in self.table}
        rows = {m.name: [value.get((m.name, tone)) for tone in columns] for m in METRICS}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=float)
        return frame.rename_axis("metric")

    def to_frame(self, intervals: bool = True) -> "pd.DataFrame":
        """One row per score: metric, tone, value, low, high, n, reason; without `low` and `high` unless `intervals`."""
        import pandas as pd

        ends = self.intervals if intervals else {}
        of = [ends.get((s.metric, s.tone), _NO_INTERVAL) for s in self.table]
        rows = [
            (s.metric, s.tone, s.value, i.low, i.high, s.n, s.reason)
            for s, i in zip(self.table, of, strict=True)
        ]
        columns = ["metric", "tone", "value", "low", "high", "n", "reason"]
        found = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:5], float))
        found["reason"] = pd.Series([s.reason for s in self.table], dtype=object)
        return found if intervals else found.drop(columns=["low", "high"])

    def plot(self, metric: str = "accuracy", ax: "Axes | None" = None) -> "Axes":
        """A dot for each tone and for all images with its 95 % interval; tones without a score are left out.

        Raises BadRequest for a metric that has no value for each tone.
        """
        import matplotlib.pyplot as plt

        from tonegap.report.phrases import metric_label

        check_per_tone(metric)
        ax = ax or plt.subplots(figsize=(6, 3.2))[1]
        places = [*self.tones, ALL]
        for place, tone in enumerate(places):
            value, found = self[metric, tone], self.intervals.get((metric, tone), _NO_INTERVAL)
            if value is None:
                continue
            if found.low is not None and found.high is not None:
                ends = [found.low, found.high]
                ax.plot([place, place], ends, color="0.55", linewidth=1.5, zorder=1)
            ax.plot(place, value, "o", color="0.25" if tone == ALL else "C0", zorder=2)
        ax.set_xticks(
            range(len(places)), [f"{t}\n{self.table.score(metric, t).n:,}" for t in places]
        )
        ax.set_xlabel("skin tone, with number of images")
        ax.set_ylabel(metric_label(metric))
        ax.margins(x=0.08)
        return ax

    def __repr__(self) -> str:
        """The table as aligned text."""
        from tonegap.report.score_table import as_lines, as_page, what_was_scored

        lines = as_lines(as_page(self.table)).split("\n")
        return "\n".join([what_was_scored(self.answers.tones, self.rules), *map(one_line, lines)])

    def _repr_html_(self) -> str:
        """The table as HTML, reasons of undefined scores as footnotes; what notebooks show."""
        from tonegap.report.score_table import as_page, what_was_scored

        page, heading = as_page(self.table), what_was_scored(self.answers.tones, self.rules)
        grids = "".join(
            "<table><thead>" + _row(grid.header, "th") + "</thead><tbody>"
            + "".join(_row(row, "td") for row in grid.rows) + "</tbody></table>"
            for grid in (page.per_tone, page.between)
        )  # fmt: skip
        notes = "".join(f"<br><small>{html.escape(note)}</small>" for note in page.notes)
        return f"<div><p>{html.escape(heading)}</p>{grids}{notes}</div>"


def score(  # noqa: PLR0913 (what a caller may say, by name)
    y_true: Any,
    proba: Any,
    tone: Any,
    groups: Any = None,
    *,
    classes: Sequence[object] | None = None,
    positive: object | Sequence[object] | None = None,
    threshold: float | None = None,
    tones: str | None = None,
    min_support: int = 1,
    ids: Any = None,
) -> Scores:
    """Every metric of a classifier's predictions for each skin tone, and between tones; as `tonegap score`.

    `y_true` [n] are labels, `proba` [n, k] probabilities of each class (or [n], of the second of two), `tone` [n] skin
    types 1 to 6, I to VI, or groups such as V-VI; None or NaN is unknown and counts in "all" only. Lists, arrays,
    Series and DataFrames are taken by position. `groups` [n] says what belongs together (patient, lesion): intervals
    resample whole groups.

    Classes are the columns of a DataFrame, else `classes`, else the labels in order. `positive` is the event, one class
    or several, by value (default: "malignant" if there, else the second of two classes, else none). An image is
    predicted positive from `threshold` on (None: by its most probable class). `tones` "types" or "groups" chooses the
    axis.
    Whatever a metric divides by must have `min_support` images, or the score is undefined: None with a reason, never 0.
    `ids` [n] name the images (default: 0, 1, … by position). Resamples are drawn in the order of the ids: rows in
    another order give the same intervals, but for rounding, with `ids`, and other resamples without.

    Raises BadPredictions for data and BadRequest for options that cannot be. Formulas and sources: docs/metrics.md.
    """
    answers = answers_from_arrays(y_true, proba, tone, groups, classes=classes, ids=ids)
    listed = isinstance(positive, Iterable) and not isinstance(positive, (str, bytes))
    one: Iterable[object] = () if positive is None else (positive,)
    event: Iterable[object] = positive if listed else one  # type: ignore[assignment]
    event = tuple(event)
    if odd := [name for name in event if not isinstance(name, Hashable)]:
        raise BadRequest(f"positive: found {as_found(odd[0])}, wanted a label or a list of labels")
    rules = rules_by_value(answers, y_true, event, threshold, min_support)
    if tones not in (None, "types", "groups"):
        raise BadRequest(f"tones: found {as_found(tones)}, wanted 'types', 'groups' or None")
    shown = tones_as(answers.tones, tones)
    answers = TestAnswers(
        answers.ids, answers.labels, shown, answers.units, answers.classes, answers.p, 0, threshold
    )
    return Scores(score_table(answers.p, answers.y, shown, rules), rules, answers)


def compare(
    a: Scores | Sequence[Scores], b: Scores | Sequence[Scores], metric: str = "accuracy"
) -> "pd.DataFrame":
    """One classifier minus another on the same images: for each tone, all, worst and gap of a metric.

    `a` and `b` are Scores of the same images in the same order. Each may be a list of Scores, one for each training
    run: with two runs or more on both sides the interval is about the training, with one about these classifiers
    alone. Columns: tone, a, b, difference, low, high, p; fractions, NaN where undefined. `p` is two-sided and corrected
    over the rows (Holm 1979), `low` to `high` is the interval at the level that each row is tested at: it leaves 0 out
    just where p is below 0.05. Sources: docs/metrics.md. Raises BadRequest for Scores of different images or rules.
    """
    import numpy as np
    import pandas as pd

    sides = {"a": _runs(a), "b": _runs(b)}
    first = sides["a"][0]
    if metric not in METRIC_NAMES:
        raise BadRequest(
            f"metric {as_found(metric)} is unknown; known metrics are {', '.join(METRIC_NAMES)}"
        )
    for side, runs in sides.items():
        for run in runs:
            if _images(run) != _images(first):
                raise BadRequest(
                    f"compare: {side} was scored on other images, labels, tones, groups or rules than a; "
                    "score both on the same rows, in the same order"
                )
    answers = {side: [run.answers for run in runs] for side, runs in sides.items()}
    found = table_evidence(answers, first._asked(metric, compared=True))
    tones = (*first.tones, ALL, WORST, GAP) if metric_named(metric).per_tone else (ALL,)
    rows = [_difference((metric, tone), sides, found) for tone in tones]
    p, times = holm_steps(np.array([np.nan if d is None else d.p for *_, d in rows]))
    ends = [
        (None, None) if d is None else d.at_level_of(t)
        for (*_, d), t in zip(rows, times.tolist(), strict=True)
    ]
    lines = [
        (tone, one, other, one - other, *end, corrected)
        for (tone, one, other, _), end, corrected in zip(rows, ends, p.tolist(), strict=True)
    ]
    return pd.DataFrame(lines, columns=["tone", "a", "b", "difference", "low", "high", "p"]).astype(
        {"low": float, "high": float}
    )


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _runs(side: Scores | Sequence[Scores]) -> list[Scores]:
    if isinstance(side, Scores):
        return [side]
    runs = list(side) if isinstance(side, (list, tuple)) else []
    others = [run for run in runs if not isinstance(run, Scores)]
    if others or not runs:
        raise BadRequest(
            f"compare: found {as_found(others[0] if others else side)}, wanted Scores, as tonegap.score gives, or a "
            "list of one for each training run"
        )
    return runs


def _images(run: Scores) -> tuple[object, ...]:
    """What two sides must share to be compared row by row."""
    a, rules = run.answers, run.rules
    images = a.ids, a.labels, a.tones, a.units, a.classes
    return (*images, rules.positive, rules.min_support, run.tones)


def _difference(
    name: tuple[str, str], runs: dict[str, list[Scores]], found: dict[str, EntryEvidence]
) -> tuple[str, float, float, Paired | None]:
    """Tone, both sides' means over runs (NaN where undefined), and their difference; None where it is undefined."""
    means, draws, noise = [], [], []
    for side, evidence in found.items():
        scores = evidence.scores
        if scores is None or name not in scores.names:
            raise BadRequest(f"metric {name[0]!r} needs a positive class; pass positive= to score")
        at = scores.names.index(name)
        undefined = any(run[name] is None for run in runs[side])
        means.append(float("nan") if undefined else _mean(evidence, *name))
        draws.append(scores.draws[at])
        noise.append(scores.noise.among([at]))
    if any(each.seeds is None for each in noise):
        noise = [Noise(each.n) for each in noise]
    (one, other), drawn, largest = means, draws[0] - draws[1], largest_difference(name[0])
    return name[1], one, other, paired(one - other, drawn, noise[0], noise[1], largest)


def _mean(evidence: EntryEvidence, metric: str, tone: str) -> float:
    """A score's mean over training runs; worst tone and gap are those of the means."""
    mean = evidence.means.means[metric]
    if tone in (WORST, GAP):
        return extreme_points(metric, mean)[tone]
    slots = (*evidence.asked.tones, ALL) if metric_named(metric).per_tone else (ALL,)
    return float(mean.point[slots.index(tone)])
