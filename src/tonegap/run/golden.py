"""Golden records: what a suite's own run gave, `reports/golden/SUITE.json`, and what differs from it.

Predictions by digest and the main scores, not whole records. The mistake it exists to prevent: numbers on a page that
no machine gives any more, and nobody notices.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest, StoreError, file_errors
from tonegap.files import readable_json, write_atomic
from tonegap.formats.golden import SCHEMA, Golden, GoldenRun
from tonegap.formats.record import Record, decode_record
from tonegap.plan.plan import Plan
from tonegap.scores.main_scores import main_scores
from tonegap.store.store import Store

FOLDER = Path("reports/golden")


def golden_path(root: Path, suite: str) -> Path:
    """Where the golden records of a suite lie, or would."""
    return root / FOLDER / f"{suite}.json"


def read_golden(path: Path) -> Golden:
    """The golden records of a file. Raises BadRequest where there are none, or others than wanted."""
    try:
        golden = msgspec.json.decode(path.read_bytes(), type=Golden)
    except FileNotFoundError:
        raise BadRequest(
            f"{path}: no golden records of this suite; `tonegap run SUITE --write-golden` writes them"
        ) from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as e:
        raise BadRequest(f"{path}: no golden records: {e}") from None
    if golden.schema != SCHEMA or not golden.runs:
        raise BadRequest(f"{path}: found schema {golden.schema!r}, wanted {SCHEMA!r} with records")
    return golden


def write_golden(path: Path, golden: Golden) -> None:
    """Writes golden records: the same records give the same bytes. Raises BadRequest."""
    with file_errors(BadRequest, f"{path}: cannot be written"):
        write_atomic(path, readable_json(golden))


def golden_of(suite: str, records: Sequence[Record]) -> Golden:
    """The golden records of a suite's records, in their order."""
    runs = [
        GoldenRun(r.entry, r.task, r.seed, r.predictions_sha256, main_scores(r)) for r in records
    ]
    return Golden(SCHEMA, suite, _versions(records), tuple(runs))


def records_of(plan: Plan, store: Store) -> list[Record]:
    """The records of a plan's runs that have one."""
    paths = [store.record_path(c.id.key) for c in plan.runs if not c.id.not_applicable]
    try:
        return [decode_record(path.read_bytes()) for path in paths if path.exists()]
    except (OSError, msgspec.DecodeError) as e:
        raise StoreError(f"{store.folder}: a damaged record ({e})") from None


def differences(golden: Golden, found: Golden) -> list[str]:
    """One sentence for each run that differs, is missing or is new; nothing if all are equal."""
    wanted, here = ({(c.entry, c.task, c.seed): c for c in of.runs} for of in (golden, found))
    pairs = {place: (wanted.get(place), here.get(place)) for place in wanted | here}
    return [
        f"{entry.label} on {task}, seed {seed}: {text}"
        for (entry, task, seed), pair in pairs.items()
        if (text := _difference(*pair))
    ]


def other_versions(golden: Golden, found: Golden) -> str:
    """The libraries that are others than when the golden records were made, as one clause; or nothing."""
    names = sorted(golden.versions.keys() | found.versions.keys())
    pairs = [(n, golden.versions.get(n, "none"), found.versions.get(n, "none")) for n in names]
    return ", ".join(
        f"{name} {then} there and {now} here" for name, then, now in pairs if then != now
    )


def _difference(wanted: GoldenRun | None, here: GoldenRun | None) -> str:
    if wanted is None:
        return "is not among the golden records"
    if here is None:
        return "has no record"
    found = []
    if wanted.predictions_sha256 != here.predictions_sha256:
        now, then = here.predictions_sha256[:12], wanted.predictions_sha256[:12]
        found.append(f"other predictions ({now} instead of {then})")
    found += [
        f"{name} is {here.scores.get(name)} instead of {wanted.scores.get(name)}"
        for name in wanted.scores | here.scores
        if not (name in wanted.scores and name in here.scores)
        or wanted.scores[name] != here.scores[name]
    ]
    return "; ".join(found)


def _versions(records: Sequence[Record]) -> dict[str, str]:
    """Versions of all records together, without tonegap's own, which each release changes."""
    found: dict[str, str] = {}
    for record in records:
        found |= record.circumstances.versions
    return {name: text for name, text in sorted(found.items()) if name != "tonegap"}
