"""A data set's card: what it is, under what licence, and what it holds by tone and label."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tonegap.data.metadata import Metadata, malignant_flags, shown_label
from tonegap.declared.dataset import Dataset
from tonegap.lines import Value, table
from tonegap.texts import is_label
from tonegap.tones import tone_order

_SHOWN = 12  # labels in the text; the JSON has all
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """Counts are None where there is no metadata at hand."""

    dataset: Dataset
    stand_in: bool
    n_images: int | None
    n_malignant: int | None
    tones: Mapping[str, Mapping[str, int]]
    labels: Mapping[str, int]


def make_card(dataset: Dataset, metadata: Metadata | None) -> DatasetCard:
    """The card; tones from light to dark and unknown last, labels from frequent to rare."""
    if metadata is None:
        return DatasetCard(dataset, False, None, None, {}, {})
    flags = malignant_flags(dataset, metadata)
    labels = Counter(metadata.columns[dataset.file.label_column])
    return DatasetCard(
        dataset,
        metadata.stand_in,
        len(metadata.ids),
        None if None in flags else sum(flag is True for flag in flags),
        {axis: _tone_counts(tones) for axis, tones in metadata.tones.items()},
        dict(sorted(labels.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def text_card(card: DatasetCard) -> str:
    """The card as lines of text."""
    file = card.dataset.file
    lines = [f"{file.title} ({card.dataset.id})"]
    if card.stand_in:
        lines.append("  STAND-IN: the images are synthetic phantoms, not photographs")
    said = {key: getattr(file, key).strip() for key in ("source", "url", "licence", "access")}
    lines += [f"  {key}: {text}" for key, text in said.items() if text]
    if card.n_images is None:
        return "\n".join([*lines, *_published_lines(card)])
    malignant = "" if card.n_malignant is None else f", {card.n_malignant:,} of them malignant"
    n_labels = sum(map(is_label, card.labels))
    lines += ["", f"{card.n_images:,} images{malignant}, {n_labels} labels"]
    for axis, counts in card.tones.items():
        rows = [(t, f"{n:,}", f"{100 * n / card.n_images:.1f}") for t, n in counts.items()]
        lines += ["", *table((f"tone ({axis})", "images", "%"), rows)]
    shown = list(card.labels.items())[:_SHOWN]
    lines += [
        "",
        *table(("label", "images"), [(shown_label(label), f"{n:,}") for label, n in shown]),
    ]
    if len(card.labels) > _SHOWN:
        lines.append(f"  … and {len(card.labels) - _SHOWN} more labels")
    return "\n".join(lines)


def json_card(card: DatasetCard) -> dict[str, Value]:
    """The card as values that JSON can hold; null where there is no metadata at hand."""
    file = card.dataset.file
    return {
        "dataset": card.dataset.id,
        "title": file.title,
        "source": file.source.strip(),
        "url": file.url,
        "licence": file.licence.strip(),
        "access": file.access.strip(),
        "stand_in": card.stand_in,
        "images": card.n_images,
        "malignant": card.n_malignant,
        "tones": {axis: dict(counts) for axis, counts in card.tones.items()},
        "labels": dict(card.labels),
    }


def _published_lines(card: DatasetCard) -> list[str]:
    """The published counts, where there is no copy to count in."""
    published = card.dataset.file.published
    if published is None:
        return []
    lines = ["", f"{published.rows:,} images as published ({published.source})"]
    for column, counts in published.counts.items():
        rows = [(value, f"{n:,}") for value, n in counts.items()]
        lines += ["", *table((column, "images"), rows)]
    return lines


def _tone_counts(tones: tuple[str | None, ...]) -> dict[str, int]:
    counts = Counter(tones)
    known = sorted((t for t in counts if t is not None), key=tone_order)
    unknown = {_UNKNOWN: counts[None]} if None in counts else {}
    return {**{t: counts[t] for t in known}, **unknown}
