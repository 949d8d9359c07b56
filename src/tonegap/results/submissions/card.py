"""The card that comes with somebody's predictions: `card.toml`, checked key by key.

The mistake it exists to prevent: a number in a table of which nobody can say whose it is, and how the epoch
and the threshold behind it were chosen.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tonegap.declared.toml import read_toml
from tonegap.errors import BadRequest, BadRoom
from tonegap.formats.record import SELECTIONS

FILE = "card.toml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(csv|parquet)")
_MOST = 300


class SeedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The predictions file of one seed of the task, in the card's folder."""

    seed: int
    file: str


class SubmissionCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`card.toml` as written; see docs/submitting.md for each key.

    `selection` says what picked the epoch: `validation`, `last` or `test-oracle`. `threshold` is the one that
    the authors used for the positive event, null for the most probable class.
    """

    method: str
    baseline: str
    backbone: str
    authors: str
    contact: str
    task: str
    selection: str
    split: str
    test_labels_used: bool
    test_tones_used: bool
    predictions: tuple[SeedFile, ...]
    title: str = ""
    paper: str = ""
    code: str = ""
    notes: str = ""
    threshold: float | None = None
    stand_in: bool = False

    @property
    def label(self) -> str:
        """As people read it: the title, or the three parts of the entry."""
        return self.title or f"{self.method} + {self.baseline} ({self.backbone})"


def read_card(folder: Path) -> SubmissionCard:
    """The card of a folder. Raises BadRequest naming the first key that is not as it must be."""
    path = folder / FILE
    try:
        card = read_toml(path, SubmissionCard)
    except BadRoom as e:
        raise BadRequest(f"{e}; see docs/submitting.md") from None
    for problem in _problems(card):
        raise BadRequest(f"{path}: {problem}; see docs/submitting.md")
    return card


def _problems(card: SubmissionCard) -> Iterator[str]:
    for key in ("method", "baseline", "backbone"):
        if not NAME.fullmatch(getattr(card, key)):
            yield f"{key} is {getattr(card, key)!r}, wanted one word of letters, digits, '.', '_', '-'"
    for key in ("authors", "contact", "split", "task"):
        if not getattr(card, key).strip():
            yield f"{key} is empty"
    for key in ("title", "authors", "contact", "task", "split", "paper", "code", "notes"):
        text = getattr(card, key)
        if len(text) > _MOST or not text.isprintable():
            yield f"{key} is no single line of at most {_MOST} printable letters"
    for key in ("paper", "code"):
        if getattr(card, key) and not getattr(card, key).startswith("https://"):
            yield f"{key} is {getattr(card, key)!r}, wanted a link that begins with https://"
    yield from _choice_problems(card)
    yield from _file_problems(card)


def _choice_problems(card: SubmissionCard) -> Iterator[str]:
    if card.selection not in SELECTIONS:
        yield f"selection is {card.selection!r}, wanted one of {', '.join(SELECTIONS)}"
    elif card.test_labels_used and card.selection != "test-oracle":
        yield (
            f"test_labels_used is true and selection is {card.selection!r}: what saw the labels of test "
            'images is "test-oracle"'
        )
    if card.threshold is not None and not 0 <= card.threshold <= 1:
        yield f"threshold is {card.threshold}, wanted a probability"


def _file_problems(card: SubmissionCard) -> Iterator[str]:
    if not card.predictions:
        yield "no predictions: wanted [[predictions]] with seed and file"
    for item in card.predictions:
        if not _FILE.fullmatch(item.file):
            yield f"file is {item.file!r}, wanted the name of a .csv or .parquet beside the card"
        if item.seed < 0:
            yield f"seed is {item.seed}, wanted 0 or more"
    for what, found in (
        ("seed", [item.seed for item in card.predictions]),
        ("file", [item.file for item in card.predictions]),
    ):
        if len(set(found)) < len(found):
            yield f"a {what} is there twice; each seed has a file of its own"
