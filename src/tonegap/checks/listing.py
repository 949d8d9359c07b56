"""Shows what a check of a data root found, as text for a person and as plain values for a program."""

from collections.abc import Iterator
from itertools import groupby

import msgspec

from tonegap.checks.download import BAD_MASK, ELSEWHERE, EXTRA, DataCheck
from tonegap.checks.readiness import Readiness
from tonegap.data.image_names import image_names
from tonegap.data.metadata import shown_label
from tonegap.lines import Value, counted, percent_span, table
from tonegap.split.unknown_tones import UnknownTones

_LABELS = 6
_ROWS = 12
_REST = 30
_FOLDERS = 3


def text_listing(check: DataCheck) -> str:
    """The listing as lines of text, ended by the verdict on each task."""
    parts = (_head, _published, _images, _tones, _unknown, _tasks)
    lines = [line for part in parts for line in part(check)]
    if check.n_usable == 0:
        lines += ["", f"How to get the images: {check.dataset.file.access.strip()}"]
    return "\n".join(lines)


def json_listing(check: DataCheck) -> dict[str, Value]:
    """The listing as values that JSON can hold; shares lie in [0, 1]."""
    return {
        "dataset": check.dataset.id,
        "title": check.dataset.file.title,
        "licence": check.dataset.file.licence.strip(),
        "usable": check.is_usable,
        "stand_in": check.metadata.stand_in,
        "metadata": {
            "path": str(check.metadata.path),
            "sha256": check.metadata.sha256,
            "schema": check.metadata.schema,
            "rows": check.rows,
        },
        "published": [
            {"column": c.column, "value": c.value, "published": c.published, "found": c.found}
            for c in check.counts
        ],
        "images": {
            "folder": str(check.folder) if check.folder else None,
            "expected": len(check.metadata.ids),
            "usable": check.n_usable,
            "digest": check.digest,
        },
        "misspelt_malignant": check.misspelt_malignant or None,
        "group_cells_that_say_nothing": {c: dict(n) for c, n in check.unsaid_groups.items()},
        "group_ids_of_one_spelling": {c: len(p) for c, p in check.spelled_groups.items()},
        "masks": None
        if check.masks is None
        else {
            "masks": check.masks.n_masks,
            "showing": dict(check.masks.n_showing),
            "unusable": dict(sorted(check.masks.problems.items())),
        },
        "findings": [
            {"kind": f.kind, "count": f.count, "first": list(f.first), "unusable": f.unusable}
            for f in check.findings
        ],
        "tones": [
            {
                "axis": row.axis,
                "tone": row.tone,
                "expected": row.expected,
                "usable": row.usable,
                "share": row.usable / row.expected,
                "findings": dict(row.findings),
            }
            for row in check.tones
        ],
        "tasks": [_json_task(task) for task in check.tasks],
        "unknown_tone": {axis: _json_unknown(found) for axis, found in check.unknown.items()},
    }


def _json_task(task: Readiness) -> dict[str, Value]:
    return {
        "task": task.task,
        "images": task.n_images,
        "reason": task.reason or None,
        "training_images_with_unusable_mask": task.n_bad_masks,
        "labels_of_no_class": dict(task.no_class),
        "unused_by_split_value": dict(task.unused_values),
        "partitions": dict(task.sizes),
        "groups": {
            name: {
                "test_images_in_training": leak.n_test_images,
                "validation_images_in_training": leak.n_validation_images,
                "pairs": leak.n_pairs,
                "images_without": leak.n_blank,
                "test_share_by_seed": {str(s): x / 100 for s, x in task.leak_shares[name].items()},
            }
            for name, leak in task.leaks.items()
        },
        "unknown_tone": _json_unknown(task.unknown),
        "exclusions": [msgspec.to_builtins(exclusion) for exclusion in task.exclusions],
    }


def _json_unknown(unknown: UnknownTones | None) -> dict[str, Value] | None:
    if unknown is None:
        return None
    return {
        "images": unknown.n,
        "kept": unknown.kept,
        "by_class": {name: n for name, (_, n) in unknown.by_class.items()},
        "moved": unknown.moved,
    }


def _head(check: DataCheck) -> Iterator[str]:
    file, metadata = check.dataset.file, check.metadata
    yield f"{file.title}: {metadata.path}"
    if metadata.stand_in:
        yield "  STAND-IN: these images are synthetic phantoms, not photographs; results on them are marked so"
    yield f"  layout: {metadata.schema}"
    if len(metadata.tones) < len(file.tones):
        lacking = [axis for axis in file.tones if axis not in metadata.tones]
        yield f"  this layout has no tone axis {', '.join(lacking)}"
    yield f"  licence: {file.licence.strip()}"


def _published(check: DataCheck) -> Iterator[str]:
    published = check.dataset.file.published
    if published is None:
        return
    yield ""
    yield f"Metadata against the published counts ({published.source})"
    for column in dict.fromkeys(c.column for c in check.counts):
        counts, name = [c for c in check.counts if c.column == column], column or "all"
        for c in (c for c in counts if not c.agrees):
            yield f"  {name}: {c.value}: published {c.published:,}, found {c.found:,}  <-- differs"
        if all(c.agrees for c in counts):
            found = ", ".join(f"{c.value} {c.found:,}" for c in counts)
            yield f"  {name}: as published ({found})"
    if check.rows:
        yield f"  the rows are {check.rows}"


def _example(check: DataCheck) -> Iterator[str]:
    """What the first image may be called, and what an image here is called, where there are both."""
    wanted = next(iter(image_names(check.dataset, check.metadata).values()), [])
    found = [finding.first[0] for finding in check.findings if finding.kind == EXTRA]
    if wanted and found:
        yield f"  looked for {' or '.join(wanted)}, found {found[0]}: see file_names in dataset.toml"


def _images(check: DataCheck) -> Iterator[str]:
    yield ""
    if check.folder:
        yield f"Images in {check.folder}"
    else:
        names = " or ".join(check.dataset.file.file_names) or "as its data sets name theirs"
        yield f"No image below {check.data_root} that is named {names}"
        yield from _example(check)
    yield f"  usable: {check.n_usable:,} of {len(check.metadata.ids):,}"
    yield from _masks(check)
    yield from _spelled_groups(check)
    if check.misspelt_malignant:
        yield f"  WARNING: {check.misspelt_malignant}"
    yield from (f"  {line}" for line in check.unknown_names)
    for finding in check.findings:
        more = ", …" if finding.count > len(finding.first) else ""
        yield f"  {finding.kind}: {finding.count:,} (first: {', '.join(finding.first)}{more})"
        rest = sorted(finding.ids)[len(finding.first) :] if finding.kind == BAD_MASK else []
        if rest:
            shown, cut = ", ".join(rest[:_REST]), len(rest) > _REST
            yield f"    and {len(rest):,} more: {shown}{', … (--json names all)' if cut else ''}"
        if finding.kind == ELSEWHERE:
            folders = ", ".join(f'"{name}"' for name in check.folders[:_FOLDERS])
            folders += ", …" if len(check.folders) > _FOLDERS else ""
            yield f"    to have all of them read, say in dataset.toml: image_folders = [{folders}]"


def _spelled_groups(check: DataCheck) -> Iterator[str]:
    """Group ids that a person may have meant alike and that count as different groups."""
    for column, pairs in check.spelled_groups.items():
        first = ", ".join(f"{one!r} and {other!r}" for one, other in pairs[:3])
        more = ", …" if len(pairs) > 3 else ""
        n = "1 pair" if len(pairs) == 1 else f"{len(pairs):,} pairs"
        yield f"  WARNING: {column}: {n} of ids that differ in spelling alone count as two ({first}{more})"
    for column, cells in check.unsaid_groups.items():
        for cell, n_images in cells.items():
            said = f"{cell!r} joins {n_images:,} images in one group"
            yield f"  WARNING: {column}: {said}; where it says that nobody knows, leave the cell blank"


def _masks(check: DataCheck) -> Iterator[str]:
    """How many images have a mask, and what the masks show."""
    masks = check.masks
    if masks is None:
        return
    shown = ", ".join(f"{kind} in {n:,}" for kind, n in masks.n_showing.items() if n)
    none = (
        f"no file of a name such as {' or '.join(masks.wanted)}" if masks.wanted else "none named"
    )
    yield f"  masks: {masks.n_masks:,} of {check.n_usable:,} images ({shown or none})"
    if masks.n_masks and not masks.problems and not masks.n_showing["skin"]:
        yield "    no mask shows skin, which methods that paint lesions need: does mask_values call it background?"


def _tones(check: DataCheck) -> Iterator[str]:
    kinds = [f.kind for f in check.findings if f.ids]
    for axis, rows in groupby(check.tones, key=lambda row: row.axis):
        yield ""
        yield f"By tone ({axis})"
        header = ("tone", "expected", "usable", "%", *kinds)
        cells = [
            (
                row.tone,
                f"{row.expected:,}",
                f"{row.usable:,}",
                # Rounded down: 2,946 of 2,947 is not 100.0.
                f"{row.usable * 1000 // row.expected / 10:.1f}",
                *(f"{row.findings[kind]:,}" for kind in kinds),
            )
            for row in rows
        ]
        yield from table(header, cells)


def _unknown(check: DataCheck) -> Iterator[str]:
    """Labels against unknown tone, of a data set without tasks, those with most such images first."""
    for axis, found in check.unknown.items():
        if not found.n:
            continue
        yield ""
        yield f"Labels of unknown tone ({axis})"
        by_label = sorted(found.by_class.items(), key=lambda item: (-item[1][1], item[0]))
        rows = [
            (
                shown_label(label),
                f"{known + none:,}",
                f"{none:,}",
                f"{100 * none / (known + none):.1f}",
            )
            for label, (known, none) in by_label[:_ROWS]
        ]
        yield from table(("label", "images", "unknown tone", "%"), rows)
        if len(by_label) > _ROWS:
            yield f"  … and {len(by_label) - _ROWS} other labels"
        if found.moved:
            yield f"  WARNING: {found.moved}"


def _tasks(check: DataCheck) -> Iterator[str]:
    if not check.tasks:
        return
    yield ""
    yield "Tasks"
    if check.n_usable == 0:
        yield "  none of them can be run: there is no image"
        return
    for task in check.tasks:
        yield f"  {task.task}: " + (
            f"cannot be run: {task.reason}" if task.reason else f"can be run{_unmasked(task)}"
        )
        yield from _of_task(task)
    if any(" missing or broken " in task.reason for task in check.tasks):
        yield "  (`tonegap run --allow-missing` runs without the missing images, and says so)"


def _unmasked(task: Readiness) -> str:
    if not task.n_bad_masks:
        return ""
    n = counted(task.n_bad_masks, "mask of its training images")
    return f", but by no method that needs masks: {n} cannot be used"


def _of_task(task: Readiness) -> Iterator[str]:
    """What a task leaves out by label, what it does with unknown tones, and what crosses between partitions."""
    if task.no_class:
        labels = ", ".join(f"{label!r} {n:,}" for label, n in list(task.no_class.items())[:_LABELS])
        more = f", … ({len(task.no_class)} labels)" if len(task.no_class) > _LABELS else ""
        yield f"    rows of no class of it: {sum(task.no_class.values()):,} ({labels}{more})"
    yield from (f"    {line}" for line in task.unused_lines)
    if task.unknown is not None and task.unknown.n:
        yield f"    {task.unknown.text}"
        if task.unknown.moved:
            yield f"      WARNING: {task.unknown.moved}"
    for exclusion in task.exclusions:
        yield f"    {exclusion.text}"
    for name, leak in task.leaks.items():
        yield f"    {leak.text(name, task.sizes['test'], task.sizes['validation'])}{_over_seeds(task, name)}"
    if task.n_unseen:
        n, seen = task.sizes["train"], task.sizes["train"] - task.n_unseen
        yield f"    methods see {seen:,} of {n:,} training images: the others are of patients or lesions held out"


def _over_seeds(task: Readiness, name: str) -> str:
    """Which seed a line is of, and the range over all, where there are several."""
    shares = task.leak_shares[name]
    if len(shares) < 2:
        return ""
    if not any(shares.values()):
        return f" (in none of {len(shares)} seeds)"
    return f" (seed {next(iter(shares))}; over {len(shares)} seeds {percent_span(shares.values())})"
