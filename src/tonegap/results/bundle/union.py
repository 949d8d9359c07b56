"""Verified bundles side by side as one store, so that one leaderboard can be made of them.

The mistake it exists to prevent: a record of one bundle that stands under another's name, or replaces it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest, ToneGapError
from tonegap.files import sha256_file
from tonegap.formats.matrix import completeness
from tonegap.lines import one_line
from tonegap.results.bundle.agreement import Said, Voice, disagreements, said_of, truths_of
from tonegap.results.bundle.verify import verified_bundle
from tonegap.store.layout import FAILURES, RECORDS, STAGES, SUITES, TRUTHS, suite_unit
from tonegap.store.read import SuiteRun, read_suites

_TAKEN = (STAGES, RECORDS, FAILURES, TRUTHS, "audits")
_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class BoardBundle:
    """A bundle on a board: its file, digest, the suite it holds and the name of that in the store, what it has."""

    path: Path
    sha256: str
    suite: str
    title: str
    name: str
    n_records: int
    complete: bool


@dataclass(frozen=True, slots=True)
class RefusedBundle:
    """A bundle that is not on a board, and why, in one sentence."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class UnitedBundles:
    """Bundles in one store: their suites, those taken, those refused; tasks that must not rank, and why."""

    suites: tuple[SuiteRun, ...]
    taken: tuple[BoardBundle, ...]
    refused: tuple[RefusedBundle, ...]
    contested: Mapping[str, str] = field(default_factory=dict)


def bundles_below(places: Iterable[Path]) -> tuple[Path, ...]:
    """The bundles named, and those of folders (`*.zip`, not further down), sorted within each.

    Raises BadRequest for what is not there, and where there is none.
    """
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise BadRequest(f"{place}: not there; wanted a bundle or a folder of bundles")
        found += sorted(place.glob("*.zip")) if place.is_dir() else [place]
    if not found:
        raise BadRequest("no bundle (*.zip) there; `tonegap bundle SUITE` writes one")
    return tuple(dict.fromkeys(found))


def unite(
    bundles: Sequence[Path],
    folder: Path,
    problems: Callable[[Path, SuiteRun], Iterable[str]] = lambda _folder, _run: (),
    own: Mapping[str, Said] | None = None,
) -> tuple[Path, UnitedBundles]:
    """The bundles, each verified first, in a store below an empty folder; a suite is named after its bundle's file.

    One that does not verify, has a problem (`problems` gets it extracted), has another content than an earlier one
    under the same key, or another truth than this store (`own`, by task) or most bundles, is refused.
    """
    opened: list[tuple[Path, Path, SuiteRun]] = []
    refused: list[RefusedBundle] = []
    voices: dict[str, list[Voice]] = {}
    for number, path in enumerate(bundles):
        aside = folder / f"bundle-{number}"
        aside.mkdir()
        try:
            run = verified_bundle(path, aside)
            heard, twice = _voices(path, aside, run)
            found = [*twice, *problems(aside, run)]
        except ToneGapError as e:
            found = [str(e).removeprefix(f"{path}: ")]
        if found:
            more = f" and {len(found) - 1} more problems" if len(found) > 1 else ""
            refused.append(RefusedBundle(path, one_line(found[0]) + more))
            continue
        opened.append((path, aside, run))
        for task, voice in heard.items():
            voices.setdefault(task, []).append(voice)
    apart = disagreements(voices, own)
    taken: list[BoardBundle] = []
    store = folder / "store"
    (store / SUITES).mkdir(parents=True)
    owners: dict[Path, Path] = {}
    for path, aside, run in opened:
        why = apart.outvoted.get(path) or _not_new(aside, store, owners)
        if why:
            refused.append(RefusedBundle(path, one_line(why)))
            continue
        for source, target in _files(aside, store):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            owners.setdefault(target, path)
        taken.append(_named(run, path, {bundle.name for bundle in taken}))
        matrix = msgspec.structs.replace(run.matrix, suite=taken[-1].name)
        (store / suite_unit(taken[-1].name)).write_bytes(msgspec.json.encode(matrix))
    suites = read_suites(store, [bundle.name for bundle in taken]) if taken else ()
    return store, UnitedBundles(suites, tuple(taken), tuple(refused), apart.contested)


def _voices(path: Path, folder: Path, run: SuiteRun) -> tuple[dict[str, Voice], list[str]]:
    """What a bundle says of each task's images, and what of it in two ways."""
    cells = [cell for cell in run.cells if cell.record]
    found, problems = {}, []
    for task in sorted({cell.id.task for cell in cells}):
        of_task = [cell for cell in cells if cell.id.task == task]
        records = [cell.record for cell in of_task if cell.record]
        said, twice = said_of(task, truths_of(folder, records))
        problems += twice
        found[task] = Voice(path, said, frozenset(cell.id.key for cell in of_task))
    return found, problems


def _named(run: SuiteRun, path: Path, names: set[str]) -> BoardBundle:
    """What a bundle is called: by its file, with a number where another has that name."""
    plain = _PLAIN.sub("-", path.name.removesuffix(".zip").removesuffix(".tonegap")).strip("-")
    name = plain or run.matrix.suite
    name = next(n for n in (name, *(f"{name}-{i}" for i in range(2, 10_000))) if n not in names)
    found = completeness(run.cells)
    n_records = sum(cell.record is not None for cell in run.cells)
    matrix = run.matrix
    return BoardBundle(
        path, sha256_file(path), matrix.suite, matrix.title, name, n_records, not found.missing
    )


def _files(folder: Path, store: Path) -> Iterator[tuple[Path, Path]]:
    """Each result of an extracted bundle, and its place in the store."""
    for part in _TAKEN:
        for path in sorted((folder / part).rglob("*")):
            if path.is_file():
                yield path, store / path.relative_to(folder)


def _not_new(folder: Path, store: Path, owners: Mapping[Path, Path]) -> str | None:
    """Why a bundle cannot stand beside those in the store: another content under the same key."""
    for source, target in _files(folder, store):
        if target.exists() and source.read_bytes() != target.read_bytes():
            return f"{source.relative_to(folder)}: {owners[target].name} has that key with another content"
    return None
