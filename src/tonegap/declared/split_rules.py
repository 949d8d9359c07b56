"""The split rules that a task file can name, each with parameters of its own.

A rule says which images are published as training and test images; a validation rule says which of
the training images are kept for choosing epoch and threshold. They are applied in
`tonegap.split.published` and `tonegap.split.validation`.
"""

from typing import Literal

import msgspec

Stratum = Literal["tone", "class"]


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="rule"):
    """A rule; the key `rule` of its table names it."""


class _SplitRule(_Rule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A split rule. `seeds` are the task's usual seeds, the first is the default.

    A rule without a random state of its own is sampled again for every seed: the task is seeded.
    """

    seeds: tuple[int, ...]

    @property
    def seeded(self) -> bool:
        """Whether the seed moves images, rather than driving the training alone."""
        return False

    @property
    def gives_validation(self) -> bool:
        """Whether the rule itself gives the validation images."""
        return False


class RandomHoldout(_SplitRule, frozen=True, tag="random-holdout", kw_only=True):
    """A random share is the test set: scikit-learn's `train_test_split` on rows in file order.

    `stratify` names a metadata column whose values keep their shares ("" for none). `random_state`
    is the published one; absent, the seed takes its place.
    """

    test_fraction: float
    stratify: str = ""
    random_state: int | None = None

    @property
    def seeded(self) -> bool:
        """True where no random state is declared."""
        return self.random_state is None


class RandomThreeWay(_SplitRule, frozen=True, tag="random-three-way", kw_only=True):
    """A random share is held out, then halved into validation and test by the same call.

    `halving_state`: the random state of the second call, where it is not the first one's. With `sorted_ids` the calls
    are made on the sorted ids, else on rows in file order.
    """

    held_out_fraction: float
    random_state: int
    stratify: str = ""
    halving_state: int | None = None
    sorted_ids: bool = False

    @property
    def gives_validation(self) -> bool:
        """True."""
        return True


class ToneHoldout(_SplitRule, frozen=True, tag="tone-holdout", kw_only=True):
    """Images of the tones in `train` are training images, all others test images.

    `common` names a column: images with a value that is found on one side only are unused.
    """

    train: tuple[str, ...]
    common: str = ""


class DrawnValidation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A random share of the training images, published as validation images; by scikit-learn's `train_test_split`."""

    fraction: float
    random_state: int
    stratify: str = ""


class TextHoldout(_SplitRule, frozen=True, tag="text-holdout", kw_only=True):
    """Images whose cell in `column` contains the text `train` are training images, `test` test
    images; an image with neither, an empty cell included, is unused.

    `common` as in the tone hold-out; a value of it that fewer than `at_least` images to train on have is unused as
    well. `validation` is drawn from the training images that are left.
    """

    column: str
    train: str
    test: str
    common: str = ""
    at_least: int = 1
    validation: DrawnValidation | None = None

    @property
    def gives_validation(self) -> bool:
        """True where it takes validation images."""
        return self.validation is not None


class ValueHoldout(_SplitRule, frozen=True, tag="value-holdout", kw_only=True):
    """Images whose cell in `column` is one of `train`, `validation` or `test`; all others are unused.

    An empty text stands for an empty cell. A published column is taken as it is.
    """

    column: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    validation: tuple[str, ...] = ()

    @property
    def gives_validation(self) -> bool:
        """True where values of validation images are named."""
        return bool(self.validation)


class ReferenceImages(_SplitRule, frozen=True, tag="reference-images", kw_only=True):
    """A few images of each class, light and dark, are set aside as references; pandas draws them.

    The other light images are training images, the other dark ones test images. The dark references
    join the training images where `dark_in_training`; light references are always unused. Each draw
    starts from the seed anew: one per side `within = "class"` (pandas' grouped sample), or one per
    class and tone `within = "class-and-tone"`.
    """

    light: tuple[str, ...]
    dark: tuple[str, ...]
    references: int
    within: Literal["class", "class-and-tone"]
    dark_in_training: bool

    @property
    def seeded(self) -> bool:
        """True: every seed draws other references."""
        return True


class GroupedHoldout(_SplitRule, frozen=True, tag="grouped-holdout", kw_only=True):
    """Whole groups are the test set: images with an equal cell in any of `columns` (patient, lesion) stay together.

    `columns`: empty for all `groups` of the data set. The share is one of images, within `strata`, as near as whole
    groups allow; groups are ranked by SHA-256, so no library decides.
    """

    test_fraction: float
    strata: tuple[Stratum, ...] = ("tone", "class")
    columns: tuple[str, ...] = ()

    @property
    def seeded(self) -> bool:
        """True: every seed holds out other groups."""
        return True


class GroupedKFold(_SplitRule, frozen=True, tag="grouped-k-fold", kw_only=True):
    """Whole groups are shared out over `folds`, alike in `strata`; one fold is the test set.

    Seed s tests on fold s modulo `folds` of shuffle s // `folds`: seeds 0 to 4 of five folds test on every image
    once, seeds 5 to 9 once more after another shuffle. `columns` as in the grouped hold-out.
    """

    folds: int
    strata: tuple[Stratum, ...] = ("tone", "class")
    columns: tuple[str, ...] = ()

    @property
    def seeded(self) -> bool:
        """True: every seed tests on another fold."""
        return True


class PinnedList(_SplitRule, frozen=True, tag="pinned", kw_only=True):
    """A published list of ids is the split; the task's pin holds it, without an id.

    `tonegap split TASK --pin --from LIST` writes the pin; images that the list lacks are unused.
    """


SplitRule = (
    GroupedHoldout
    | GroupedKFold
    | PinnedList
    | RandomHoldout
    | RandomThreeWay
    | ToneHoldout
    | TextHoldout
    | ValueHoldout
    | ReferenceImages
)


class Carve(_Rule, frozen=True, tag="carve"):
    """A share of the published training images, within strata named from outer to inner."""

    fraction: float = 0.1
    strata: tuple[Stratum, ...] = ("tone", "class")


class GroupedCarve(_Rule, frozen=True, tag="grouped-carve"):
    """A share of the published training images in whole groups; `columns` as in the grouped hold-out."""

    fraction: float = 0.1
    strata: tuple[Stratum, ...] = ("tone", "class")
    columns: tuple[str, ...] = ()


class PublishedValidation(_Rule, frozen=True, tag="published"):
    """The split rule itself gives the validation images."""


ValidationRule = Carve | GroupedCarve | PublishedValidation
