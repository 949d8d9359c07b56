"""Reads `synthetic.csv`: what a method made, row by row.

It comes from code of strangers. The mistake it exists to prevent: a path in it that leaves the folder.
"""

import contextlib
import csv
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.errors import BadOutput
from tonegap.files import is_below, status_of
from tonegap.formats.lineage import read_lineage
from tonegap.tones import parse_tone

SYNTHETIC_COLUMNS = ("image_id", "file", "label", "tone", "prompt", "seed", "sources")
MODELS_COLUMN = "models"  # the eighth, which may be absent
_MAX_CSV_BYTES = 1 << 28  # read whole, and Python takes many times its size for it
MAX_IMAGES = 500_000
_MAX_FIELD = 1 << 24  # a row may name every training image as its source
_CSV_LIMIT = threading.Lock()


@dataclass(frozen=True, slots=True)
class SyntheticRow:
    """One row of `synthetic.csv`: an image a method made, the real ids and learned parts it was made from."""

    image_id: str
    file: str
    label: str
    tone: str | None
    prompt: str
    seed: str
    sources: tuple[str, ...]
    models: tuple[str, ...] = ()


@contextlib.contextmanager
def long_fields() -> Iterator[None]:
    """Lets the csv module take longer fields; its limit is the whole process's, so it is put back."""
    with _CSV_LIMIT:
        before = csv.field_size_limit(_MAX_FIELD)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def read_synthetic(out: Path) -> tuple[SyntheticRow, ...]:
    """The rows of a generate stage's `synthetic.csv`. Raises BadOutput."""
    path = out / "synthetic.csv"
    try:
        if status_of(path).st_size > _MAX_CSV_BYTES:
            raise BadOutput("synthetic.csv: more than 256 MiB")
        with long_fields(), path.open(encoding="utf-8-sig", newline="") as f:
            reader = csv.DictReader(f)
            columns = tuple(reader.fieldnames or ())
            if columns not in (SYNTHETIC_COLUMNS, (*SYNTHETIC_COLUMNS, MODELS_COLUMN)):
                raise BadOutput(
                    f"synthetic.csv: found columns {reader.fieldnames}, "
                    f"wanted {','.join(SYNTHETIC_COLUMNS)}, and {MODELS_COLUMN} or nothing after it"
                )
            rows = enumerate(itertools.islice(reader, MAX_IMAGES + 1), start=2)
            return tuple(_row(cells, columns, number) for number, cells in rows)
    except FileNotFoundError:
        raise BadOutput("synthetic.csv: absent; a generate stage leaves it and images/") from None
    except (UnicodeDecodeError, csv.Error) as e:
        raise BadOutput(
            f"synthetic.csv: not UTF-8 CSV: {e}; write it with UTF-8 encoding"
        ) from None
    except OSError as e:
        raise BadOutput(f"synthetic.csv: cannot be read: {e.strerror}") from None


def _row(
    cells: Mapping[str | None, str | None], columns: tuple[str, ...], number: int
) -> SyntheticRow:
    where = f"synthetic.csv line {number}"
    texts = [cells.get(name) for name in columns]
    if None in texts or None in cells:
        raise BadOutput(f"{where}: wanted {len(columns)} fields")
    image_id, file, label, tone, prompt, seed, sources, models = (
        text or "" for text in (*texts, "")[: len(SYNTHETIC_COLUMNS) + 1]
    )
    if not image_id:
        raise BadOutput(f"{where}: image_id is empty")
    if not is_below(file):
        raise BadOutput(f"{where}: file {file!r} is not a path below images/")
    try:
        parsed = parse_tone(tone)
    except ValueError as e:
        raise BadOutput(f"{where}: {e}") from None
    return SyntheticRow(
        image_id, file, label, parsed, prompt, seed, tuple(sources.split()), tuple(models.split())
    )


def image_contents(made: Path, key: str, rows: Sequence[SyntheticRow]) -> Sequence[str]:
    """What names the content of each image of a set: its key, and the hash that the engine took of it, or the file.

    A stage that ran again under the same key may leave other images; a set made elsewhere has a key by content.
    """
    names: Sequence[str] = [row.file for row in rows]
    with contextlib.suppress(BadOutput):
        names = read_lineage(made).sha256
    return [f"{key}/{name}" for name in names]
