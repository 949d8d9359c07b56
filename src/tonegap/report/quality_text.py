"""Says what a quality sheet found, in sentences, facts and a line of a report, for every format.

The mistake it exists to prevent: a distance without its n, its features and its error beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tonegap.formats.quality_sheet import ALL, Agreement, Sheet, ToneTable
from tonegap.report.quality_tables import (
    KID_TIMES,
    TextTable,
    agreement,
    kernel,
    quality_tables,
    share,
)
from tonegap.results.quality import SetSheet

_SHORT = 12


@dataclass(frozen=True, slots=True)
class QualityPage:
    """A sheet as the templates read it, beside its pictures."""

    title: str
    answer: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[TextTable, ...]
    facts: tuple[tuple[str, str], ...]


def quality_page(made: SetSheet, sheet: Sheet) -> QualityPage:
    """The page of a set's sheet."""
    return QualityPage(
        title=f"{made.label} on {made.task}, seed {made.seed}",
        answer=_answer(sheet),
        warnings=_warnings(sheet),
        tables=quality_tables(sheet),
        facts=_facts(made, sheet),
    )


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
