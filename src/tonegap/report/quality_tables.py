"""Turns a quality sheet into titles, sentences and tables of text, and into a line of a report, for every format.

The mistake it exists to prevent: a distance without its n, its features and its error beside it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tonegap.formats.quality_sheet import (
    ALL,
    Agreement,
    FeatureScores,
    SetDistance,
    Share,
    Sheet,
    ToneTable,
    Vendi,
)
from tonegap.report.phrases import UNDEFINED, percent
from tonegap.report.text_table import Footnotes
from tonegap.results.quality import SetSheet

_SHORT = 12


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts; the first column is words. `notes` are numbered from 1."""

    title: str
    about: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QualityPage:
    """A sheet as the templates read it, beside its pictures."""

    title: str
    answer: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[TextTable, ...]
    facts: tuple[tuple[str, str], ...]


KID_TIMES = 1000  # as papers print it


def quality_page(made: SetSheet, sheet: Sheet) -> QualityPage:
    """The page of a set's sheet."""
    measured = sheet.measured
    tables = [
        _tones("Tones of the synthetic images", sheet.tones),
        _tones("Tones of the training images, measured the same way", sheet.real_tones),
    ]
    tables.append(_looks(sheet))
    if measured:
        random = bool(sheet.extractor and sheet.extractor.random)
        tables += [_distances(measured, random), _diversity(measured), _memory(measured)]
        tables += [_coverage(measured)] if measured.coverage else []
        tables += [_gain(measured)] if measured.gain else []
    tables += [_radiomic(sheet)] if sheet.radiomic else []
    return QualityPage(
        title=f"{made.label} on {made.task}, seed {made.seed}",
        answer=_answer(sheet),
        warnings=_warnings(sheet),
        tables=tuple(tables),
        facts=_facts(made, sheet),
    )


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


def _answer(sheet: Sheet) -> tuple[str, ...]:
    if not sheet.set.n:
        return (
            "The set has no images: the method made none, and what was trained saw real images alone.",
        )
    group = sheet.tones.same_group
    said = [f"{sheet.set.n:,} synthetic images."]
    if sheet.real_tones.agreement.is_none:
        said.append(
            f"On the {sheet.set.n_real:,} training images the measured tone does not follow the annotation "
            f"({agreement(sheet.real_tones.agreement)}): what this sheet says of tones says nothing of skin tone."
        )
    elif sheet.real_tones.agreement.low is None and group.value is not None:
        said.append(
            f"Whether the measured tone follows the annotation of these training images is not known "
            f"({agreement(sheet.real_tones.agreement)}): a share as asked is no evidence of skin tone."
        )
    if group.value is None:
        said.append(f"No share as asked: {group.reason}.")
    else:
        said.append(
            f"{share(group)}{_of_measurable(sheet.tones)} show the tone group that was asked for; of the "
            f"{sheet.set.n_real:,} training images, {share(sheet.real_tones.same_group)}"
            f"{_of_measurable(sheet.real_tones)} show the group they are annotated with "
            f"({agreement(sheet.real_tones.agreement)})."
        )
    if sheet.measured and sheet.measured.memory.near.value is not None:
        near = share(sheet.measured.memory.near)
        said.append(
            f"{near} lie as near to a training image as the nearest 5 % of training images lie to "
            "another one."
        )
    return tuple(said)


def _of_measurable(table: ToneTable) -> str:
    """` of the 300 that show enough skin to measure`, where some do not."""
    if not table.n_not_measurable:
        return ""
    return f" of the {table.same_group.n:,} that show enough skin to measure ({table.n_not_measurable:,} do not)"


def _warnings(sheet: Sheet) -> tuple[str, ...]:
    found = [f"The method says: {why}: {n:,}." for why, n in sheet.skipped.items()]
    if sheet.no_features:
        found.append(f"No distances, diversity and near copies: {sheet.no_features}.")
    if sheet.extractor and sheet.extractor.random:
        found.append(
            "The features come from a network with random weights: its distances compare sets with each "
            "other, and with nothing published."
        )
    if not sheet.set.data.drawn:
        found.append(
            f"This page shows images of the data set {sheet.set.data.data_set}: its licence decides "
            "who may see it."
        )
    return tuple(found)


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
    return TextTable(title, about, ("Tone", *table.measured, "same group"), tuple(rows))


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
        "No visible lesion: the middle stands out from the border by less than 3 in CIELAB; a share above that of the "
        "training images says that lesions were lost. Sharpness: median standard deviation of the Laplacian at "
        f"{sheet.sharpness_px} px; blurred images have less than training images."
    )
    header = ("Images", "no visible lesion", "of", "sharpness")
    return TextTable("Lesion and sharpness", about, header, rows)


def _distances(measured: FeatureScores, random: bool) -> TextTable:
    notes, rows = Footnotes(), []
    for fid, kid, vendi in zip(measured.fid, measured.kid, measured.vendi, strict=True):
        rows.append(_distance_row(fid, kid, vendi, notes))
    halves = measured.halves
    rows.append(
        ("training halves", f"{halves.n_real:,}", f"{halves.n_synthetic:,}",
         _noted(kernel(halves, KID_TIMES), halves.reason, notes), "", "", "", "", _blocks(halves))
    )  # fmt: skip
    about = (
        "KID and FID: distance to the training images of that tone (all: to those of every tone), smaller "
        "is nearer; KID is shown times 1,000 as papers print it, is unbiased and may be below 0, ± is its "
        "standard error from ten blocks. The last "
        "row compares two halves of the training images. Vendi: effective number of different images "
        "among equally many (n) of each."
    )
    fid_title = "FID of random features" if random else "FID"
    header = (
        "Tone",
        "training",
        "synthetic",
        "KID × 10³",
        fid_title,
        "Vendi, synthetic",
        "Vendi, training",
        "n",
        "KID's blocks",
    )
    return TextTable("Distance and diversity", about, header, tuple(rows), tuple(notes.numbers))


def _distance_row(
    fid: SetDistance, kid: SetDistance, vendi: Vendi, notes: Footnotes
) -> tuple[str, ...]:
    undefined = vendi.reason or "no value"
    return (
        fid.tone,
        f"{fid.n_real:,}",
        f"{fid.n_synthetic:,}",
        _noted(kernel(kid, KID_TIMES), kid.reason, notes),
        _noted(_or_sign(fid.value), fid.reason, notes),
        _noted(_or_sign(vendi.synthetic), undefined, notes),
        _noted(_or_sign(vendi.real), undefined, notes),
        f"{vendi.n:,}",
        _blocks(kid),
    )


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
    return TextTable("Diversity by class and tone", about, ("Class", *tones), tuple(rows))


def _memory(measured: FeatureScores) -> TextTable:
    memory, notes = measured.memory, Footnotes()
    rows = (
        ("as near as the nearest 5 % of training images", _noted(share(memory.near), memory.near.reason, notes)),
        ("nearest to an image they were made from", share(memory.own_source)),
        ("that distance (5 % quantile between training images)", _or_sign(memory.threshold)),
        ("median distance, training to training", _or_sign(memory.median_real)),
        ("median distance, synthetic to training", _or_sign(memory.median_synthetic)),
    )  # fmt: skip
    about = (
        "Distance of each synthetic image to its nearest training image. Of new images about 5 % would be "
        "as near; a method that changes existing images is nearer by intention."
    )
    return TextTable("Near copies", about, ("Synthetic images", ""), rows, tuple(notes.numbers))


def _coverage(measured: FeatureScores) -> TextTable:
    notes, rows = Footnotes(), []
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
        shown = (_noted(text, found.reason, notes) for text in (density, coverage, expected))
        rows.append((found.tone, *counts, *shown))
    about = (
        "Within the fifth nearest neighbour of a training image, in the extractor's features. Density: synthetic "
        "images there, over what is expected; 1 for new real images, more where they crowd. Coverage: share of "
        "training images with at least one there; beside it what new real images would have. ± is the standard error "
        "from ten blocks."
    )
    header = ("Tone", "training", "synthetic", "density", "coverage", "coverage of new real images")
    return TextTable("Density and coverage", about, header, tuple(rows), tuple(notes.numbers))


def _gain(measured: FeatureScores) -> TextTable:
    notes, rows = Footnotes(), []
    for found in measured.gain:
        values = (found.gain, found.low, found.high)
        known = [100 * value for value in values if value is not None]
        gain = "{:+.1f} ({:+.1f} to {:+.1f})".format(*known) if len(known) == 3 else UNDEFINED
        shares = (UNDEFINED if v is None else percent(v) for v in (found.alone, found.with_set))
        shown = (_noted(text.replace("-", "−"), found.reason, notes) for text in (*shares, gain))
        rows.append((found.tone, f"{found.n:,}", *shown))
    about = (
        "A probe (least squares on the extractor's features) is tested on fifths of the training images that it did "
        "not see: trained on the other real images, and on those with the synthetic set, but for synthetic images "
        "made from a held-out one. Accuracy in percent; gain in points with its 95 % interval, paired by "
        "image. A method that was fitted to all training images has seen the held-out ones, so its gain may be too "
        "high; a run's scores on the test set are the evidence."
    )
    header = ("Tone", "training images", "without the set", "with it", "gain (95 %)")
    return TextTable("Utility", about, header, tuple(rows), tuple(notes.numbers))


def _radiomic(sheet: Sheet) -> TextTable:
    notes, rows = Footnotes(), []
    for found in sheet.radiomic:
        name = "training halves" if found.tone == "real halves" else found.tone
        counts = f"{found.n_real:,}", f"{found.n_synthetic:,}"
        rows.append((name, *counts, _noted(kernel(found), found.reason, notes)))
    about = (
        "Fréchet distance of radiomic features (14 of grey values and their texture, no network), as z-scores of the "
        "training images; smaller is nearer, and small sets are further away. ± is the standard error from ten blocks. "
        "The last row compares two halves of the training images. Published FRDs use other features and cannot be "
        "compared."
    )
    header = ("Tone", "training", "synthetic", "Fréchet radiomic distance")
    return TextTable("Radiomic distance", about, header, tuple(rows), tuple(notes.numbers))


def _or_sign(value: float | None) -> str:
    return UNDEFINED if value is None else number(value)


def _noted(text: str, reason: str | None, notes: Footnotes) -> str:
    if text != UNDEFINED:
        return text
    return f"{UNDEFINED} ({notes.undefined(reason or 'no reason given').note})"


def _facts(made: SetSheet, sheet: Sheet) -> tuple[tuple[str, str], ...]:
    extractor = sheet.extractor
    features = "none"
    if extractor and sheet.measured:
        features = (
            f"{extractor.plugin}, {sheet.measured.n_features} features, {_pairs(extractor.parameters)}"
            f" (environment {extractor.environment[:_SHORT]})"
        )
    by_tone = ", ".join(f"{tone} {n:,}" for tone, n in sheet.set.n_by_tone.items())
    return (
        ("Method", f"{sheet.set.plugin}, {_pairs(sheet.set.parameters)}"),
        (
            "Synthetic images",
            f"{sheet.set.n:,} ({by_tone or 'none were made'}), {sheet.set.sha256[:_SHORT]}",
        ),
        ("Compared with", f"{sheet.set.n_real:,} training images; no validation or test image"),
        ("Features", features),
        ("Data set", f"{sheet.set.data.data_set}, images {sheet.set.data.images_sha256[:_SHORT]}"),
        ("Stage, sheet", f"{sheet.set.stage[:_SHORT]}, {made.key[:_SHORT]}"),
    )


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items())) or "no parameters"


@dataclass(frozen=True, slots=True)
class SetLine:
    """A set in a report's own page: a row of its summary; `why` instead of numbers without a sheet."""

    made: SetSheet
    cells: tuple[str, ...]
    why: str


SUMMARY_HEADER = (
    "Images", "Tone group as asked", "Training images", "No visible lesion", "KID × 10³, all", "by tone",
    "Near a training image",
)  # fmt: skip


SUMMARY_ABOUT = (
    "Tone group as asked: share of synthetic images whose skin shows it by its individual typology angle (ITA), "
    "and the same measure on training images beside it, with Cohen's kappa (κ): no agreement, where its interval does "
    "not lie above 0, means that the measure does not follow the annotation. No visible lesion: the middle "
    "hardly stands out from the border. KID × 10³: distance to the training images in "
    "feature space, times 1,000; smaller is nearer; a set with other shares of tones lies further from all of "
    "them. Near: as near to a training image as the nearest 5 % of training images are to "
    "another one."
)


def set_lines(sheets: Sequence[SetSheet], task: str) -> tuple[SetLine, ...]:
    """The sets of a task, a line each."""
    return tuple(_line(made) for made in sheets if made.task == task)


def _line(made: SetSheet) -> SetLine:
    sheet = made.sheet
    if sheet is None:
        return SetLine(
            made,
            (),
            "no quality sheet here: none was made (the run's log says why), or these are of a bundle, which has none",
        )
    measured = sheet.measured
    kid = ("", "", "")
    if measured:
        by_tone = "; ".join(
            f"{d.tone} {kernel(d, KID_TIMES)}" for d in measured.kid if d.tone != ALL
        )
        kid = (kernel(measured.kid[0], KID_TIMES), by_tone, share(measured.memory.near))
    cells = (
        f"{sheet.set.n:,}",
        share(sheet.tones.same_group),
        f"{share(sheet.real_tones.same_group)}{_kappa(sheet.real_tones.agreement)}",
        f"{share(sheet.looks.without_lesion)} (training {share(sheet.real_looks.without_lesion)})",
        *kid,
    )
    return SetLine(made, cells, sheet.no_features or "")


def _kappa(found: Agreement) -> str:
    """κ of the training images, and that it is none where its interval does not lie above 0."""
    if found.kappa is None:
        return ""
    text = f"{found.kappa:.2f}".replace("-", "−")
    return f" (κ {text}: no agreement)" if found.is_none else f" (κ {text})"
