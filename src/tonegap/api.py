"""tonegap in Python: scores of predictions in memory, their intervals, results of a store, two classifiers compared.

The same formulas as the command line. Everything here is reached as `tonegap.score`, `tonegap.load`, …; importing
tonegap loads none of it, and pandas is loaded when a table is asked for.
"""

import html
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonegap.errors import BadRequest
from tonegap.scores.evidence.comparing import Noise, Paired, holm_steps, paired
from tonegap.scores.evidence.entries import EntryEvidence, EvidenceRequest, entry_evidence
from tonegap.scores.evidence.every_score import extreme_points
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.table import table_evidence
from tonegap.scores.from_arrays import answers_from_arrays
from tonegap.scores.metrics import score_table
from tonegap.scores.rules import MOST_PROBABLE, ScoringRules, default_positive
from tonegap.scores.tables import (
    ALL,
    GAP,
    METRICS,
    WORST,
    Score,
    ScoreTable,
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
        """The score of (metric, tone | "all" | "worst" | "gap"), None if undefined. KeyError if there is none."""
        return self.table.score(*which).value

    def reason(self, metric: str, tone: str = ALL) -> str | None:
        """Why a score is undefined; None where it is not. KeyError for a metric or tone that is not there."""
        return self.table.score(metric, tone).reason

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
        return {
            (s.metric, s.tone): shown[s.metric, s.tone]
            for s in self.table
            if s.value is not None and (s.metric, s.tone) in shown
        }

    def _asked(self, ranked: str, *, compared: bool = False) -> EvidenceRequest:
        return EvidenceRequest(
            self.rules.positive,
            self.tones,
            ranked,
            everything=not compared,
            compared=compared,
            nulls=False,
        )

    @property
    def frame(self) -> "pd.DataFrame":
        """Metrics by tone, [metrics, tones + all + worst + gap], as fractions; NaN where undefined."""
        import pandas as pd

        columns = [*self.tones, ALL, WORST, GAP]
        rows = {m.name: [self._value(m.name, tone) for tone in columns] for m in METRICS}
        return pd.DataFrame.from_dict(
            rows, orient="index", columns=columns, dtype=float
        ).rename_axis("metric")

    def to_frame(self, intervals: bool = True) -> "pd.DataFrame":
        """One row per score: metric, tone, value, low, high, n, reason; without `low` and `high` unless `intervals`."""
        import pandas as pd

        found = pd.DataFrame(
            [
                (s.metric, s.tone, s.value, *self._ends(s, intervals), s.n, s.reason)
                for s in self.table
            ],
            columns=["metric", "tone", "value", "low", "high", "n", "reason"],
        ).astype({"value": float, "low": float, "high": float})
        return found if intervals else found.drop(columns=["low", "high"])

    def plot(self, metric: str = "accuracy", ax: "Axes | None" = None) -> "Axes":
        """A dot for each tone and for all images with its 95 % interval; tones without a score are left out.

        Raises BadRequest for a metric that has no value for each tone.
        """
        import matplotlib.pyplot as plt

        per_tone = [m.name for m in METRICS if m.per_tone]
        if metric not in per_tone:
            raise BadRequest(
                f"metric {metric!r} has no value for each tone; those that have are {', '.join(per_tone)}"
            )
        ax = ax or plt.subplots(figsize=(6, 3.2))[1]
        places = [*self.tones, ALL]
        for place, tone in enumerate(places):
            score, found = (
                self.table.score(metric, tone),
                self.intervals.get((metric, tone), _NO_INTERVAL),
            )
            if score.value is None:
                continue
            if found.low is not None and found.high is not None:
                ax.plot(
                    [place, place], [found.low, found.high], color="0.55", linewidth=1.5, zorder=1
                )
            ax.plot(place, score.value, "o", color="0.25" if tone == ALL else "C0", zorder=2)
        ax.set_xticks(
            range(len(places)), [f"{t}\n{self.table.score(metric, t).n:,}" for t in places]
        )
        ax.set_xlabel("skin tone, with number of images")
        ax.set_ylabel(metric.replace("_", " "))
        ax.margins(x=0.08)
        return ax

    def _value(self, metric: str, tone: str) -> float | None:
        try:
            return self[metric, tone]
        except KeyError:
            return None

    def _ends(self, score: Score, wanted: bool) -> tuple[float | None, float | None]:
        found = (
            self.intervals.get((score.metric, score.tone), _NO_INTERVAL) if wanted else _NO_INTERVAL
        )
        return found.low, found.high

    def __repr__(self) -> str:
        """The table as aligned text."""
        from tonegap.scores.render import as_lines, as_page

        return f"{self._heading()}\n{as_lines(as_page(self.table))}"

    def _repr_html_(self) -> str:
        """The table as HTML, reasons of undefined scores as footnotes; what notebooks show."""
        from tonegap.scores.render import as_page

        page = as_page(self.table)
        grids = "".join(
            "<table><thead>" + _row(grid.header, "th") + "</thead><tbody>"
            + "".join(_row(row, "td") for row in grid.rows) + "</tbody></table>"
            for grid in (page.per_tone, page.between)
        )  # fmt: skip
        notes = "".join(f"<br><small>{html.escape(note)}</small>" for note in page.notes)
        return f"<div><p>{html.escape(self._heading())}</p>{grids}{notes}</div>"

    def _heading(self) -> str:
        unknown = sum(tone is None for tone in self.answers.tones)
        event = " or ".join(self.rules.positive) or "no positive class"
        called = (
            MOST_PROBABLE if self.rules.threshold is None else f"from {self.rules.threshold:g} on"
        )
        more = f", {unknown:,} of unknown tone (in all only)" if unknown else ""
        return f"{len(self.answers.ids):,} images{more}; positive: {event}, called by: {called}"


def score(  # noqa: PLR0913 (what a caller may say, by name)
    y_true: Any,
    proba: Any,
    tone: Any,
    groups: Any = None,
    *,
    classes: Sequence[object] | None = None,
    positive: object | Sequence[object] = (),
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
    or several (default: "malignant" if there, else the second of two classes, else none). An image is predicted
    positive from `threshold` on (None: by its most probable class). `tones` "types" or "groups" chooses the axis.
    Whatever a metric divides by must have `min_support` images, or the score is undefined: None with a reason, never 0.

    Raises BadPredictions for data and BadRequest for options that cannot be. Formulas and sources: docs/metrics.md.
    """
    if threshold is not None and not (_is_number(threshold) and 0 <= threshold <= 1):
        raise BadRequest(f"threshold={threshold!r}: wanted a number from 0 to 1, or None")
    if not _is_number(min_support) or min_support < 1 or min_support != int(min_support):
        raise BadRequest(f"min_support={min_support!r}: wanted a whole number of images, 1 or more")
    answers = answers_from_arrays(y_true, proba, tone, groups, classes=classes, ids=ids)
    listed = isinstance(positive, Iterable) and not isinstance(positive, str)
    event = tuple(positive) if listed else (positive,)  # type: ignore[arg-type]
    rules = ScoringRules(
        answers.classes,
        tuple(map(str, event)) or default_positive(answers.classes),
        threshold,
        min_support,
    )
    if tones not in (None, "types", "groups"):
        raise BadRequest(f"tones={tones!r}: wanted 'types', 'groups' or None")
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
    known = [m.name for m in METRICS]
    if metric not in known:
        raise BadRequest(f"metric {metric!r} is unknown; known metrics are {', '.join(known)}")
    for side, runs in sides.items():
        for run in runs:
            if _images(run) != _images(first):
                raise BadRequest(
                    f"compare: {side} was scored on other images, labels, tones, groups or rules than a; "
                    "score both on the same rows, in the same order"
                )
    found = table_evidence(
        {side: [run.answers for run in runs] for side, runs in sides.items()},
        first._asked(metric, compared=True),
    )
    rows = [_difference(name, sides, found) for name in _names(found["a"], metric)]
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


def load(place: str | Path, *suites: str, suite_root: str | Path | None = None) -> "pd.DataFrame":
    """The leaderboard of a store (`runs/`) or of a bundle (`….tonegap.zip`) as a long table, one row per score.

    `suites` names those of a store (default: all). Columns and their types are those of `leaderboard.parquet`,
    described in docs/python.md; scores are fractions, NaN where undefined, with `reason`. `suite_root` has the report's
    settings (default: as on the command line). A bundle is verified first.

    Raises BadRequest where there is no such place, nothing has run there, or the bundle's numbers are not those of its
    predictions; StoreError for what is damaged.
    """
    import io

    import pyarrow.parquet

    from tonegap.declared.root import find_root
    from tonegap.report.exports.parquet import render_parquet
    from tonegap.results.assemble import assemble, without_cycle_search
    from tonegap.results.bundle.verify import verified_bundle
    from tonegap.results.settings import read_settings, titled
    from tonegap.store.read import SuiteRun, read_suites

    path, root = Path(place), find_root(None if suite_root is None else Path(suite_root))
    with tempfile.TemporaryDirectory(prefix="tonegap-bundle-") as aside, without_cycle_search():
        if path.is_file():
            folder = Path(aside)
            runs: tuple[SuiteRun, ...] = (verified_bundle(path, folder),)
        elif path.is_dir():
            folder, runs = path, read_suites(path, suites)
        else:
            raise BadRequest(
                f"{path}: not there; wanted a store (a folder, runs/) or a bundle (….tonegap.zip)"
            )
        board = assemble(
            folder, runs, titled(read_settings(root), [run.matrix.title for run in runs])
        )
        frame: pd.DataFrame = pyarrow.parquet.read_table(
            io.BytesIO(render_parquet(board))
        ).to_pandas()
    return frame


def power(
    images: Mapping[str, int],
    score: float = 0.85,
    *,
    correlation: float = 0.7,
    seeds: int = 1,
    seed_sd: float = 0.0,
) -> "pd.DataFrame":
    """What a test set with these images of each tone can show, one row per tone, as `tonegap power`.

    Columns: tone, images; half_width, that of the 95 % interval of a score of `score`; lower, how far the tone must
    lie below the others for the gap to be found; entries, how far two entries must differ on it, right together with
    `correlation`; silent, where no statement is possible. All are fractions, found with a chance of 80 % at the 5 %
    level; NaN where nothing suffices. `seed_sd`: what training adds to a score of one of `seeds` runs. Source:
    docs/claims.md.

    Raises BadRequest for a score outside 0 to 1 or a tone without a whole number of images.
    """
    import pandas as pd

    from tonegap.scores.evidence.power import MOST_IMAGES, reach

    if not 0 < score < 1:
        raise BadRequest(f"power: found the score {score}, wanted a fraction between 0 and 1")
    if not (0 <= correlation < 1 and seed_sd >= 0 and seeds >= 1):
        raise BadRequest(
            f"power: found correlation={correlation}, seeds={seeds}, seed_sd={seed_sd}; wanted a correlation from 0 to "
            "below 1, a seed or more, and a standard deviation"
        )
    for tone, n in images.items():
        if not 0 <= n <= MOST_IMAGES or n != int(n):
            raise BadRequest(
                f"power: found {n} images of {tone}, wanted a whole number up to {MOST_IMAGES:,}"
            )
    counts = {str(tone): int(n) for tone, n in images.items()}
    found = [
        (r.tone, r.n, r.width, float("nan") if r.lower is None else r.lower, r.entries, r.silent)
        for r in reach(counts, score, correlation, seeds, seed_sd)
    ]
    names = ["tone", "images", "half_width", "lower", "entries", "silent"]
    return pd.DataFrame(found, columns=names)


def audit_table(
    table: "pd.DataFrame",
    *,
    images: Mapping[str, int] | None = None,
    total: int | tuple[int, int] | None = None,
    sets: int = 1,
    training: int = 0,
    unit: str = "percent",
) -> "pd.DataFrame":
    """What the numbers of anybody's table can be, one row per finding, as `tonegap audit-table`.

    The index of `table` names its rows, its columns are METRIC or METRIC:TONE (`accuracy:V-VI`), its cells texts as
    they were printed (`"82.0"`, `"82.4±1.5"`, `""`): a number would have lost its last 0, which says how it was
    rounded. `images`: test images behind a column; `total`: of one test set, or the least and most of them; `sets`:
    test sets that a cell is the mean of; `training`: images trained on; `unit`: percent or fraction. Columns: row,
    column, test, verdict, why, assumed, p. Sources: docs/claims.md.

    Raises BadRequest for a cell that is no such text, naming it, for numbers of images that are none, and for two rows
    or columns of one name.
    """
    import pandas as pd

    from tonegap.declared.paper import paper_of_cells, sets_of_cells
    from tonegap.results.papers.audit import audit_paper

    if unit not in ("percent", "fraction"):
        raise BadRequest(f"audit_table: found the unit {unit!r}, wanted percent or fraction")
    cells = table.to_numpy(dtype=object)
    numbers = [cell for cell in cells.flat if not isinstance(cell, str)]
    if numbers:
        raise BadRequest(
            f"audit_table: found {numbers[0]!r}, wanted cells as text as they were printed, such as '82.0' or ''"
        )
    totals = None if total is None else total if isinstance(total, tuple) else (total, total)
    rows = (
        (f"row {name!r}", str(name), [cell.strip() for cell in line])
        for name, line in zip(table.index, cells, strict=True)
    )
    known = sets_of_cells(images or {}, totals, sets, training)
    columns = [str(name) for name in table.columns]
    found = audit_paper(paper_of_cells("table", "the table", columns, rows, unit, known))
    lines = [(f.row, f.column, f.test, f.verdict, f.why, f.assumed, f.p) for f in found]
    names = ["row", "column", "test", "verdict", "why", "assumed", "p"]
    return pd.DataFrame(lines, columns=names).astype({"p": float})


def _is_number(value: object) -> bool:
    """Whether it is a number of Python or numpy that is not NaN."""
    return isinstance(value, Real) and value == value


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _runs(side: Scores | Sequence[Scores]) -> list[Scores]:
    runs = [side] if isinstance(side, Scores) else list(side) if isinstance(side, Sequence) else []
    if any(not isinstance(run, Scores) for run in runs):
        raise BadRequest(
            "compare: wanted Scores, as tonegap.score gives, or one for each training run"
        )
    if not runs:
        raise BadRequest(
            "compare: found none; wanted Scores, or a list of one for each training run"
        )
    return runs


def _images(run: Scores) -> tuple[object, ...]:
    """What two sides must share to be compared row by row."""
    a = run.answers
    return (
        a.ids,
        a.labels,
        a.tones,
        a.units,
        a.classes,
        run.rules.positive,
        run.rules.min_support,
        run.tones,
    )


def _names(evidence: EntryEvidence, metric: str) -> Iterator[tuple[str, str]]:
    """The metric's scores: tones light to dark, all, worst, gap; all alone where it compares tones."""
    tones = (*evidence.asked.tones, ALL, WORST, GAP) if metric_named(metric).per_tone else (ALL,)
    return ((metric, tone) for tone in tones)


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
    largest = largest_difference(name[0])
    one, other = means
    return (
        name[1],
        one,
        other,
        paired(one - other, draws[0] - draws[1], noise[0], noise[1], largest),
    )


def _mean(evidence: EntryEvidence, metric: str, tone: str) -> float:
    """A score's mean over training runs; worst tone and gap are those of the means."""
    mean = evidence.means.means[metric]
    if tone in (WORST, GAP):
        return extreme_points(metric, mean)[tone]
    slots = (*evidence.asked.tones, ALL) if metric_named(metric).per_tone else (ALL,)
    return float(mean.point[slots.index(tone)])
