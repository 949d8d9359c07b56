"""`tonegap score`: the metrics of any predictions file, made here or not."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import FILE, PATH
from tonegap.cli.terminal import deliver, say, say_page
from tonegap.errors import BadRequest
from tonegap.report.score_table import (
    Ends,
    EpochTable,
    as_csv,
    as_json,
    as_lines,
    as_list,
    as_page,
    what_was_scored,
)
from tonegap.scores.rules import ScoringRules, default_positive
from tonegap.scores.tables import Score, ScoreTable
from tonegap.untrusted import bounded_memory

if TYPE_CHECKING:
    from tonegap.arrays import FloatArray
    from tonegap.scores.predictions import Labelled, Predictions

# How much more memory reading may take, in bytes: a file that unpacks to more is refused.
_MEMORY, _MEMORY_PER_BYTE = 400 << 20, 40


@click.command("score")
@click.argument("predictions", type=PATH)
@click.option(
    "--truth",
    type=PATH,
    required=True,
    help="CSV or Parquet with image_id, label, tone (1 to 6, a group's name, or empty).",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
@click.option(
    "--positive",
    multiple=True,
    metavar="CLASS",
    help="Class of the event; repeat it for a set of classes. "
    "Default: malignant if there, else the second of two classes, else none.",
)
@click.option(
    "--threshold",
    type=float,
    help="Probability from which an image is predicted positive. Default: its most probable class.",
)
@click.option(
    "--tones",
    type=click.Choice(["types", "groups"]),
    help="Score single tones, or pool them to groups such as V-VI or M8-10. Default: as in the truth.",
)
@click.option(
    "--min-support",
    type=int,
    default=1,
    show_default=True,
    help="Images that whatever a metric divides by must have, or it is undefined.",
)
@click.option(
    "--epoch",
    default="last",
    show_default=True,
    metavar="N|last|all",
    help="Which epoch to score, if the predictions have several.",
)
@click.option(
    "--intervals",
    is_flag=True,
    help="With 95 % intervals: test images are resampled, each by itself.",
)
@click.option("--out", type=FILE, help="File to write in place of the terminal.")
@click.option(
    "--more",
    is_flag=True,
    help="Also top-k accuracy, log loss, Brier score, sensitivity at a specificity, and light (I-III) against "
    "dark (IV-VI): Eopp0, Eopp1, Eodd, macro scores, beside their nulls.",
)
@click.option(
    "--specificity", type=click.FloatRange(0, 1), default=0.9, show_default=True, help="For --more."
)
@click.option(
    "--baseline",
    type=PATH,
    help="For --more: predictions of the same images; gives FATE of accuracy and macro F1 against Eodd.",
)
def command(  # noqa: PLR0913 (click hands over each option as an argument)
    predictions: Path,
    truth: Path,
    output: str,
    positive: tuple[str, ...],
    threshold: float | None,
    tones: str | None,
    min_support: int,
    epoch: str,
    intervals: bool,
    out: Path | None,
    more: bool,
    specificity: float,
    baseline: Path | None,
) -> None:
    """Score PREDICTIONS per skin tone, and the gaps between tones.

    PREDICTIONS is a CSV or Parquet file with the columns image_id, p_<class> for each class, and
    epoch if there are several. Every image of the truth must be there, and no other.

    A score that cannot be computed is undefined, with the reason: never 0. Scores are fractions.
    """
    from tonegap.scores.metrics import score_table
    from tonegap.scores.other_metrics import fate_scores
    from tonegap.scores.predictions import join, read_predictions
    from tonegap.scores.truth import read_truth, tones_as

    if isnan(specificity):
        raise BadRequest("--specificity nan: is no share; give a number from 0 to 1")
    read = sum(path.stat().st_size for path in (predictions, truth) if path.is_file())
    with bounded_memory(_MEMORY + _MEMORY_PER_BYTE * read):
        answers = read_truth(truth)
        predicted = read_predictions(predictions)
    images = join(predicted, answers, where=f"{predictions} against {truth}")
    event = positive or default_positive(images.classes)
    rules = ScoringRules(images.classes, event, threshold, min_support)
    image_tones = tones_as(images.tones, tones)
    tables: list[EpochTable] = []
    ends: list[Ends] = []
    other = (
        join(read_predictions(baseline), answers, where=f"{baseline} against {truth}")
        if baseline
        else None
    )
    if other and set(other.classes) != set(images.classes):
        raise BadRequest(
            f"{baseline}: has the classes {', '.join(other.classes)}, {predictions} has {', '.join(images.classes)}; "
            "FATE compares answers to one question: give predictions of the same classes"
        )
    for index in _epochs_to_score(predicted, epoch):
        table = score_table(images.p[index], images.y, image_tones, rules)
        if more or baseline:
            found = _more(images.p[index], images, image_tones, rules, specificity)
            if other:
                theirs = other.p[_same_epoch(predicted, index, other, epoch)]
                order = [other.classes.index(name) for name in images.classes]
                found += fate_scores(images.p[index], theirs[:, order], images.y, images.tones)
            table = ScoreTable((*table.scores, *found))
        tables.append((predicted.epochs[index] if epoch == "all" else None, table))
        ends.append(_ends(images, index, image_tones, table, rules) if intervals else {})
    if event and not positive and event == images.classes[1:] != ("malignant",):
        say(
            f"the event is {event[0]!r}, the second of the two classes; --positive {images.classes[0]} or "
            f"--positive {event[0]} says which one is meant",
            err=True,
        )
    if output == "table":
        text = _pages(tables, ends, images, rules)
    else:
        render = as_json if output == "json" else as_csv
        text = render(tables, rules, ends if intervals else None) + "\n"
    if out is None and output == "table":
        say_page(text.removesuffix("\n"))
    else:
        deliver(text, out)


def _more(
    p: "FloatArray",
    images: "Labelled",
    tones: Sequence[str | None],
    rules: ScoringRules,
    specificity: float,
) -> list[Score]:
    from tonegap.scores.other_metrics import further_scores, light_dark_scores

    found = further_scores(p, images.y, tones, rules, specificity)
    return found + light_dark_scores(p, images.y, images.tones, len(images.classes))


def _same_epoch(predicted: "Predictions", index: int, other: "Labelled", choice: str) -> int:
    """Index of the baseline's epoch to compare with: the last for `last`, else the same, else the last, and says so."""
    epoch = predicted.epochs[index]
    if choice == "last":
        return -1
    if epoch in other.epochs:
        return other.epochs.index(epoch)
    say(f"--baseline has no epoch {epoch}; its last, {other.epochs[-1]}, is taken", err=True)
    return -1


def _epochs_to_score(predicted: "Predictions", choice: str) -> Sequence[int]:
    """Indices of the epochs chosen by number, `last` or `all`."""
    last = len(predicted.epochs) - 1
    if choice == "last":
        return [last]
    if choice == "all":
        return range(last + 1)
    if not predicted.epoch_column:
        raise BadRequest(f"--epoch {choice}: the predictions have no column epoch")
    named = {str(epoch): index for index, epoch in enumerate(predicted.epochs)}
    if choice not in named:
        raise BadRequest(
            f"--epoch {choice}: the predictions have the epochs {predicted.epochs[0]} to "
            f"{predicted.epochs[-1]}; give one of them, last, or all"
        )
    return [named[choice]]


def _ends(
    images: "Labelled",
    index: int,
    tones: Sequence[str | None],
    table: ScoreTable,
    rules: ScoringRules,
) -> Ends:
    from tonegap.api.scores import Scores
    from tonegap.scores.evidence.images import TestAnswers

    labels = tuple(images.classes[y] for y in images.y)
    units = tuple(range(len(labels)))
    answers = TestAnswers(
        images.ids, labels, tuple(tones), units, images.classes, images.p[index], 0, rules.threshold
    )
    found = Scores(table, rules, answers).intervals
    return {name: (interval.low, interval.high) for name, interval in found.items()}


def _pages(
    tables: Sequence[EpochTable], ends: Sequence[Ends], images: "Labelled", rules: ScoringRules
) -> str:
    """What was scored and by which rules, in one line; then the tables as aligned text, one after the other."""
    text = f"{what_was_scored(images.tones, rules)}\n"
    for (epoch, table), of in zip(tables, ends, strict=True):
        named = f"\nepoch {epoch}\n" if epoch is not None else ""
        others = "".join(f"{line}\n" for line in as_list(table))
        text += f"{named}\n{as_lines(as_page(table, of))}\n{others}"
    return text
