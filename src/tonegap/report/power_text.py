"""Says what a test set can and cannot show, in sentences and as a table, for `tonegap power` and each task's page."""

from collections.abc import Sequence

from tonegap.lines import counted
from tonegap.results.model import LeaderboardTable
from tonegap.results.reach import CORRELATION, table_reach
from tonegap.scores.evidence.power import (
    Reach,
    images_for_entries,
    images_for_gap,
    images_for_two,
)

SILENT = "no statement possible"
_HEADER = ("tone", "images", "95 % half-width", "found if lower by", "two entries differ by")


def needed_lines(
    p: float, difference: float, correlation: float, added: float = 0.0
) -> list[tuple[str, str]]:
    """How many images of each tone show a difference with a chance of 80 %, by question.

    `added` is the variance that training adds to a score, as in `tonegap.scores.evidence.power`.
    """

    def gap(tones: int) -> str:
        n = images_for_gap(p, difference, tones, added)
        return "more than 100,000" if n is None else f"about {float(f'{n:.2g}'):,.0f}"

    def exact(n: int | None) -> str:
        return "no number" if n is None else f"{n:,}"

    paired = [
        exact(images_for_entries(p, difference, correlation, gaps=g, added=added)) for g in (1, 2)
    ]
    return [
        ("two tones, one entry", exact(images_for_two(p, difference, added=added))),
        ("gap of three tones, one of them lower", gap(3)),
        ("gap of six tones, one of them lower", gap(6)),
        (f"two entries in one tone, correlation {correlation:g}", paired[0]),
        (f"difference of two entries' gaps, correlation {correlation:g}", paired[1]),
    ]


def reach_table(found: Sequence[Reach]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and a line for each tone."""
    return _HEADER, [
        (r.tone, f"{r.n:,}", _points(r.width, "±"), _points(r.lower), _points(r.entries))
        if not r.silent
        else (r.tone, f"{r.n:,}", _points(r.width, "±"), SILENT, "")
        for r in found
    ]


def _points(value: float | None, sign: str = "") -> str:
    return "–" if value is None or value != value else f"{sign}{100 * value:.0f} points"


def training_words(seeds: int, seed_sd: float) -> str:
    """The training that a statement allows for, `seed_sd` in fractions; or that it speaks of fixed runs."""
    if not seed_sd:
        return "of these training runs alone"
    runs = "one run" if seeds == 1 else f"{seeds} runs"
    return f"with other training of {runs}, sd {100 * seed_sd:g} points"


def reach_sentences(
    found: Sequence[Reach], p: float, correlation: float, training: str
) -> list[str]:
    """What the test images can show at a score of p, and what they cannot.

    The arguments are those of `reach`; `training` is `training_words` of them.
    """
    spoken = [r for r in found if not r.silent]
    lines = []
    if spoken:
        least = max(spoken, key=lambda r: r.width)
        reaches = f"a 95 % interval reaches ±{100 * least.width:.0f} points in {least.tone}"
        images = counted(least.n, "image")
        lines.append(f"At an accuracy of {100 * p:.0f} %, {reaches} ({images}), {training}.")
    lower = [100 * r.lower for r in spoken if r.lower is not None]
    if lower:
        below = f"One tone must lie {_between(lower)} points below the others"
        lines.append(
            f"{below} for the gap to be found (in four of five such test sets), {training}."
        )
    if spoken:
        apart = f"Two entries must differ by {_between([100 * r.entries for r in spoken])} points in a tone"
        lines.append(
            f"{apart} to be found significantly different there, if they are right together with correlation "
            f"{correlation:g}, {training}."
        )
    for r in found:
        if r.silent:
            images = f"{counted(r.n, 'image')}, ±{100 * r.width:.0f} points" if r.n else "no image"
            lines.append(f"{r.tone}: {SILENT} ({images}).")
    return lines


def _between(values: Sequence[float]) -> str:
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def reach_note(table: LeaderboardTable) -> tuple[str, ...]:
    """What a leaderboard's test images can show at the best accuracy in it; empty without results."""
    found = table_reach(table)
    if found is None:
        return ()
    return tuple(reach_sentences(found.tones, found.accuracy, CORRELATION, training_words(1, 0.0)))
