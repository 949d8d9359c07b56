"""Reads whether a network was pretrained on images of a data set, from `benchmarks/exposure.toml` and plug-ins.

The mistake it exists to prevent: a foundation model that has seen the test images, ranked as one that has not; and
"nobody knows", read as "no".
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from tonegap.declared.local_files import LocalFile
from tonegap.declared.plugin import ANY_DATA_SET, Plugin, SeenBy
from tonegap.declared.toml import read_toml
from tonegap.errors import BadSuiteFolder
from tonegap.formats.record import Exposure
from tonegap.lines import did_you_mean

EXPOSURE = Path("benchmarks") / "exposure.toml"
_SHA256 = re.compile(r"[0-9a-f]{64}")
WORST = ("no", "unknown", "yes")


class PretrainedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file or folder of weights by its SHA-256, and what it has seen by data set; of any other nobody knows."""

    about: str
    sha256: str
    seen: dict[str, SeenBy]


class ExposureFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`benchmarks/exposure.toml` as written."""

    files: dict[str, PretrainedFile]


_SILENT = SeenBy("unknown", "it says nothing of the data set that is tested on")
Known = Mapping[str, Mapping[str, SeenBy]]


def read_exposure(root: Path) -> Known:
    """What files of weights have seen, by their SHA-256 and by data set; none where the root declares none.

    Raises BadSuiteFolder for a wrong file, an answer without a source, or a file that stands there twice.
    """
    path = root / EXPOSURE
    if not path.is_file():
        return {}
    found: dict[str, Mapping[str, SeenBy]] = {}
    for name, file in read_toml(path, ExposureFile).files.items():
        if not _SHA256.fullmatch(file.sha256) or file.sha256 in found:
            raise BadSuiteFolder(
                f"{path}: {name}: wanted a sha256 of 64 digits in small letters that no other has"
            )
        if not all(seen.source for seen in file.seen.values()):
            raise BadSuiteFolder(f"{path}: {name}: an answer has no source; say who says so")
        found[file.sha256] = file.seen
    return found


def unknown_data_sets(seen: Iterable[str], known: Sequence[str]) -> Iterator[str]:
    """A sentence for each data set of an answer that is not among the `known` ones of a suite root.

    Their answer would be lost, and a lost "yes" reads as if nobody had said it.
    """
    for name in sorted({*seen} - {*known}):
        there = ", ".join(known) or "none"
        yield f"{name!r} is no data set{did_you_mean(name, known)}; there are: {there}"


def exposures_of(
    parts: Iterable[tuple[Plugin, Sequence[LocalFile]]],
    data_sets: Sequence[str],
    known: Known,
    trained_on: Sequence[str] = (),
) -> tuple[Exposure, ...]:
    """What is known of each local file that the plug-ins of an entry were given, worst answer over `data_sets`.

    `data_sets` are those that test images are of; of others that are `trained_on` the answer stands beside it. What a
    plug-in says of itself counts where it is worse than what is known of the file. Where it was given none, or holds
    weights, what it says of these stands with no file (`own_exposure`); one that says nothing is left out.
    """
    found = []
    for plugin, files in parts:
        own = own_exposure(plugin.label, plugin.file.exposure, holds_weights=plugin.holds_weights)
        for file in files:
            tested, trained = (
                [answer for name in names for answer in _of_file(own, file.sha256, name, known)]
                for names in (data_sets, trained_on)
            )
            found.append(_exposure(plugin, file.path.name, tested, trained))
        if plugin.holds_weights or not files:
            tested, trained = (
                [answer for name in names for answer in answers(own, "", name, known)]
                for names in (data_sets, trained_on)
            )
            if tested or trained:
                found.append(_exposure(plugin, "", tested or [_SILENT], trained))
    return tuple(found)


def own_exposure(
    label: str, said: Mapping[str, SeenBy], *, holds_weights: bool = False
) -> Mapping[str, SeenBy]:
    """What a plug-in's `[exposure]` says by data set; unknown for any other if it is an extractor or holds weights.

    An extractor is a trained network unless it says otherwise (`[exposure."*"]`), and its image may hold the weights.
    """
    if not holds_weights and not label.startswith("extractors/"):
        return said
    return {
        ANY_DATA_SET: SeenBy("unknown", "nothing is declared about the weights that come with it")
    } | {**said}


def answers(
    own: Mapping[str, SeenBy], sha256: str, data_set: str, known: Known
) -> tuple[SeenBy, ...]:
    """What is declared about a file by its digest and by the plug-in that was given it; "" for what comes with that.

    A "no" of a plug-in is about what comes with it, never about a file.
    """
    if not sha256:
        found = own.get(data_set, own.get(ANY_DATA_SET))
        return (found,) if found else ()
    by_plugin = own.get(data_set)
    said = (known.get(sha256, {}).get(data_set), by_plugin)
    return tuple(a for a in said if a and not (a is by_plugin and a.answer == "no"))


def _of_file(
    own: Mapping[str, SeenBy], sha256: str, data_set: str, known: Known
) -> tuple[SeenBy, ...]:
    silent = SeenBy("unknown", "nothing is declared about this file")
    return answers(own, sha256, data_set, known) or (silent,)


def _exposure(
    plugin: Plugin, file: str, tested: Sequence[SeenBy], trained: Sequence[SeenBy]
) -> Exposure:
    worst = max(tested, key=_badness)
    if not trained:
        return Exposure(plugin.label, file, worst.answer, worst.source)
    other = max(trained, key=_badness)
    return Exposure(plugin.label, file, worst.answer, worst.source, other.answer, other.source)


def _badness(seen: SeenBy) -> int:
    return WORST.index(seen.answer)
