"""Verified bundles side by side as one store, so that one leaderboard can be made of them.

Each is held against the plug-ins and truths here, and against the others' truths. The mistakes it exists to prevent: a
record of one bundle that stands under another's name, or replaces it; labels of a bundle's own beside the task's.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest, ToneGapError
from tonegap.files import sha256_file
from tonegap.formats.matrix import RunOutcome, completeness
from tonegap.formats.record import Record
from tonegap.lines import one_line
from tonegap.results.answers import kept_truths
from tonegap.results.bundle.exposure import run_with_doubts
from tonegap.results.bundle.verify import verified_bundle
from tonegap.results.submissions.checks import own_truths, renamed, unlike_here
from tonegap.results.truths import Said, said_of
from tonegap.store.layout import AUDITS, FAILURES, RECORDS, STAGES, SUITES, TRUTHS, suite_unit
from tonegap.store.marks import StageMark
from tonegap.store.read import SuiteRun, read_suites
from tonegap.untrusted import DAMAGE

_TAKEN = (STAGES, RECORDS, FAILURES, TRUTHS, AUDITS)
_CIRCUMSTANCES = (
    *("circumstances", "versions", "isolation"),
    *("seconds", "cpu_seconds", "peak_memory_mib"),
    *("gpus", "gpu_memory_mib", "n_images"),
)
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


@dataclass(frozen=True, slots=True)
class _Voice:
    """What one bundle says of a task's images; `keys` are its records', the same ones have one vote together."""

    path: Path
    said: Said
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Disagreements:
    """Why a bundle is outvoted, and why a task has no ranks, a sentence each."""

    outvoted: dict[Path, str] = field(default_factory=dict)
    contested: dict[str, str] = field(default_factory=dict)


def unite(
    bundles: Sequence[Path], folder: Path, root: Path, own: Path
) -> tuple[Path, UnitedBundles]:
    """The bundles, each verified first, in a store below an empty folder; a suite is named after its bundle's file.

    One that does not verify, contradicts the plug-ins of the suite root, has another result than an earlier one
    under the same key, or another truth than the store `own` (where the task ran there) or most bundles, is refused.
    """
    opened: list[tuple[Path, Path, SuiteRun]] = []
    refused: list[RefusedBundle] = []
    voices: dict[str, list[_Voice]] = {}
    for number, path in enumerate(bundles):
        aside = folder / f"bundle-{number}"
        aside.mkdir()
        try:
            suite_run = verified_bundle(path, aside)
            heard, twice = _voices(path, aside, suite_run)
            found = [*twice, *unlike_here(aside, suite_run, root, None)]
        except ToneGapError as e:
            found = [str(e).removeprefix(f"{path}: ")]
        if found:
            more = f" and {len(found) - 1} more problems" if len(found) > 1 else ""
            refused.append(RefusedBundle(path, one_line(found[0]) + more))
            continue
        opened.append((path, aside, suite_run))
        for task, voice in heard.items():
            voices.setdefault(task, []).append(voice)
    everything = [
        (path, aside, [run.record for run in suite_run.runs if run.record])
        for path, aside, suite_run in opened
    ]
    for path, of in renamed(everything):
        refused.append(RefusedBundle(path, one_line(of)))
        opened = [one for one in opened if one[0] != path]
        voices = {task: [v for v in all_ if v.path != path] for task, all_ in voices.items()}
    apart = _disagreements(voices, own_truths(own))
    taken: list[BoardBundle] = []
    store = folder / "store"
    (store / SUITES).mkdir(parents=True)
    owners: dict[Path, Path] = {}
    for path, aside, suite_run in opened:
        why = apart.outvoted.get(path) or _not_new(aside, store, owners)
        if why:
            refused.append(RefusedBundle(path, one_line(why)))
            continue
        for source, target in _files(aside, store):
            if target not in owners:
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
                owners[target] = path
        taken.append(_named(suite_run, path, {bundle.name for bundle in taken}))
        matrix = msgspec.structs.replace(suite_run.matrix, suite=taken[-1].name)
        (store / suite_unit(taken[-1].name)).write_bytes(msgspec.json.encode(matrix))
    suites = read_suites(store, [bundle.name for bundle in taken]) if taken else ()
    doubted = tuple(run_with_doubts(suite_run, root) for suite_run in suites)
    return store, UnitedBundles(doubted, tuple(taken), tuple(refused), apart.contested)


def _voices(path: Path, folder: Path, suite_run: SuiteRun) -> tuple[dict[str, _Voice], list[str]]:
    """What a bundle says of each task's images, and what of it in two ways."""
    of_task: dict[str, list[RunOutcome]] = {}
    for run in suite_run.runs:
        if run.record:
            of_task.setdefault(run.id.task, []).append(run)
    truth_of = kept_truths(folder)
    found, problems = {}, []
    for task, runs in sorted(of_task.items()):
        records = {run.record.truth_sha256: run.record for run in runs if run.record}
        hidden = {tone for r in records.values() for tone in r.not_scored}
        said, twice = said_of((truth for r in records.values() if (truth := truth_of(r))), hidden)
        if twice is not None:
            problems.append(f"{task}: two truths in it differ about {twice}")
        found[task] = _Voice(path, said, frozenset(run.id.key for run in runs))
    return found, problems


def _named(suite_run: SuiteRun, path: Path, names: set[str]) -> BoardBundle:
    """What a bundle is called: by its file, with a number where another has that name."""
    plain = _PLAIN.sub("-", path.name.removesuffix(".zip").removesuffix(".tonegap")).strip("-")
    name = plain or suite_run.matrix.suite
    name = next(n for n in (name, *(f"{name}-{i}" for i in range(2, 10_000))) if n not in names)
    found = completeness(suite_run.runs)
    n_records = sum(run.record is not None for run in suite_run.runs)
    matrix = suite_run.matrix
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
    """Why a bundle cannot stand beside those in the store: another result under the same key."""
    for source, target in _files(folder, store):
        part = source.relative_to(folder).parts[0]
        if target.exists() and not _same_work(source, target, part):
            return f"{source.relative_to(folder)}: {owners[target].name} has that key with another content"
    return None


def _same_work(one: Path, other: Path, part: str) -> bool:
    """Whether two files of one key tell the same, but for what may differ between two runs of the same work.

    Two laboratories that ran the same control took other seconds for it; why a run failed is no result.
    """
    first, second = one.read_bytes(), other.read_bytes()
    if first == second or part == FAILURES:
        return True
    try:
        if part == STAGES and one.name == "stage.json":
            return _work(first, StageMark) == _work(second, StageMark)
        return part == RECORDS and _work(first, Record) == _work(second, Record)
    except DAMAGE:  # no run of its suite names it, so nobody has read it yet
        return False


def _work(content: bytes, kind: type[StageMark | Record]) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(msgspec.json.decode(content, type=kind))
    return {name: value for name, value in fields.items() if name not in _CIRCUMSTANCES}


def _disagreements(voices: Mapping[str, list[_Voice]], own: Mapping[str, Said]) -> _Disagreements:
    """By task: who says otherwise than this store (`own`) or than most bundles, and where no majority is.

    A tie about one image, among those not outvoted, leaves the task contested: which is right is open.
    """
    found = _Disagreements()
    for task, all_voices in sorted(voices.items()):
        ours = own.get(task, {})
        left = []
        for voice in all_voices:
            other = [i for i, told in voice.said.items() if ours.get(i, told) != told]
            if other:
                how = _in_words(other[0], voice.said, ours)
                found.outvoted[voice.path] = (
                    f"{task}: another truth of {len(other):,} images than this store's ({how})"
                )
            else:
                left.append(voice)
        _vote(task, left, found)
    return found


def _vote(task: str, voices: list[_Voice], found: _Disagreements) -> None:
    voters = list({v.keys: v for v in voices}.values())
    votes: dict[str, Counter[tuple[str, str | None]]] = {}
    for voice in voters:
        for image, told in voice.said.items():
            votes.setdefault(image, Counter())[told] += 1
    settled = {
        image: value
        for image, told in votes.items()
        for value, n in told.most_common(1)
        if 2 * n > told.total()
    }
    left = []
    for voice in voices:
        other = [i for i, told in voice.said.items() if settled.get(i, told) != told]
        if not other:
            left.append(voice)
            continue
        with_it = [v.path.name for v in voices if v.said.get(other[0]) == settled[other[0]]]
        how = _in_words(other[0], voice.said, settled)
        found.outvoted[voice.path] = (
            f"{task}: another truth of {len(other):,} images than most bundles, {', '.join(with_it)} ({how})"
        )
    apart = [image for image in votes if len({v.said[image] for v in left if image in v.said}) > 1]
    if apart:
        each = ", ".join(
            f"{_word(v.said[apart[0]])} in {v.path.name}" for v in left if apart[0] in v.said
        )
        found.contested[task] = (
            f"{task}: bundles disagree on the truth of {len(apart):,} images ({apart[0]}: {each}) and do not show "
            "which is right: nothing of the task is ranked"
        )


def _in_words(image: str, said: Said, wanted: Said) -> str:
    return f"{image}: {_word(said[image])}, there {_word(wanted[image])}"


def _word(told: tuple[str, str | None]) -> str:
    return f"{told[0]}, tone {told[1] or 'unknown'}"
