"""Whether what a network was pretrained on holds images of a data set: `benchmarks/exposure.toml` and plug-ins say so.

The mistake it exists to prevent: a foundation model that has seen the test images, ranked as one that has not; and
"nobody knows", read as "no".
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from tonegap.declared.toml import read_toml
from tonegap.errors import BadSuiteFolder
from tonegap.formats.record import Exposure
from tonegap.lines import did_you_mean

if TYPE_CHECKING:
    from tonegap.declared.local_files import LocalFile
    from tonegap.declared.plugin import Plugin

EXPOSURE = Path("benchmarks") / "exposure.toml"
_SHA256 = re.compile(r"[0-9a-f]{64}")
WORST = ("no", "unknown", "yes")


class SeenBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether images of a data set were among those of a pretraining, and who says so (an address or a reference)."""

    answer: Literal["no", "yes", "unknown"]
    source: str


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
    parts: Iterable[tuple["Plugin", Sequence["LocalFile"]]],
    data_sets: Sequence[str],
    known: Known,
    trained_on: Sequence[str] = (),
) -> tuple[Exposure, ...]:
    """What is known of each local file that the plug-ins of an entry were given, worst answer over `data_sets`.

    `data_sets` are those that test images are of; of others that are `trained_on` the answer stands beside it. What a
    plug-in says of itself counts where it is worse than what is known of the file. Where it was given none, its
    weights may lie in its folder or image: what it says stands alone, with no file; one that says nothing is left out.
    """
    found = []
    for plugin, files in parts:
        for file in files:
            tested, trained = (
                [_answer(plugin, file.sha256, name, known) for name in names]
                for names in (data_sets, trained_on)
            )
            found.append(_exposure(plugin, file.path.name, tested, trained))
        own, others = (
            [plugin.file.exposure[name] for name in names if name in plugin.file.exposure]
            for names in (data_sets, trained_on)
        )
        if (own or others) and not files:
            found.append(_exposure(plugin, "", own or [_SILENT], others))
    return tuple(found)


def _exposure(
    plugin: "Plugin", file: str, tested: Sequence[SeenBy], trained: Sequence[SeenBy]
) -> Exposure:
    worst = max(tested, key=_badness)
    if not trained:
        return Exposure(plugin.label, file, worst.answer, worst.source)
    other = max(trained, key=_badness)
    return Exposure(plugin.label, file, worst.answer, worst.source, other.answer, other.source)


def _badness(seen: SeenBy) -> int:
    return WORST.index(seen.answer)


def _answer(plugin: "Plugin", sha256: str, data_set: str, known: Known) -> SeenBy:
    said = [known.get(sha256, {}).get(data_set), plugin.file.exposure.get(data_set)]
    answers = [seen for seen in said if seen is not None]
    return max(
        answers, key=_badness, default=SeenBy("unknown", "nothing is declared about this file")
    )
