"""The synthetic sets of a task in a report's own page: a line each."""

from collections.abc import Sequence
from dataclasses import dataclass

from tonegap.formats.quality_sheet import ALL, Agreement
from tonegap.report.quality_tables import kernel, share
from tonegap.results.quality import SetSheet


@dataclass(frozen=True, slots=True)
class SetLine:
    """A set in a report's own page: a row of its summary; `why` instead of numbers without a sheet."""

    made: SetSheet
    cells: tuple[str, ...]
    why: str


SUMMARY_HEADER = (
    "Images", "Tone group as asked", "Training images", "No visible lesion", "KID, all", "by tone",
    "Near a training image",
)  # fmt: skip


SUMMARY_ABOUT = (
    "Tone group as asked: share of synthetic images whose skin shows it by its individual typology angle (ITA), "
    "and the same measure on training images beside it, with Cohen's kappa (κ): no agreement, where its interval does "
    "not lie above 0, means that the measure does not follow the annotation. No visible lesion: the middle "
    "hardly stands out from the border. KID: distance to the training images in "
    "feature space, smaller is nearer. Near: as near to a training image as the nearest 5 % of training images are to "
    "another one."
)


def set_lines(sheets: Sequence[SetSheet], task: str) -> tuple[SetLine, ...]:
    """The sets of a task, a line each."""
    return tuple(_line(made) for made in sheets if made.task == task)


def _line(made: SetSheet) -> SetLine:
    sheet = made.sheet
    if sheet is None:
        return SetLine(made, (), "no quality sheet was made; the run's log says why")
    measured = sheet.measured
    kid = ("", "", "")
    if measured:
        by_tone = "; ".join(f"{d.tone} {kernel(d)}" for d in measured.kid if d.tone != ALL)
        kid = (kernel(measured.kid[0]), by_tone, share(measured.memory.near))
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
