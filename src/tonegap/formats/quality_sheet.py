"""`quality.json`: what is known of one synthetic set. Undefined values are null, with a reason."""

import msgspec

from tonegap.formats.job import Parameter
from tonegap.formats.record import DataId

SCHEMA = "tonegap/quality@1"
ALL = "all"


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A share of n images."""

    value: float | None
    n: int
    reason: str | None = None


class Agreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far measured tone groups follow those asked for (annotated): Cohen's kappa with its 95 % interval.

    `chance` is the share in the same group that the margins alone give. All null, with a reason, where
    images of one group alone are asked for.
    """

    kappa: float | None
    low: float | None
    high: float | None
    chance: float | None
    n: int
    reason: str | None = None

    @property
    def is_none(self) -> bool:
        """Whether no agreement beyond chance is shown: the interval does not lie above 0."""
        return self.low is not None and self.low <= 0


class ToneTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Images by tone asked for (rows) and tone measured (columns), and the shares that are as asked.

    `n_without_tone` images have no tone that was asked for and are in no row; `n_not_measurable` show too little skin
    and are in no share. `same_group_by_tone` has a share for each row. `n_by_mask` images were measured outside
    their lesion mask, the others in their border; `skin_share` is the median share of skin there.
    """

    asked: tuple[str, ...]
    measured: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    n_without_tone: int
    same_tone: Share
    same_group: Share
    same_group_by_tone: tuple[Share, ...]
    agreement: Agreement
    n_not_measurable: int
    n_by_mask: int
    skin_share: float | None


class Looks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Share of images without a visible lesion, and the median sharpness (null without images)."""

    without_lesion: Share
    sharpness: float | None


class SetDistance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the synthetic images of a tone (or `all`) are from the real training ones.

    `standard_error` and `blocks` (images per block: real, synthetic) belong to the kernel distance.
    """

    tone: str
    n_real: int
    n_synthetic: int
    value: float | None
    reason: str | None = None
    standard_error: float | None = None
    blocks: tuple[int, int] | None = None


class Coverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How real images of a tone (or `all`) are surrounded by synthetic ones, each with its standard error.

    `density`: synthetic images within the fifth neighbour of a real one, over what is expected of new real images, so
    1 for those. `coverage`: share of real images that have one there; `expected` what new real images would give.
    """

    tone: str
    n_real: int
    n_synthetic: int
    density: float | None = None
    density_error: float | None = None
    coverage: float | None = None
    coverage_error: float | None = None
    expected: float | None = None
    reason: str | None = None


class ProbeGain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Accuracy of a probe on n held-out training images, trained on the others and with the synthetic set; the gain.

    `low` to `high` holds the gain with 95 %.
    """

    tone: str
    n: int
    alone: float | None = None
    with_set: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


class CellDiversity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mean distance between two images of a class and tone, synthetic and real; null below two images."""

    label: str
    tone: str
    n_real: int
    n_synthetic: int
    real: float | None
    synthetic: float | None

    @property
    def ratio(self) -> float | None:
        """Synthetic over real; None where either is undefined or the real images are all alike."""
        return self.synthetic / self.real if self.synthetic is not None and self.real else None


class Vendi(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Effective number of different images among `n` real and among `n` synthetic ones of a tone."""

    tone: str
    n: int
    real: float | None
    synthetic: float | None
    reason: str | None = None


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A synthetic image, the training image nearest to it, and whether it was made from that one."""

    synthetic: str
    real: str
    distance: float
    is_source: bool


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How near synthetic images are to training images.

    `threshold` is the 5 % quantile of the distances from training images to their nearest other
    one; `near` the share of synthetic images within it (of new real images about 5 %); `own_source`
    the share whose nearest training image is one they were made from.
    """

    threshold: float | None
    near: Share
    own_source: Share
    median_real: float | None
    median_synthetic: float | None
    nearest: tuple[Pair, ...]


class FeatureScores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that needs features.

    `halves` is the kernel distance between two halves of the real images: what none would look like.
    """

    n_features: int
    fid: tuple[SetDistance, ...]
    kid: tuple[SetDistance, ...]
    halves: SetDistance
    diversity: tuple[CellDiversity, ...]
    vendi: tuple[Vendi, ...]
    memory: Memory
    coverage: tuple[Coverage, ...] = ()
    gain: tuple[ProbeGain, ...] = ()


class ExtractorId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which features: plug-in, parameters (files with their digests), environment, `random` weights."""

    plugin: str
    parameters: dict[str, Parameter]
    environment: str
    random: bool


class SheetPicture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A picture beside the sheet: file, digest, and what it shows."""

    file: str
    sha256: str
    caption: str


class SetId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which synthetic set: plug-in and parameters, task, seed, stage key, digest, counts, its data."""

    plugin: str
    parameters: dict[str, Parameter]
    task: str
    seed: int
    stage: str
    sha256: str
    n: int
    n_by_tone: dict[str, int]
    n_real: int
    data: DataId


class Sheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The quality sheet; `measured` is null where there are no features, and `no_features` says why.

    `radiomic`: Fréchet distances of radiomic features, by tone, the last of two halves of the training images; of
    sheets from before there were any, none. `skipped`: what the method says that it could not make or passed over, by
    reason. Sharpness was compared at images of `sharpness_px`.
    """

    schema: str
    key: str
    set: SetId
    tones: ToneTable
    real_tones: ToneTable
    looks: Looks
    real_looks: Looks
    sharpness_px: int
    skipped: dict[str, int]
    extractor: ExtractorId | None
    measured: FeatureScores | None
    no_features: str | None
    pictures: tuple[SheetPicture, ...]
    radiomic: tuple[SetDistance, ...] = ()


def decode_sheet(content: bytes) -> Sheet:
    """The sheet that JSON spells. Raises msgspec.ValidationError or DecodeError."""
    return msgspec.json.decode(content, type=Sheet)
