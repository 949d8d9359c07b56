"""Answers from the results of a suite what checklists ask of data, tasks and partitions, item by item."""

from collections.abc import Iterator

from tonegap.declared.dataset import Dataset
from tonegap.formats.record import Record
from tonegap.report.pack.source import (
    Answer,
    Find,
    PackSource,
    by_dataset,
    by_task,
    report_page,
)
from tonegap.report.phrases import split_note, table_name
from tonegap.report.power_text import reach_note
from tonegap.report.table_notes import images_note, ran_note
from tonegap.results.model import MARKS, LeaderboardTable
from tonegap.results.tone_labels import SECOND

_ROLES = {"reference", "control"}  # marks that limit nothing


def _question(results: PackSource, table: LeaderboardTable) -> str:
    seeds = sorted({record.seed for record in table.records})
    about = results.tasks[table.task].file.about.strip()
    if ran := ran_note(table):
        about = f"{ran} As declared, for the whole task on its own images: {about}"
    return f"{about} These results are of seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}."


def _labels(results: PackSource) -> Iterator[Answer]:
    """The classes, which of them are the event, and who labelled images; missing where that is not declared."""
    for table in results.tables:
        question = table.question
        classes, positive = (question.classes, question.positive) if question else ((), ())
        task = results.tasks[table.task]
        by = next(d for d in results.datasets if d.id == task.dataset_id).file.labelled_by
        said = (
            f"{table_name(table)}: classes {', '.join(classes)}; "
            f"positive: {' or '.join(positive) or 'none declared'}. "
            f"Labelled by: {by or 'not declared'}."
        )
        yield Answer(said, results.section(table), missing=not by)


def _counts(_: PackSource, table: LeaderboardTable) -> str:
    """Images by partition and tone of the first run of each seed."""
    seen: dict[int, Record] = {}
    for record in table.records:
        seen.setdefault(record.seed, record)
    said = []
    for seed, record in sorted(seen.items()):
        parts = (
            f"{name} {part.n:,} ({', '.join(f'{tone} {n:,}' for tone, n in record.tone_counts(name).items())})"
            for name, part in record.partitions.items()
        )
        said.append(f"seed {seed}: {'; '.join(parts)}")
    return ". ".join(said) + "."


def _eligibility(_: PackSource, table: LeaderboardTable) -> str:
    record = table.records[0]
    left = [exclusion.text for exclusion in record.data.exclusions]
    if record.n_without_tone:
        left.append(
            f"{record.n_without_tone:,} images of the classes left out, as their tone is unknown"
        )
    ran = ran_note(table)
    if not left and not ran:
        left.append("all images of the declared classes")
    said = f"{'; '.join(left)}." if left else ""
    return " ".join(filter(None, [said, images_note(table), ran]))


def _missing(_: PackSource, table: LeaderboardTable) -> str:
    lost: dict[str, int] = {}
    for record in table.records:
        for part, n in record.data.missing.items():
            lost[part] = max(n, lost.get(part, 0))
    unknown = max(record.n_unknown_tone for record in table.records)
    files = ", ".join(f"{n:,} {part}" for part, n in lost.items() if n) or "none"
    return f"image files missing: {files}; images in use whose tone is unknown: {unknown:,} (in no score of a tone)."


def _undefined(_: PackSource, table: LeaderboardTable) -> str:
    support = table.question.min_support if table.question else 0
    return f"scores of fewer than {support} test images (for rates, of either kind) are undefined and shown as such."


def _partitions(results: PackSource, table: LeaderboardTable) -> str:
    file = results.tasks[table.task].file
    pinned = f"pinned by SHA-256 for {len(file.pins)} of its seeds" if file.pins else "not pinned"
    paper = f"; as in {file.paper}" if file.paper else ""
    return f"split rule {type(file.split).__struct_config__.tag}, {pinned}{paper}. {file.title}."


def _leaks(_: PackSource, table: LeaderboardTable) -> str:
    record = max(table.records, key=lambda r: r.leaks.n_test_images)
    n = {name: part.n for name, part in record.partitions.items()}
    groups = [
        leak.text(column, n["test"], n.get("validation", 0))
        for column, leak in record.leaks.groups.items()
    ]
    copies = f"test images with a near-duplicate in training or validation: {record.leaks.n_test_images:,}"
    return ". ".join([copies, *groups, *filter(None, [split_note(table)])]) + "."


def _preparation(_: PackSource, table: LeaderboardTable) -> str:
    sizes = sorted(
        {
            f"{p['image_size_px']} px, {p.get('geometry', '')}"
            for p in (record.baseline_parameters for record in table.records)
            if "image_size_px" in p
        }
    )
    said = f"images made square at {'; '.join(sizes)}; " if sizes else ""
    return f"{said}the same for every tone; orientation by EXIF applied."


def _tone_labels(results: PackSource) -> Iterator[Answer]:
    for table in results.tables:
        claims = results.board.claims_of(table)
        if claims and claims.labels and SECOND not in claims.labels.undefined:
            text = f"{table_name(table)}: gaps under a second annotation of tone"
            yield Answer(text, results.section(table))


def _tones(dataset: Dataset) -> str:
    axes = (
        f"{name}: {axis.labelled_by}"
        for name, axis in dataset.file.tones.items()
        if axis.labelled_by
    )
    return "; ".join(axes)


def _limitations(results: PackSource) -> Iterator[Answer]:
    yield from by_dataset(lambda d: "; ".join(d.file.limitations))(results)
    used = {mark for table in results.tables for row in table.all_rows for mark in row.marks}
    for mark in sorted(used - _ROLES):
        yield Answer(f"Mark “{mark}”: {MARKS[mark]}.", report_page())
    yield Answer(results.board.settings.tone_note, report_page())


DATA_ANSWERS: dict[str, Find] = {
    "question": by_task(_question),
    "data": by_dataset(
        lambda d: f"{d.file.source.strip()}{f' ({d.file.url})' if d.file.url else ''}"
    ),
    "eligibility": by_task(_eligibility),
    "labels": _labels,
    "tones": by_dataset(_tones),
    "tone_labels": _tone_labels,
    "preparation": by_task(_preparation),
    "sample_size": by_task(_counts),
    "power": by_task(lambda _, table: " ".join(reach_note(table))),
    "missing": by_task(_missing),
    "undefined": by_task(_undefined),
    "partitions": by_task(_partitions),
    "leaks": by_task(_leaks),
    "access": by_dataset(
        lambda d: (
            f"in benchmarks/{d.id} of tonegap: {d.file.access.strip()}; {d.file.licence.strip()}"
        )
    ),
    "limitations": _limitations,
}
