"""`tonegap power`: how many images show a difference, and what a test set can show."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from tonegap.cli.complete import task_names
from tonegap.cli.options import PATH, SEED, NumberRange, json_option, named_count, rooted
from tonegap.cli.terminal import put_json, say
from tonegap.declared.task import read_task
from tonegap.errors import BadRequest


@click.command("power")
@click.argument("task", required=False, shell_complete=task_names)
@click.option(
    "--root", "data_root", type=PATH, help="Your copy of TASK's data set; its metadata is enough."
)
@click.option("--seed", type=SEED, help="Seed of TASK's split (default: its first).")
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
    "--points", type=NumberRange(0.1, 80), default=5.0, help="The difference sought, in points."
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
@json_option
@rooted
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
    root: Path,
) -> None:
    """Images of each tone that show a difference, found with a chance of 80 % at the 5 % level.

    With TASK or --n also what those test images can show: half-widths of intervals, how far a tone must lie below the
    others, how far two entries must differ; or that no statement is possible. With --seed-sd all of it allows for what
    training adds, else it speaks of training runs that are there.
    """
    from tonegap.report.power_text import (
        needed_lines,
        reach_sentences,
        reach_table,
        training_words,
    )
    from tonegap.scores.evidence.power import images_by_tone, not_scored, reach

    p = score / 100
    if points >= score:
        raise BadRequest(
            f"--points {points:g}: a tone that lies so far below a score of {score:g} % would have none"
        )
    if task and counts:
        raise BadRequest("wanted TASK or --n TONE=N, not both")
    named = [named_count("--n", text, "TONE", "V-VI") for text in counts]
    needed = needed_lines(p, points / 100, correlation, (seed_sd / 100) ** 2 / seeds)
    n, others = (
        _of_task(root, task, data_root, seed) if task else (images_by_tone(named, "--n"), {})
    )
    found = [*reach(n, p, correlation, seeds, seed_sd / 100)] if n else []
    found += [not_scored(tone, images, p, seeds, seed_sd / 100) for tone, images in others.items()]
    if as_json:
        tones = [{k: None if v != v else v for k, v in asdict(r).items()} for r in found]
        document = {
            "schema": "tonegap/power@1",
            "score": p,
            "difference": points / 100,
            "images_per_tone": dict(needed),
            "tones": tones,
        }
        put_json(document)
        return
    training = training_words(seeds, seed_sd / 100)
    say(
        f"Images of each tone that show {points:g} points at {score:g} %, found in four of five test sets, {training}:"
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
        for sentence in reach_sentences(found, p, correlation, training):
            say(sentence)


def _of_task(
    root: Path, name: str, data_root: Path | None, seed: int | None
) -> tuple[dict[str, int], dict[str, int]]:
    """Test images of the tones that a task scores, and of those that it does not."""
    from tonegap.split.frame import metadata_of
    from tonegap.split.partition import partition
    from tonegap.split.rows import axis_tones

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
