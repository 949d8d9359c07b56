"""Holds what one finished run (entry × task × seed) measured, and on what evidence: `record.json`.

All that may differ between two runs of the same work on the same kind of machine (times, memory,
hardware) is in `circumstances`; the rest is byte-identical. The mistake it exists to prevent: a
number without its evidence.
"""

from typing import Literal

import msgspec

from tonegap.files import readable_json
from tonegap.formats.job import Parameter

SCHEMA = "tonegap/record@1"
SELECTIONS = ("validation", "last", "test-oracle")


class EntryId(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True, omit_defaults=True
):
    """method × baseline × backbone × post-processor; `variant` tells two parameter sets of the same four apart.

    An entry without a post-processor is written as before there were any: that field is left out, `variant` never is.
    """

    method: str
    baseline: str
    backbone: str
    variant: str = msgspec.field(default_factory=str)  # a factory's value is always written
    postprocessor: str = ""

    @property
    def name(self) -> str:
        """The plug-ins that make it: `tone-shift + erm`, and the post-processor where there is one."""
        return " + ".join(filter(None, (self.method, self.baseline, self.postprocessor)))

    @property
    def plugins(self) -> dict[str, str]:
        """The id of each plug-in that makes it, by kind: two, or three with a post-processor."""
        found = {"method": self.method, "baseline": self.baseline}
        return found | ({"postprocessor": self.postprocessor} if self.postprocessor else {})

    @property
    def label(self) -> str:
        """As people read it: `tone-shift + erm (resnet18)`."""
        parts = [part for part in (self.backbone, self.variant) if part]
        return f"{self.name} ({', '.join(parts)})" if parts else self.name


class ScoreColumns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A score table by columns, all of one length; `value` is null where undefined, with a reason."""

    metric: tuple[str, ...]
    tone: tuple[str, ...]
    value: tuple[float | None, ...]
    n: tuple[int, ...]
    reason: tuple[str | None, ...]


class Selected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The test scores of the epoch that one selection rule picked.

    `threshold` is that of the positive event (null: none declared, or undefined). `tables` maps a
    tone axis (`types`, `groups`) to its scores.
    """

    epoch: int
    threshold: float | None
    tables: dict[str, ScoreColumns]


class PartitionId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many images a partition has, by tone (`unknown` for none), and its id list's SHA-256."""

    n: int
    n_by_tone: dict[str, int]
    sha256: str


class Exclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user's list of images to leave out: its file's name and SHA-256, and how many ids it has.

    `n_unknown` of them are none of the data set's. `taken` counts what it took out of each partition; an image on two
    lists counts in both.
    """

    name: str
    sha256: str
    n_listed: int
    n_unknown: int
    taken: dict[str, int]

    @property
    def text(self) -> str:
        """`left out by errors.txt: 10 train, 2 test; 1 of 13 listed ids is none of the data set's`."""
        taken = ", ".join(f"{n:,} {part}" for part, n in self.taken.items()) or "no image in use"
        verb = "is" if self.n_unknown == 1 else "are"
        unknown = (
            f"; {self.n_unknown:,} of {self.n_listed:,} listed ids {verb} none of the data set's"
        )
        return f"left out by {self.name}: {taken}{unknown if self.n_unknown else ''}"


class DataId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which data: metadata digest, digest over ids and image contents, and whether they were drawn.

    `stand_in` marks phantom images under real metadata: such a result never ranks beside real ones.
    `missing` counts images by partition that the metadata lists and the download lacks. `subset` is to about
    how many images the task was subsampled, null for all of them: such a result never ranks beside full ones, nor does
    one without the images of a user's lists (`exclusions`). `joined`: the data sets that a joined one is made of;
    `tested`: those of them that all test images are of, where the task says so.
    """

    data_set: str
    metadata_sha256: str
    images_sha256: str
    stand_in: bool
    drawn: bool
    missing: dict[str, int] = {}
    subset: int | None = None
    exclusions: tuple[Exclusion, ...] = ()
    joined: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        """The data sets that test images are of."""
        return self.tested or self.joined or (self.data_set,)

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The joined data sets that no test image is of."""
        return tuple(name for name in self.joined if name not in self.asked)

    @property
    def missing_text(self) -> str:
        """`without 5 images that are missing or unreadable: 2 test, 3 train`; empty where none is."""
        n = sum(self.missing.values())
        of = ", ".join(f"{n:,} {part}" for part, n in self.missing.items() if n)
        image = "image that is" if n == 1 else "images that are"
        return f"without {n:,} {image} missing or unreadable: {of}" if n else ""


class Exposure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whether a file that a plug-in was given was trained on images of the data set tested on, and who says so.

    `file` is empty where the plug-in speaks of weights in its own folder or image. `in_training`: the same of the data
    sets that are trained on alone, "" where there is none; it decides no mark.
    """

    plugin: str
    file: str
    seen: Literal["no", "yes", "unknown"]
    source: str
    in_training: Literal["", "no", "yes", "unknown"] = ""
    training_source: str = ""

    @property
    def text(self) -> str:
        """`net.pth of extractors/net: no (who says so); training images: yes (who says so)`."""
        of = f"{self.file} of {self.plugin}" if self.file else self.plugin
        more = f"; training images: {self.in_training} ({self.training_source})"
        return f"{of}: {self.seen} ({self.source}){more if self.in_training else ''}"


class BankId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The feature bank that a baseline trained on: its extractor with every parameter."""

    extractor: str
    parameters: dict[str, Parameter]


class StageId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stage that led here: its plug-in, content key and environment digest."""

    stage: str
    plugin: str
    key: str
    environment: str


class SyntheticId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The synthetic set that training used: how many images, by tone, its digest, and what is known of its origin.

    `sha256` covers rows, sources, learned parts and the content of every image. `parts`: SHA-256 of each
    learned part. `withheld`: training images that no method was shown, by the rule that found their copy
    among the held-out ones; `shown` where the task says that methods see them. Of the images: `n_sources`
    real ones are their ancestors, of `n_unknown` the method says that nobody knows what they were made from,
    `n_unnamed` name no ancestor though the method does not say that it works from text alone, `n_allowed` descend
    from what was shown, `n_explained` look like a held-out image but more like a source of their own.
    """

    n: int
    n_by_tone: dict[str, int]
    sha256: str
    parts: dict[str, str] = {}
    withheld: dict[str, int] = {}
    shown: dict[str, int] = {}
    n_sources: int = 0
    n_unknown: int = 0
    n_allowed: int = 0
    n_explained: int = 0
    n_unnamed: int = 0

    @property
    def n_withheld(self) -> int:
        """Training images that no method was shown, by whatever rule."""
        return sum(self.withheld.values())


class CurvePoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The selection metric of one epoch on validation and on test; null where undefined."""

    epoch: int
    validation: float | None
    test: float | None


class CrossFit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What choosing the epoch on test images gains, chosen on one half of them and scored on the other.

    `epochs`: chosen on the first and on the second half (none where a half cannot choose); `n` images of each.
    `gains` maps a tone axis to scores over all images: the chosen epoch's minus validation's, mean of both halves.
    """

    epochs: tuple[int, ...]
    n: tuple[int, int]
    gains: dict[str, ScoreColumns]


class GroupLeak(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What crosses between partitions by one group column: images of a patient (of a lesion) on both sides.

    Test images whose patient training or validation has; validation images whose patient training has; pairs of a
    test image and a training or validation image of one patient. Of the `n_used` images of the partitions `n_blank`
    name no patient: what crosses among them is not known.
    """

    n_test_images: int
    n_validation_images: int
    n_pairs: int
    n_blank: int = 0
    n_used: int = 0

    def text(self, column: str, n_test: int, n_validation: int) -> str:
        """As a clause with shares: `test images of patients in training: 8 (26.7 %), 8 pairs of one patient`.

        Training is all that a stage may look at to train and to select, validation included.
        """
        word = group_word(column)
        found = _of(self.n_test_images, n_test)
        known = " known" if self.n_blank and not self.n_test_images else ""
        text = f"test images of {word}s in training: {found}{known}"
        if self.n_pairs:
            pairs = "pair" if self.n_pairs == 1 else "pairs"
            text += f", {self.n_pairs:,} {pairs} of one {word}"
        if self.n_validation_images:
            n = _of(self.n_validation_images, n_validation)
            text += f"; validation images of {word}s in training: {n}"
        if self.n_blank:
            verb = "has" if self.n_blank == 1 else "have"
            of = f"{self.n_blank:,} of {self.n_used:,} images {verb}"
            text += f"; {of} no {column}: leaks among them are not known"
        return text


def group_word(column: str) -> str:
    """What a group column is called in a sentence: `patient` for `patient_id`."""
    return column.removesuffix("_id").replace("_", " ")


def _of(n: int, of: int) -> str:
    return f"{n:,} ({100 * n / of:.1f} %)" if n else "none"


class Leaks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Near-duplicate groups that cross from training or validation into test: groups, test images.

    `groups` maps each column of the data set's `groups` (patient, lesion) to what crosses by it.
    """

    n_groups: int
    n_test_images: int
    test_images_by_tone: dict[str, int]
    groups: dict[str, GroupLeak] = {}


class Isolation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was in force while the stages ran: `network` and `files` say how the stage was cut off.

    `contained` is false for a stage that ran as a plain process; a leaderboard marks it. `version` is
    that of a container engine (`Docker 20.10.24`).
    """

    engine: str
    contained: bool
    network: str
    files: str
    limits: dict[str, str]
    version: str = ""


class StageCost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a stage took: wall and processor seconds, peak memory in MiB (null: not measured)."""

    stage: str
    seconds: float
    cpu_seconds: float | None
    peak_memory_mib: float | None


class Circumstances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that may differ between two runs of the same work."""

    finished: str
    hardware: dict[str, str]
    versions: dict[str, str]
    costs: tuple[StageCost, ...]
    isolation: Isolation

    @property
    def seconds(self) -> float:
        """Wall time of all stages."""
        return sum(cost.seconds for cost in self.costs)


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module; `scores` maps each selection rule to what it picked.

    `truth_sha256` names the truth that the store keeps; empty: none was kept.
    `numerics` "portable": the stages give the same bytes on every x86 processor with AVX2.
    `not_scored`: test images of tones of which there are too few to score, by tone.
    `cross_fit`: null in records that are older than it, and where nothing was left to choose.
    `n_without_tone`: images of one of the classes that the task leaves out because nobody knows their tone.
    `exposure`: what is known of each file that was trained elsewhere; absent where there is none. `bank`: absent where
    the baseline saw images.
    """

    schema: str
    entry: EntryId
    control: bool
    method_parameters: dict[str, Parameter]
    baseline_parameters: dict[str, Parameter]
    task: str
    seed: int
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    tones: tuple[str, ...]
    primary_metric: str
    selection_metric: str
    published_selection: str
    min_support: int
    tone_at_test: bool
    data: DataId
    partitions: dict[str, PartitionId]
    synthetic: SyntheticId | None
    leaks: Leaks
    stages: tuple[StageId, ...]
    predictions_sha256: str
    scores: dict[str, Selected]
    curve: tuple[CurvePoint, ...]
    circumstances: Circumstances
    truth_sha256: str = ""
    numerics: Literal["portable", "native"] = "native"
    cross_fit: CrossFit | None = None
    n_without_tone: int = 0
    not_scored: dict[str, int] = {}
    postprocessor_parameters: dict[str, Parameter] = {}
    exposure: tuple[Exposure, ...] | msgspec.UnsetType = msgspec.UNSET
    bank: BankId | msgspec.UnsetType = msgspec.UNSET

    @property
    def plugins(self) -> dict[str, str]:
        """The id of each plug-in that made it, by kind: its entry's, and the extractor of its bank."""
        return self.entry.plugins | ({"extractor": self.bank.extractor} if self.bank else {})

    @property
    def plugin_parameters(self) -> dict[str, dict[str, Parameter]]:
        """The parameters of each of its `plugins`, by kind."""
        found = {"method": self.method_parameters, "baseline": self.baseline_parameters}
        if self.entry.postprocessor:
            found["postprocessor"] = self.postprocessor_parameters
        return found | ({"extractor": self.bank.parameters} if self.bank else {})

    def tone_counts(self, part: str) -> dict[str, int]:
        """Images of a partition by tone, `unknown` last: as annotated, also of tones that are not scored."""
        counts = dict(self.partitions[part].n_by_tone)
        if part != "test" or not self.not_scored:
            return counts
        unknown = counts.pop("unknown", 0) - sum(self.not_scored.values())
        counts |= {tone: n for tone, n in self.not_scored.items() if n}
        return counts | ({"unknown": unknown} if unknown > 0 else {})

    @property
    def n_unknown_tone(self) -> int:
        """Images of all partitions whose tone nobody knows."""
        return sum(self.tone_counts(part).get("unknown", 0) for part in self.partitions)

    @property
    def seen(self) -> Literal["no", "yes", "unknown"]:
        """Whether what the entry was given had seen images of the data set; the worst of what is known.

        Nobody knows of a local file that a record names without a word on it.
        """
        values = [str(value) for of in self.plugin_parameters.values() for value in of.values()]
        given = {value.rpartition("#sha256=")[0] for value in values if "#sha256=" in value}
        said = self.exposure or ()
        found = {exposure.seen for exposure in said}
        if given - {exposure.file for exposure in said}:
            found.add("unknown")
        return "yes" if "yes" in found else "unknown" if "unknown" in found else "no"


def encode_record(record: Record) -> bytes:
    """The record as JSON with sorted keys: equal records give equal bytes."""
    return readable_json(record)


def decode_record(content: bytes) -> Record:
    """The record that JSON spells. Raises msgspec.ValidationError or DecodeError."""
    return msgspec.json.decode(content, type=Record)
