"""The repeats of a store: `repeats/KEY.json`, read and written."""

from pathlib import Path

import msgspec

from tonegap.errors import StoreError
from tonegap.files import readable_json, write_atomic
from tonegap.formats.repeats import SCHEMA, Repeats
from tonegap.store.layout import REPEATS


def repeats_path(store: Path, key: str) -> Path:
    """Where the repeats of the run of that record key lie, or would."""
    return store / REPEATS / f"{key}.json"


def read_repeats(store: Path, key: str) -> Repeats | None:
    """The repeats of a run; None if it was not repeated. Raises StoreError for a damaged file."""
    path = repeats_path(store, key)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Repeats)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as e:
        raise StoreError(f"{path}: damaged ({e}); remove it and repeat again") from None
    lengths = {found.n, *map(len, found.scores.values())}
    if found.schema != SCHEMA or found.key != key or len(lengths) > 1 or found.n < 2:
        raise StoreError(f"{path}: is not the repeats of {key}; remove it and repeat again")
    return found


def write_repeats(store: Path, repeats: Repeats) -> None:
    """Keeps the repeats of a run."""
    write_atomic(repeats_path(store, repeats.key), readable_json(repeats))
