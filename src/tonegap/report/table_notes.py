"""Says what a reader must know of a table before its numbers: which images, which event, which leaks."""

from tonegap.results.model import LeaderboardTable
from tonegap.scores.rules import MOST_PROBABLE


def images_note(table: LeaderboardTable) -> str | None:
    """What must be said of images that are not photographs, or not all of them; None for all real ones."""
    notes = (
        _phantom_note,
        _part_note,
        _exclusion_note,
        _missing_note,
        _not_scored_note,
        _empty_note,
    )
    return " ".join(text for text in (note(table) for note in notes) if text) or None


def _not_scored_note(table: LeaderboardTable) -> str | None:
    """The tones that a reader may look for and the task cannot score."""
    most: dict[str, tuple[int, int]] = {}
    for record in table.records:
        for tone, n in record.not_scored.items():
            low, high = most.get(tone, (n, n))
            most[tone] = min(low, n), max(high, n)
    if not most:
        return None
    said = (
        f"{t} ({low if low == high else f'{low} to {high}'})" for t, (low, high) in most.items()
    )
    return (
        f"Not scorable, for want of test images: {', '.join(said)}. They are in the scores over all images, "
        "and in no tone's and no gap."
    )


def _empty_note(table: LeaderboardTable) -> str | None:
    """The entries, by their seeds, whose method made no synthetic image."""
    seeds: dict[str, list[int]] = {}
    for record in table.records:
        if record.synthetic is not None and record.synthetic.n == 0:
            seeds.setdefault(record.entry.label, []).append(record.seed)
    if not seeds:
        return None
    said = (f"{label} (seed {', '.join(map(str, sorted(of)))})" for label, of in seeds.items())
    return f"0 synthetic images were made, and real images alone trained: {'; '.join(said)}."


def _part_note(table: LeaderboardTable) -> str | None:
    question = table.question
    if question is None or question.subset is None:
        return None
    return (
        f"A subset: about {question.subset:,} of the task's images, sampled by class and tone. "
        "The numbers are not those of the task and rank among themselves alone."
    )


def _exclusion_note(table: LeaderboardTable) -> str | None:
    lists = dict.fromkeys(e.text for r in table.records for e in r.data.exclusions)
    if not lists:
        return None
    said = " | ".join(lists)
    return f"Images {said}. The numbers are not those of the task and rank among themselves alone."


def _missing_note(table: LeaderboardTable) -> str | None:
    said = " | ".join(dict.fromkeys(filter(None, (r.data.missing_text for r in table.records))))
    return f"Run {said}. The numbers are not those of the task." if said else None


def _phantom_note(table: LeaderboardTable) -> str | None:
    question = table.question
    if question and question.stand_in:
        return (
            "Stand-in images: synthetic phantoms take the place of the real images under the real metadata. "
            "The numbers exercise the protocol and say nothing about real skin."
        )
    if question and question.drawn:
        return "Synthetic phantom images: the numbers say nothing about real skin."
    return None


def event_note(table: LeaderboardTable) -> str:
    """The positive classes and the threshold of a positive prediction; empty without results."""
    if table.question is None:
        return ""
    positive = table.question.positive
    if not positive:
        return "No class is declared positive: ROC-AUC is the mean of each class against the rest."
    selection = table.ranked[0]
    selected = [
        r.scores[selection] for row in table.all_rows for r in row.records if selection in r.scores
    ]
    known = [s.threshold for s in selected if s.threshold is not None]
    low, high = (f"{end(known, default=0):.3f}" for end in (min, max))
    between = low if low == high else f"{low} to {high} over entries and seeds"
    rule = f"where its probability reaches a threshold, which is picked with the epoch ({between})"
    if not known:
        rule = f"by the {MOST_PROBABLE}"
    return f"Positive: {' or '.join(positive)}; an image is predicted positive {rule}."


def ran_note(table: LeaderboardTable) -> str:
    """What ran, where it is not the whole task on its own images: stand-ins, a subset, fewer images; else empty."""
    question, record = (
        table.question,
        next((r for row in table.all_rows for r in row.records), None),
    )
    if question is None or record is None:
        return ""
    part = [f"a subset of about {question.subset:,} images"] if question.subset else []
    part += [exclusion.text for exclusion in record.data.exclusions]
    part += [record.data.missing_text] if record.data.missing_text else []
    images = (
        ["synthetic stand-ins, drawn by tonegap data phantom --like, for the real images"]
        if question.stand_in
        else []
    )
    if not part and not images:
        return ""
    sizes = (f"{name} {p.n:,}" for name, p in record.partitions.items() if name != "unused")
    return f"What ran is {'; '.join([*images, *part])}: {', '.join(sizes)} images with seed {record.seed}."


def border_note(table: LeaderboardTable) -> str:
    """How many test images have a near-duplicate, or a picture of the same patient, beyond test; empty without results.

    Seeds whose partitions say the same stand together.
    """
    seeds: dict[str, set[int]] = {}
    for record in table.records:
        leaks, n = record.leaks, record.partitions["test"].n
        said = f"{leaks.n_test_images:,} have a near-duplicate in training or validation"
        for name, leak in leaks.groups.items():
            n_all = record.partitions
            said += f"; {leak.text(name, n_all['test'].n, n_all['validation'].n)}"
        if record.n_without_tone:
            said += f"; {record.n_without_tone:,} images of unknown tone are left out of the task"
        seeds.setdefault(f"of {n:,} test images {said}", set()).add(record.seed)
    if len(seeds) < 2:
        return "".join(f"{said[:1].upper()}{said[1:]}." for said in seeds)
    listed = (f"at seed {', '.join(map(str, sorted(of)))} {said}" for said, of in seeds.items())
    joined = "; ".join(listed)
    return f"{joined[:1].upper()}{joined[1:]}."
