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

    seeds: tuple[int, ...]  # the task's usual seeds; the first is the default

    @property
    def seeded(self) -> bool:
        """Whether the seed moves images, rather than driving the training alone."""
        if isinstance(self, RandomHoldout):
            return self.random_state is None
        return isinstance(self, ReferenceImages | GroupedHoldout | GroupedKFold)

    @property
    def gives_validation(self) -> bool:
        """Whether the rule itself gives the validation images: always, or where its table names some."""
        named = isinstance(self, TextHoldout | ValueHoldout) and bool(self.validation)
        return named or isinstance(self, RandomThreeWay)


class RandomHoldout(_SplitRule, frozen=True, tag="random-holdout", kw_only=True):
    """A random share is the test set: scikit-learn's `train_test_split` on rows in file order."""

    test_fraction: float  # share of images to test on
    stratify: str = ""  # a metadata column whose values keep their shares; empty for none
    random_state: int | None = None  # the published one; absent, the seed takes its place


class RandomThreeWay(_SplitRule, frozen=True, tag="random-three-way", kw_only=True):
    """A random share is held out, then halved into validation and test by the same call."""

    held_out_fraction: float  # share of images held out
    random_state: int  # of the first call
    stratify: str = ""  # as in the random hold-out
    halving_state: int | None = None  # of the second call, where it is another
    sorted_ids: bool = False  # whether the calls are made on sorted ids, not on rows in file order


class ToneHoldout(_SplitRule, frozen=True, tag="tone-holdout", kw_only=True):
    """Images of some tones are training images, all others test images."""

    train: tuple[str, ...]  # the tones to train on
    common: str = ""  # a column: images with a value that is found on one side only are unused


class DrawnValidation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A random share of the training images, published as validation images; by scikit-learn's `train_test_split`."""

    fraction: float  # share of the training images
    random_state: int  # of the call
    stratify: str = ""  # as in the random hold-out


class TextHoldout(_SplitRule, frozen=True, tag="text-holdout", kw_only=True):
    """Images whose cell contains a text are training images, those with another text test images; others are unused."""

    column: str  # the column to look in
    train: str  # text of training images
    test: str  # text of test images
    common: str = ""  # as in the tone hold-out
    at_least: int = 1  # a value of `common` that fewer images to train on have is unused as well
    # validation images, sampled from the training images that are left
    validation: DrawnValidation | None = None


class ValueHoldout(_SplitRule, frozen=True, tag="value-holdout", kw_only=True):
    """A published column is taken as it is; an empty text stands for an empty cell.

    A cell that differs from one of its values in spelling alone is refused, unless it is listed as well.
    """

    column: str  # the column
    train: tuple[str, ...]  # its values of training images
    test: tuple[str, ...]  # of test images
    validation: tuple[str, ...] = ()  # of validation images
    # of images left out; so are those of any other value, which are counted
    unused: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The values by the partition that they name, `unused` last."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {**named, "unused": self.unused}


class ReferenceImages(_SplitRule, frozen=True, tag="reference-images", kw_only=True):
    """A few images of each class, light and dark, are set aside as references; pandas draws them.

    The other light images are training images, the other dark ones test images; light references are always unused.
    Each draw starts from the seed anew.
    """

    light: tuple[str, ...]  # light tones
    dark: tuple[str, ...]  # dark tones
    references: int  # images of each draw
    # one draw per side and class (pandas' grouped sample), or per class and tone
    within: Literal["class", "class-and-tone"]
    dark_in_training: bool  # whether the dark references join the training images


class GroupedHoldout(_SplitRule, frozen=True, tag="grouped-holdout", kw_only=True):
    """Whole groups are the test set: images with an equal cell in a group column (patient, lesion) stay together.

    Groups are ranked by SHA-256, so no library decides.
    """

    test_fraction: float  # share of images to test on, as near as whole groups allow
    strata: tuple[Stratum, ...] = ("tone", "class")  # within which the share holds
    columns: tuple[str, ...] = ()  # group columns; none: all `groups` of the data set


class GroupedKFold(_SplitRule, frozen=True, tag="grouped-k-fold", kw_only=True):
    """Whole groups are shared out over folds; one fold is the test set.

    Seed s tests on fold s modulo `folds` of shuffle s // `folds`: seeds 0 to 4 of five folds test on every image
    once, seeds 5 to 9 once more after another shuffle.
    """

    folds: int  # number of folds
    strata: tuple[Stratum, ...] = ("tone", "class")  # in which folds are alike
    columns: tuple[str, ...] = ()  # as in the grouped hold-out


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


class ValidationHoldOut(_Rule, frozen=True, tag="carve"):
    """A share of the published training images, ranked by SHA-256."""

    fraction: float = 0.1  # share of the training images
    # within which the share holds, from outer to inner
    strata: tuple[Stratum, ...] = ("tone", "class")


class GroupedValidationHoldOut(_Rule, frozen=True, tag="grouped-carve"):
    """A share of the published training images in whole groups."""

    fraction: float = 0.1  # share of the training images
    strata: tuple[Stratum, ...] = ("tone", "class")  # within which the share holds
    columns: tuple[str, ...] = ()  # as in the grouped hold-out


class PublishedValidation(_Rule, frozen=True, tag="published"):
    """The split rule itself gives the validation images."""


ValidationRule = ValidationHoldOut | GroupedValidationHoldOut | PublishedValidation
