"""`tonegap power`: how many images show a difference, and what a test set can show."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import NumberRange, suite_root_option
from tonegap.cli.terminal import put, say
from tonegap.errors import BadRequest

if TYPE_CHECKING:
    from tonegap.scores.evidence.power import Reach


@click.command("power")
@click.argument("task", required=False)
@click.option(
    "--root",
    "data_root",
    type=click.Path(path_type=Path),
    help="Your copy of TASK's data set; its metadata is enough.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of TASK's split (default: its first)."
)
@click.option(
    "--n", "counts", multiple=True, metavar="TONE=N", help="Test images of a tone, instead of TASK."
)
@click.option(
    "--score",
    type=NumberRange(1, 99),
    default=80.0,
    help="Accuracy (or another share), in percent.",
)
@click.option(
    "--points",
    type=NumberRange(0.1, 80),
    default=5.0,
    help="The difference sought, in points.",
)
@click.option(
    "--correlation", type=NumberRange(0, 0.99), default=0.7, help="Of two entries being right."
)
@click.option("--seeds", type=click.IntRange(1), default=1, help="Training runs averaged.")
@click.option(
    "--seed-sd",
    type=NumberRange(0, 50),
    default=0.0,
    help="Spread of one tone's score over training runs, in points.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@suite_root_option
def command(  # noqa: PLR0913 - one parameter per option
    task: str | None,
    data_root: Path | None,
    seed: int | None,
    counts: tuple[str, ...],
    score: float,
    points: float,
    correlation: float,
    seeds: int,
    seed_sd: float,
    as_json: bool,
    suite_root: Path | None,
) -> None:
    """Images of each tone that show a difference, found with a chance of 80 % at the 5 % level.

    With TASK or --n also what those test images can show: half-widths of intervals, how far a tone must lie below the
    others, how far two entries must differ; or that no statement is possible.
    """
    from tonegap.report.power_text import needed_lines, not_scored, reach_sentences, reach_table
    from tonegap.scores.evidence.power import reach

    p = score / 100
    if points >= score:
        raise BadRequest(
            f"--points {points:g}: a tone that lies so far below a score of {score:g} % would have none"
        )
    if task and counts:
        raise BadRequest("wanted TASK or --n TONE=N, not both")
    needed = needed_lines(p, points / 100, correlation)
    n, others = _of_task(task, data_root, seed, suite_root) if task else (_counts(counts), {})
    found = [*reach(n, p, correlation, seeds, seed_sd / 100)] if n else []
    found += [not_scored(tone, images, p) for tone, images in others.items()]
    if as_json:
        put(_json(needed, found, p, points / 100))
        return
    say(
        f"Images of each tone that show {points:g} points at {score:g} %, found in four of five test sets:"
    )
    width = max(len(question) for question, _ in needed)
    for question, images in needed:
        say(f"  {question:<{width}}  {images:>14}")
    if found:
        header, lines = reach_table(found)
        widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
        say("")
        for line in (header, *lines):
            say("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip())
        say("")
        for sentence in reach_sentences(found, p):
            say(sentence)


def _json(needed: list[tuple[str, str]], found: "list[Reach]", p: float, difference: float) -> str:
    tones = [{k: None if v != v else v for k, v in asdict(r).items()} for r in found]
    document = {
        "schema": "tonegap/power@1",
        "score": p,
        "difference": difference,
        "images_per_tone": dict(needed),
        "tones": tones,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _counts(texts: tuple[str, ...]) -> dict[str, int]:
    from tonegap.scores.evidence.power import MOST_IMAGES

    found: dict[str, int] = {}
    for text in texts:
        tone, _, number = text.rpartition("=")
        if not tone or not number.isdecimal() or int(number) > MOST_IMAGES:
            raise BadRequest(
                f"--n {text}: wanted TONE=N, such as V-VI=43, with N up to {MOST_IMAGES:,}"
            )
        if tone in found:
            raise BadRequest(f"--n {text}: {tone} has {found[tone]} images already; name it once")
        found[tone] = int(number)
    return found


def _of_task(
    name: str, data_root: Path | None, seed: int | None, suite_root: Path | None
) -> tuple[dict[str, int], dict[str, int]]:
    """Test images of the tones that a task scores, and of those that it does not."""
    from tonegap.declared.root import find_root
    from tonegap.declared.task import read_task
    from tonegap.split.frame import metadata_of
    from tonegap.split.partition import partition
    from tonegap.split.rows import axis_tones

    root = find_root(suite_root)
    task = read_task(root, name)
    metadata = metadata_of(root, task.dataset_id, data_root)
    made = partition(task, metadata, task.seeds[0] if seed is None else seed)
    tone_of = dict(zip(metadata.ids, axis_tones(task, metadata), strict=True))
    counts = Counter(
        tone_of[i] for i, part in zip(made.ids, made.parts, strict=True) if part == "test"
    )
    scored = task.scored_tones or sorted(tone for tone in counts if tone)
    n = {tone: counts[tone] for tone in scored}
    return n, {tone: counts[tone] for tone in task.file.tones.not_scored if tone not in n}
