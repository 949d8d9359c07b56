"""Every lesion on every healthy skin: the lesion of one photograph pasted into another without its own."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from inpaint_classical import inpainted
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.image_names import ids_by_name, spelled, without_suffix
from tonegap_kit.masks import (
    LESION,
    MARKER,
    NOT_HEALED,
    SKIN,
    Mask,
    blurred,
    can_be_healed,
    dilated,
    is_kind,
    lesion_holes,
    need_masks,
)
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.predictions import write_notes
from tonegap_kit.quota import by_ratio
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

_LONGEST_NAME = 80  # bytes of 255, of which a mapped image's has two such names and a label


@dataclass(frozen=True, slots=True)
class Lesion:
    """A donor's lesion, grown, as a mask [h, w] and its box: first row and column, height and width."""

    mask: Mask
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A donor's lesion on a healthy image (rows of the training images), moved by whole pixels."""

    healthy: int
    donor: int
    down: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """How a place is found; with `as_published`, as the released notebook does it."""

    padding_px: int
    as_published: bool


def generate(stage: Stage) -> None:
    """Leaves an image for each pair of a healthy image and a lesion that has room on it."""
    train, masks = read_partition(stage, "train"), need_masks(stage)
    holes = lesion_holes(masks, stage.job.integer("healthy_dilation_px"))
    rows = can_be_healed(masks, holes)
    if len(rows) == 0:
        raise StageError("no training image has both a lesion and skin in its mask")
    lesions = {row: cut_out(masks[row], stage.job.integer("lesion_dilation")) for row in rows}
    pairs, tried = place_all(stage, masks, rows, lesions)
    skipped = {
        NOT_HEALED: len(masks) - len(rows),
        "pairs of images passed over: the lesion has no room on the skin": tried - len(pairs),
    }
    notes = {"pairs_tried": tried, "pairs_placed": len(pairs), "healthy_images": len(rows)}
    write_notes(stage.out, {**notes, "skipped": {why: n for why, n in skipped.items() if n}})
    images = _mapped(stage, train, holes, lesions, pairs)
    write_synthetic(stage, images, len(pairs), train.ids)


def cut_out(mask: NDArray[np.uint8], times: int) -> Lesion:
    """The lesion of a mask that has one, grown by a pixel each way as often as told."""
    grown = dilated(is_kind(mask, LESION), 3, times)
    rows, columns = np.flatnonzero(grown.any(axis=1)), np.flatnonzero(grown.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return Lesion(grown, top, left, int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left)


def place_all(
    stage: Stage,
    masks: NDArray[np.uint8],
    rows: NDArray[np.int64],
    lesions: dict[int, Lesion],
) -> tuple[list[Pair], int]:
    """The pairs that have room, by healthy image, and how many were tried for them."""
    rule = Rule(stage.job.integer("padding_px"), stage.job.flag("as_published"))
    ratio = stage.job.real("ratio")
    wanted = by_ratio(ratio, len(masks)) if ratio > 0 else len(rows) ** 2
    valid = {row: is_kind(masks[row], SKIN, LESION, MARKER) for row in rows}
    rng, tried = stage.rng("placing"), 0
    placed: list[Pair] = []
    order = rng.permutation(len(rows) ** 2)
    for number in order:
        if len(placed) == wanted:
            break
        healthy, donor = int(rows[number // len(rows)]), int(rows[number % len(rows)])
        moved = place(valid[healthy], lesions[donor], rule, rng)
        placed += [Pair(healthy, donor, *moved)] if moved is not None else []
        tried += 1
    return sorted(placed, key=lambda pair: (pair.healthy, pair.donor)), tried


def place(
    valid: Mask, lesion: Lesion, rule: Rule, rng: np.random.Generator
) -> tuple[int, int] | None:
    """How far down and right the lesion moves to a random place on the valid area; None without room."""
    if not rule.as_published:
        corners = free_corners(valid, lesion, rule.padding_px)
        return _drawn(corners, lesion, rng) if len(corners) else None
    for padding in (rule.padding_px, rule.padding_px // 2, 0):
        corners = published_corners(valid, lesion, padding)
        moved = _drawn(corners, lesion, rng) if len(corners) else None
        if moved is not None and not (_shifted(lesion.mask, *moved) & ~valid).any():
            return moved
    return 0, 0


def free_corners(valid: Mask, lesion: Lesion, padding: int) -> NDArray[np.int64]:
    """First rows and columns [k, 2] of boxes of the lesion's size that have `padding` valid pixels around."""
    fits = _all_valid(valid, lesion.height + 2 * padding, lesion.width + 2 * padding)
    return np.argwhere(fits) + padding


def published_corners(valid: Mask, lesion: Lesion, padding: int) -> NDArray[np.int64]:
    """Likewise as released: the valid area is eroded about each box's centre, which then serves as corner."""
    area = _eroded(valid, lesion.height, lesion.width)
    area = _eroded(area, 2 * padding, 2 * padding) if padding else area
    rows, columns = (side - own + 1 for side, own in zip(valid.shape, _size(lesion), strict=True))
    return np.argwhere(area[: max(rows, 0), : max(columns, 0)])


def _size(lesion: Lesion) -> tuple[int, int]:
    return lesion.height, lesion.width


def _drawn(corners: NDArray[np.int64], lesion: Lesion, rng: np.random.Generator) -> tuple[int, int]:
    top, left = corners[int(rng.integers(len(corners)))]
    return int(top) - lesion.top, int(left) - lesion.left


def _all_valid(valid: Mask, height: int, width: int) -> Mask:
    """Whether the box of this size that begins at a pixel is valid throughout: [h - height + 1, …]."""
    if height > valid.shape[0] or width > valid.shape[1]:
        return np.zeros((0, 0), bool)
    sums = np.pad(valid.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    within = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
    return np.asarray(within + sums[:-height, :-width] == height * width)


def _eroded(valid: Mask, height: int, width: int) -> Mask:
    """Whether the box about a pixel is valid throughout; beyond the image counts as valid."""
    around = [(side // 2, side - 1 - side // 2) for side in (height, width)]
    return _all_valid(np.pad(valid, around, constant_values=True), height, width)


def _shifted(plane: Mask, down: int, right: int) -> Mask:
    """A mask moved by whole pixels; what leaves the image is lost."""
    moved = np.zeros_like(plane)
    rows, columns = np.nonzero(plane)
    rows, columns = rows + down, columns + right
    inside = (rows >= 0) & (rows < plane.shape[0]) & (columns >= 0) & (columns < plane.shape[1])
    moved[rows[inside], columns[inside]] = True
    return moved


def paste(
    skin: NDArray[np.uint8], donor: NDArray[np.uint8], lesion: Lesion, pair: Pair, sigma: float
) -> NDArray[np.uint8]:
    """The skin [h, w, 3] with the donor's lesion moved onto it, its edge soft over `sigma` pixels."""
    share = blurred(_shifted(lesion.mask, pair.down, pair.right), sigma)[..., None]
    height, width = lesion.mask.shape
    # The donor's border goes on beyond it, so that a soft edge never mixes in black.
    rows = np.clip(np.arange(height) - pair.down, 0, height - 1)
    columns = np.clip(np.arange(width) - pair.right, 0, width - 1)
    mixed = share * donor[rows][:, columns] + (1 - share) * skin
    return np.asarray(np.round(mixed), np.uint8)


def _mapped(
    stage: Stage,
    train: Partition,
    holes: NDArray[np.bool_],
    lesions: dict[int, Lesion],
    pairs: Sequence[Pair],
) -> Iterator[SyntheticImage]:
    sigma = stage.job.real("edge_sigma_px")
    names = names_for_files(train.ids)
    by_skin = [(row, list(own)) for row, own in groupby(pairs, key=lambda pair: pair.healthy)]
    skins = _healthy(stage, train, holes, [row for row, _ in by_skin])
    for (_, own), skin in zip(by_skin, skins, strict=True):
        for pair in own:
            donor = train.pictures.take(np.array([pair.donor]))[0]
            image = paste(skin, donor, lesions[pair.donor], pair, sigma)
            yield _described(stage, train, names, pair, image)


def _healthy(
    stage: Stage, train: Partition, holes: NDArray[np.bool_], rows: Sequence[int]
) -> Iterable[NDArray[np.uint8]]:
    if stage.job.text("healthy") == "filled":
        return (
            inpainted(
                train.pictures.take(np.array([row]))[0],
                holes[row],
                stage.rng(f"filling {train.ids[row]}"),
            )
            for row in rows
        )
    # Imported here: filling needs neither torch nor a pipeline.
    from tonegap_kit.determinism import make_deterministic
    from tonegap_kit.diffusion.fitting import open_painter
    from tonegap_kit.diffusion.healthy import check_painting, paint_healthy

    check_painting(stage, train, np.array(rows, np.int64))
    make_deterministic(stage)
    return paint_healthy(stage, open_painter(stage), train, holes, rows)


def names_for_files(ids: Collection[str]) -> dict[str, str]:
    """A name for each id, fit for a file's name and no other's: without its suffix where that is enough.

    `ids_by_name` of the same ids knows it again; but for ids that are spelled alike, are long or begin with a dot,
    which get digits of a hash.
    """
    meant, names = ids_by_name(ids), {}
    for image_id in ids:
        digits = hashlib.sha256(image_id.encode()).hexdigest()[:12]
        own = (spelled(without_suffix(image_id)), spelled(image_id))
        fitting = (name for name in own if meant.get(name) == image_id and _fits(name))
        names[image_id] = next(fitting, f"{own[1].lstrip('.')[:20]}-{digits}")
    return names


def _fits(name: str) -> bool:
    """Whether two of these and a label are a file's name that no program hides."""
    return len(name.encode()) <= _LONGEST_NAME and not name.startswith(".")


def _described(
    stage: Stage,
    train: Partition,
    names: Mapping[str, str],
    pair: Pair,
    image: NDArray[np.uint8],
) -> SyntheticImage:
    label = stage.job.classes[train.y[pair.donor]]
    tones = (*stage.job.tones, None)  # the last is the unknown tone's, whose index is -1
    skin, donor = (names[train.ids[row]] for row in (pair.healthy, pair.donor))
    # What parts the tone from the donor in such a name is its first underscore.
    from_tone = spelled(tones[train.t[pair.donor]] or "unknown").replace("_", "-")
    return SyntheticImage(
        image_id=f"{skin}_with_{spelled(label)}_from_{from_tone}_{donor}",
        image=image,
        label=label,
        tone=tones[train.t[pair.healthy]],
        sources=tuple(dict.fromkeys((train.ids[pair.healthy], train.ids[pair.donor]))),
    )


if __name__ == "__main__":
    main(generate=generate)
