"""Writes an entry's numbers as tables of text: scores by tone, every metric, confusion matrices, calibration."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tonegap.report.claims_text import detectable_text, interval_text, seeds_note
from tonegap.report.grid import Footnotes
from tonegap.report.pages.entry_kept import EntryKept
from tonegap.report.pages.entry_numbers import Bin, Confusion, EventCounts, Reliability
from tonegap.report.pages.page import Number
from tonegap.report.phrases import UNDEFINED, images, metric_label, null_p_text, percent, spread
from tonegap.results.model import Mean, MeanScores
from tonegap.results.nulls import both_nulls
from tonegap.scores.counts import N_BINS
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.tables import ALL, GAP, WORST, metric_named

MATRIX_UP_TO = 12  # classes; of more the most frequent confusions are listed
N_CONFUSIONS = 10
_NO_PREDICTIONS = "no predictions were kept, so there is no interval"


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """Rows of a name and cells below a header; footnotes are numbered from 1."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Number, ...]], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """A cell of a confusion matrix: images, their share of the true class as a fraction and as text."""

    n: str
    share: float
    text: str
    is_correct: bool


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """A confusion matrix as rows of a true class and its cells."""

    title: str
    rows: tuple[tuple[str, tuple[ConfusionCell, ...]], ...]


def tone_table(kept: EntryKept) -> ScoreRows:
    """The ranked metric: tones from light to dark, then all, the worst tone and the gap."""
    scores, notes = kept.row.views[kept.table.ranked].scores, Footnotes()
    metric = kept.table.ranked[2]
    lines: list[tuple[str, str, Mean | None]] = [
        (tone, tone, mean) for tone, mean in zip(kept.axis.tones, scores.tones, strict=False)
    ]
    at = f" ({'/'.join(scores.worst_at)})" if scores.worst_at else ""
    lines.append(("all images", ALL, scores.overall))
    lines += [(f"worst tone{at}", WORST, scores.worst), ("gap", GAP, scores.gap)]
    rows = tuple(
        (name, tuple(_tone_cells(kept, metric, key, mean, notes)))
        for name, key, mean in lines
        if mean is not None
    )
    header = ["", "images", metric_label(metric), "95 % interval", "over seeds"]
    if kept.question.positive:
        header.insert(2, "positive")
    return ScoreRows(tuple(header), rows, tuple(notes.numbers))


def metrics_table(kept: EntryKept) -> ScoreRows:
    """Every metric of the report on the axis and by the rule that rank, each with its interval below."""
    selection, axis, _ = kept.table.ranked
    notes, rows = Footnotes(), []
    for metric in kept.table.metrics:
        view = kept.row.views.get((selection, axis, metric))
        if view is not None:
            rows.append(
                (metric_label(metric), tuple(_metric_cells(kept, metric, view.scores, notes)))
            )
    return ScoreRows(
        ("", "all", *kept.axis.tones, "worst", "gap"), tuple(rows), tuple(notes.numbers)
    )


def event_table(events: Sequence[EventCounts], min_support: int) -> ScoreRows:
    """TP, FN, sensitivity, TN, FP and specificity by tone; empty without an event."""
    notes, rows = Footnotes(), []
    for e in events:
        yes, no = e.hits + e.misses, e.rejections + e.alarms
        cells = (
            Number(f"{yes:,}"), Number(f"{e.hits:,}"), Number(f"{e.misses:,}"),
            _share(e.hits, yes, f"{e.tone}, positive", min_support, notes),
            Number(f"{no:,}"), Number(f"{e.rejections:,}"), Number(f"{e.alarms:,}"),
            _share(e.rejections, no, f"{e.tone}, negative", min_support, notes),
        )  # fmt: skip
        rows.append((e.tone, cells))
    header = (
        "", "positive", "TP", "FN", "sensitivity",
        "negative", "TN", "FP", "specificity",
    )  # fmt: skip
    return ScoreRows(header, tuple(rows), tuple(notes.numbers))


def matrices(
    found: Sequence[Confusion], classes: Sequence[str], min_support: int
) -> tuple[ConfusionMatrix, ...]:
    """The confusion matrices of all images and of each tone; none where there are too many classes to read one."""
    if len(classes) > MATRIX_UP_TO:
        return ()
    return tuple(
        ConfusionMatrix(
            f"{'All images' if one.tone == ALL else one.tone} ({one.n:,})",
            tuple(
                (name, tuple(_matrix_cells(row, i, min_support)))
                for i, (name, row) in enumerate(zip(classes, one.counts, strict=True))
            ),
        )
        for one in found
    )


def frequent_confusions(
    found: Sequence[Confusion], classes: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Rows of tone, true class, predicted class, images, images of the true class."""
    rows: list[tuple[str, ...]] = []
    for one in found:
        wrong = sorted(
            (-n, i, j)
            for i, row in enumerate(one.counts)
            for j, n in enumerate(row)
            if n and i != j
        )
        rows += [
            (one.tone, classes[i], classes[j], f"{-n:,}", f"{sum(one.counts[i]):,}")
            for n, i, j in wrong[:N_CONFUSIONS]
        ]
    return tuple(rows)


def bins_table(found: Sequence[Reliability], min_support: int) -> tuple[tuple[str, ...], ...]:
    """Rows of a bin and, for each tone, the accuracy (– with too few images) and the number of images."""
    by_tone = [{each.index: each for each in tone.bins} for tone in found]
    rows = []
    for i in range(N_BINS):
        if not any(i in bins for bins in by_tone):
            continue
        cells = [_bin(bins.get(i), min_support) for bins in by_tone]
        rows.append((f"{100 * i / N_BINS:.0f} to {100 * (i + 1) / N_BINS:.0f}", *cells))
    return tuple(rows)


def _bin(found: Bin | None, min_support: int) -> str:
    if found is None:
        return "n 0"
    accuracy = percent(found.accuracy) if found.n >= min_support else UNDEFINED
    return f"{accuracy} (n {found.n:,})"


def calibration_errors(kept: EntryKept) -> Mapping[str, str]:
    """The calibration error of each tone of the calibration's axis, as text; of those that have one."""
    if kept.said is None:
        return {}
    tones = {each.tone for each in kept.said.reliabilities}
    axis = next(a for a in kept.table.axes if set(a.tones) == tones)
    view = kept.row.views.get((kept.table.ranked[0], axis.name, "ece"))
    if view is None:
        return {}
    pairs = zip(axis.tones, view.scores.tones, strict=True)
    return {tone: percent(mean.value) for tone, mean in pairs}


def gap_sentence(kept: EntryKept) -> str:
    """The null gap beside the gap, and the minimum detectable difference of such a test set."""
    claims = kept.claims
    if claims is None:
        return ""
    parity, within = both_nulls(claims.nulls, kept.table.ranked[2], GAP)
    if parity is None:
        return ""
    text = (
        f"The null gap, with tone labels permuted among the images, is {percent(parity.expected)} on average; "
        f"a gap as large as this has p {null_p_text(parity.p)}"
    )
    if within:
        text += f" (permuted within class: {percent(within.expected)}, p {null_p_text(within.p)}), uncorrected"
    text += "."
    if claims.detectable is None:
        return text
    shown = detectable_text(claims.detectable)
    return f"{text} The minimum detectable difference between two tones on such a test set, in points: {shown}."


def _tone_cells(
    kept: EntryKept, metric: str, key: str, mean: Mean, notes: Footnotes
) -> Iterable[Number]:
    yield Number("" if key in {WORST, GAP} else images(mean.n_low, mean.n_high))
    if kept.question.positive:
        of_tone = kept.said.positives.get(key) if kept.said else None
        yield Number(images(min(of_tone), max(of_tone)) if of_tone else "")
    yield _value(mean, notes)
    yield _interval(kept, metric, key, mean, notes)
    yield Number(spread(mean) or ("one seed" if len(mean.values) == 1 else ""))


def _metric_cells(
    kept: EntryKept, metric: str, scores: MeanScores, notes: Footnotes
) -> Iterable[Number]:
    keyed: list[tuple[str, Mean | None]] = [(ALL, scores.overall)]
    keyed += zip(kept.axis.tones, scores.tones, strict=False)
    keyed += [("", None)] * (len(kept.axis.tones) - len(scores.tones))
    keyed += [(WORST, scores.worst), (GAP, scores.gap)]
    for key, mean in keyed:
        if mean is None:
            yield Number("")
        elif mean.value is None:
            yield _value(mean, notes)
        else:
            # Of what compares the tones none is shown: noise alone moves it, and with equal tones an interval
            # from draws holds the truth in a fifth to two thirds of cases, not in 95 %.
            shown = metric_named(metric).per_tone
            found = kept.said.intervals.get((metric, key)) if kept.said and shown else None
            yield Number(percent(mean.value), interval_words(found))


def _value(mean: Mean, notes: Footnotes) -> Number:
    if mean.value is not None:
        return Number(percent(mean.value))
    return _undefined(mean.reason or "no reason given", notes)


def _interval(kept: EntryKept, metric: str, key: str, mean: Mean, notes: Footnotes) -> Number:
    if mean.value is None:
        return _undefined(mean.reason or "no reason given", notes)
    found = kept.said.intervals.get((metric, key)) if kept.said else None
    text = interval_words(found)
    if text:
        return Number(text + seeds_note(len(mean.values)))
    why = _NO_PREDICTIONS if found is None else found.reason or ""
    return _undefined(why, notes)


def interval_words(interval: Interval | None) -> str:
    """`54.1 to 62.0`; empty without one."""
    text = interval_text(interval)
    return "" if text == UNDEFINED else text


def _undefined(reason: str, notes: Footnotes) -> Number:
    cell = notes.undefined(reason)
    return Number(cell.text, note=cell.note, why=reason)


def _share(part: int, whole: int, what: str, min_support: int, notes: Footnotes) -> Number:
    if whole >= max(min_support, 1):
        return Number(percent(part / whole))
    return _undefined(f"{what}: {whole} images, fewer than {max(min_support, 1)}", notes)


def _matrix_cells(row: Sequence[int], true: int, min_support: int) -> Iterable[ConfusionCell]:
    total = sum(row)
    for j, n in enumerate(row):
        enough = total >= max(min_support, 1)
        share = n / total if enough else 0.0
        text = "" if not n else f"{100 * share:.0f} %" if enough else UNDEFINED
        yield ConfusionCell(f"{n:,}", round(share, 3), text, j == true)
