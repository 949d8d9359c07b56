"""Turns a quality sheet into tables of text, for every format.

The mistake it exists to prevent: a distance without its n, its features and its error beside it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tonegap.formats.quality_sheet import (
    ALL,
    Agreement,
    FeatureScores,
    SetDistance,
    Share,
    Sheet,
    ToneTable,
)
from tonegap.report.phrases import UNDEFINED, percent
from tonegap.report.text_table import Footnotes

KID_TIMES = 1000  # as papers print it
# A cell's text; or that and the reason that becomes a footnote where the text is the sign for undefined.
_Cell = str | tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts; the first column is words. `notes` are numbered from 1."""

    title: str
    about: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def quality_tables(sheet: Sheet) -> tuple[TextTable, ...]:
    """Every table that a sheet has numbers for, in the order of its page."""
    measured = sheet.measured
    tables = [
        _tones("Tones of the synthetic images", sheet.tones),
        _tones("Tones of the training images, measured the same way", sheet.real_tones),
        _looks(sheet),
    ]
    if measured:
        random = bool(sheet.extractor and sheet.extractor.random)
        tables += [_distances(measured, random), _diversity(measured), _memory(measured)]
        tables += [_coverage(measured)] if measured.coverage else []
        tables += [_gain(measured)] if measured.gain else []
    return (*tables, *([_radiomic(sheet)] if sheet.radiomic else []))


def share(value: Share) -> str:
    """A share in percent; – where it is undefined."""
    return UNDEFINED if value.value is None else f"{percent(value.value)} %"


def kernel(distance: SetDistance, times: int = 1) -> str:
    """A kernel distance and its standard error, `0.137 ± 0.050`, both `times` as large; – where it is undefined."""
    if distance.value is None:
        return UNDEFINED
    value, error = times * distance.value, times * (distance.standard_error or 0)
    if error <= 0:
        return number(value)
    decimals = min(max(1 - math.floor(math.log10(error)), 0), 8)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}".replace("-", "−")


def number(value: float) -> str:
    """Three significant digits, with a true minus sign."""
    return f"{value:.3g}".replace("-", "−")


def agreement(found: Agreement) -> str:
    """`chance 37.5 %, κ −0.01, 95 % −0.06 to 0.04`; why there is none otherwise."""
    if found.kappa is None or found.low is None or found.high is None or found.chance is None:
        return f"agreement undefined: {found.reason}"
    kappa, low, high = (f"{v:.2f}".replace("-", "−") for v in (found.kappa, found.low, found.high))
    return f"chance {100 * found.chance:.1f} %, κ {kappa}, 95 % {low} to {high}"


def _table(
    title: str, about: str, header: Sequence[str], rows: Iterable[Iterable[_Cell]]
) -> TextTable:
    """The table, reasons of undefined cells as numbered notes, each once."""
    notes = Footnotes()

    def text(cell: _Cell) -> str:
        if isinstance(cell, str):
            return cell
        shown, reason = cell
        if shown != UNDEFINED:
            return shown
        return f"{UNDEFINED} ({notes.undefined(reason or 'no reason given').note})"

    texts = tuple(tuple(map(text, row)) for row in rows)
    return TextTable(title, about, tuple(header), texts, tuple(notes.numbers))


def _tones(title: str, table: ToneTable) -> TextTable:
    rows = []
    for tone, counts, same in zip(table.asked, table.counts, table.same_group_by_tone, strict=True):
        rows.append((tone, *(f"{n:,}" if n else "·" for n in counts), share(same)))
    about = (
        f"Rows: tone asked for (of training images: annotated); columns: tone by the individual typology "
        f"angle (ITA) of the skin. In the same group: {share(table.same_group)} "
        f"({agreement(table.agreement)}); the same tone: {share(table.same_tone)}."
    )
    if table.skin_share is not None:
        masked = (
            f"outside the lesion by {table.n_by_mask:,} masks, else " if table.n_by_mask else ""
        )
        about += (
            f" Skin is measured {masked}in the picture's border; half of the images show "
            f"{100 * table.skin_share:.0f} % of skin there or more. Not measurable, and in no share: "
            f"{table.n_not_measurable:,} with less than 50 %."
        )
    if table.n_without_tone:
        about += f" {table.n_without_tone:,} images without such a tone are left out."
    return _table(title, about, ("Tone", *table.measured, "same group"), rows)


def _looks(sheet: Sheet) -> TextTable:
    rows = tuple(
        (
            what,
            share(looks.without_lesion),
            f"{looks.without_lesion.n:,}",
            _or_sign(looks.sharpness),
        )
        for what, looks in (("synthetic", sheet.looks), ("training", sheet.real_looks))
    )
    about = (
        "No visible lesion: the middle stands out from the border by less than 3 in CIELAB. A share above that of the "
        "training images says that lesions were lost, but where healthy skin was asked for: there it should be near "
        f"100 %. Sharpness: median standard deviation of the Laplacian at {sheet.sharpness_px} px; blurred images have "
        "less than training images."
    )
    header = ("Images", "no visible lesion", "of", "sharpness")
    return _table("Lesion and sharpness", about, header, rows)


def _distances(measured: FeatureScores, random: bool) -> TextTable:
    halves = measured.halves
    rows: list[tuple[_Cell, ...]] = [
        (
            fid.tone,
            f"{fid.n_real:,}",
            f"{fid.n_synthetic:,}",
            (kernel(kid, KID_TIMES), kid.reason),
            (_or_sign(fid.value), fid.reason),
            (_or_sign(vendi.synthetic), vendi.reason or "no value"),
            (_or_sign(vendi.real), vendi.reason or "no value"),
            f"{vendi.n:,}",
            _blocks(kid),
        )
        for fid, kid, vendi in zip(measured.fid, measured.kid, measured.vendi, strict=True)
    ]
    counts = f"{halves.n_real:,}", f"{halves.n_synthetic:,}"
    of_halves = kernel(halves, KID_TIMES), halves.reason
    rows.append(("training halves", *counts, of_halves, "", "", "", "", _blocks(halves)))
    about = (
        "KID and FID: distance to the training images of that tone (all: to those of every tone), smaller "
        "is nearer; KID is shown times 1,000 as papers print it, is unbiased and may be below 0, ± is its "
        "standard error from ten blocks. The last "
        "row compares two halves of the training images. Vendi: effective number of different images "
        "among equally many (n) of each."
    )
    fid_title = "FID of random features" if random else "FID"
    vendis = ("Vendi, synthetic", "Vendi, training", "n")
    header = ("Tone", "training", "synthetic", "KID × 10³", fid_title, *vendis, "KID's blocks")
    return _table("Distance and diversity", about, header, rows)


def _blocks(distance: SetDistance) -> str:
    """Images in a block: training/synthetic."""
    return "" if distance.blocks is None else "{}/{}".format(*distance.blocks)


def _diversity(measured: FeatureScores) -> TextTable:
    """Class by tone: mean distance between synthetic images over that between training images."""
    tones = tuple(dict.fromkeys(d.tone for d in measured.fid if d.tone != ALL))
    cells = {(c.label, c.tone): c for c in measured.diversity}
    rows = []
    for label in dict.fromkeys(c.label for c in measured.diversity):
        texts = []
        for tone in tones:
            cell = cells.get((label, tone))
            if cell is None:
                texts.append("·")
                continue
            ratio = UNDEFINED if cell.ratio is None else f"{cell.ratio:.2f}"
            texts.append(f"{ratio} ({cell.n_synthetic:,}/{cell.n_real:,})")
        rows.append((label, *texts))
    about = (
        "Mean distance between two synthetic images of a class and tone over that between two training "
        "images; 1: as different from each other. In brackets: synthetic/training images; – with fewer "
        "than two of either."
    )
    return _table("Diversity by class and tone", about, ("Class", *tones), rows)


def _memory(measured: FeatureScores) -> TextTable:
    memory = measured.memory
    rows = (
        ("as near as the nearest 5 % of training images", (share(memory.near), memory.near.reason)),
        ("nearest to an image they were made from", share(memory.own_source)),
        ("that distance (5 % quantile between training images)", _or_sign(memory.threshold)),
        ("median distance, training to training", _or_sign(memory.median_real)),
        ("median distance, synthetic to training", _or_sign(memory.median_synthetic)),
    )  # fmt: skip
    about = (
        "Distance of each synthetic image to its nearest training image. Of new images about 5 % would be "
        "as near; a method that changes existing images is nearer by intention."
    )
    return _table("Near copies", about, ("Synthetic images", ""), rows)


def _coverage(measured: FeatureScores) -> TextTable:
    rows: list[tuple[_Cell, ...]] = []
    for found in measured.coverage:
        density, coverage = (
            UNDEFINED if value is None or error is None else f"{value:.2f} ± {error:.2f}"
            for value, error in (
                (found.density, found.density_error),
                (found.coverage, found.coverage_error),
            )
        )
        expected = UNDEFINED if found.expected is None else f"{found.expected:.2f}"
        counts = f"{found.n_real:,}", f"{found.n_synthetic:,}"
        shown = ((text, found.reason) for text in (density, coverage, expected))
        rows.append((found.tone, *counts, *shown))
    about = (
        "Within the fifth nearest neighbour of a training image, in the extractor's features. Density: synthetic "
        "images there, over what is expected; 1 for new real images, more where they crowd. Coverage: share of "
        "training images with at least one there; beside it what new real images would have. ± is the standard error "
        "from ten blocks."
    )
    header = ("Tone", "training", "synthetic", "density", "coverage", "coverage of new real images")
    return _table("Density and coverage", about, header, rows)


def _gain(measured: FeatureScores) -> TextTable:
    rows: list[tuple[_Cell, ...]] = []
    for found in measured.gain:
        known = [100 * value for value in (found.gain, found.low, found.high) if value is not None]
        gain = "{:+.1f} ({:+.1f} to {:+.1f})".format(*known) if len(known) == 3 else UNDEFINED
        shares = (UNDEFINED if v is None else percent(v) for v in (found.alone, found.with_set))
        shown = ((text.replace("-", "−"), found.reason) for text in (*shares, gain))
        rows.append((found.tone, f"{found.n:,}", *shown))
    about = (
        "A probe (least squares on the extractor's features) is tested on fifths of the training images that it did "
        "not see: trained on the other real images, and on those with the synthetic set, but for synthetic images "
        "made from a held-out one. Accuracy in percent; gain in points with its 95 % interval, paired by "
        "image. A method that was fitted to all training images has seen the held-out ones, so its gain may be too "
        "high; a run's scores on the test set are the evidence."
    )
    header = ("Tone", "training images", "without the set", "with it", "gain (95 %)")
    return _table("Utility", about, header, rows)


def _radiomic(sheet: Sheet) -> TextTable:
    rows: list[tuple[_Cell, ...]] = []
    for found in sheet.radiomic:
        name = "training halves" if found.tone == "real halves" else found.tone
        counts = f"{found.n_real:,}", f"{found.n_synthetic:,}"
        rows.append((name, *counts, (kernel(found), found.reason)))
    about = (
        "Fréchet distance of radiomic features (14 of grey values and their texture, no network), as z-scores of the "
        "training images; smaller is nearer, and small sets are further away. ± is the standard error from ten blocks. "
        "The last row compares two halves of the training images. Published FRDs use other features and cannot be "
        "compared."
    )
    header = ("Tone", "training", "synthetic", "Fréchet radiomic distance")
    return _table("Radiomic distance", about, header, rows)


def _or_sign(value: float | None) -> str:
    return UNDEFINED if value is None else number(value)
