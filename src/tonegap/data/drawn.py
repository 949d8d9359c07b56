"""A data set that the suite draws itself: rows by declaration, images by `tonegap.data.phantom`.

Which image gets which label and tone follows from hashes of the declared seed, not from a library's
random numbers, so that ids and splits stay the same whatever is installed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from itertools import count, cycle, islice
from pathlib import Path

import msgspec

from tonegap.closure import code_digest
from tonegap.data.image_names import image_names
from tonegap.data.metadata import Metadata, parse_content
from tonegap.declared.dataset import Dataset, PhantomDeclaration
from tonegap.errors import BadRequest, BadSuiteFolder, StoreError, file_errors
from tonegap.files import (
    canonical_json,
    csv_bytes,
    digest_of,
    sha256_bytes,
    take_lock,
    write_atomic,
)
from tonegap.tones import tone_index

BEGUN = "drawing.json"
COMPLETE = "complete.json"
IMAGES = "images"
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """One row of a drawn data set's metadata, cells as written."""

    image_id: str
    label: str
    tone: str
    malignant: str
    half: str


def ensure_drawn(
    dataset: Dataset, cache_dir: Path, workers: int, on_progress: Progress | None = None
) -> Path:
    """The data root of a drawn data set, drawn now unless it is there and complete.

    The folder's name holds a digest of the declaration and of the drawing code: change one, and it
    is another folder. A second process waits for the first. Raises BadSuiteFolder where the data set is not
    drawn, StoreError where `cache_dir` takes no more.
    """
    drawn = _declaration(dataset)
    root = drawn_folder(dataset, cache_dir)
    if not (root / COMPLETE).exists():
        with _alone(cache_dir, root.name):
            draw_dataset(dataset, drawn, root, workers, on_progress)
    return root


def drawn_folder(dataset: Dataset, cache_dir: Path) -> Path:
    """Where a drawn data set lies below `cache_dir`, or would: `complete.json` in it says that it is whole."""
    return cache_dir / f"{dataset.id}-{drawing_digest(dataset)[:16]}"


def draw_dataset(
    dataset: Dataset,
    drawn: PhantomDeclaration,
    root: Path,
    workers: int,
    on_progress: Progress | None = None,
) -> None:
    """Draws what `drawn` declares into `root`, `complete.json` last; goes on where it was cut off."""
    if (root / COMPLETE).exists():
        return
    rows = drawn_rows(drawn)
    content = _csv(rows)
    metadata = parse_content(dataset, root / dataset.file.metadata[0], content)
    names = image_names(dataset, metadata)
    # scipy: not for pictures that are drawn already.
    from tonegap.data.phantom.draw import Sitter
    from tonegap.data.phantom.folder import draw_folder

    sitters = [Sitter(r.image_id, r.label, r.tone, r.malignant == "True") for r in rows]
    draw_folder(
        sitters,
        [names[r.image_id][0] for r in rows],
        root / IMAGES,
        drawn.size_px,
        workers,
        masks=bool(dataset.file.masks),
        on_progress=on_progress,
    )
    mark = {"dataset": dataset.id, "images": len(rows), "metadata_sha256": sha256_bytes(content)}
    with file_errors(StoreError, f"{root}: cannot be written", "; make room"):
        write_atomic(metadata.path, content)
        write_atomic(root / COMPLETE, canonical_json(mark) + b"\n")


def draw_plain(
    dataset: Dataset,
    images: int,
    out: Path,
    size_px: int,
    workers: int,
    on_progress: Progress | None = None,
) -> None:
    """Draws a set of another number of images or size into `out`, a data root of its own.

    Raises BadRequest where `out` holds anything but the same set, begun or finished.
    """
    drawn = scaled(_declaration(dataset), images, size_px)
    mark = canonical_json({"drawn": msgspec.to_builtins(drawn), "code": drawing_code()}) + b"\n"
    begun = out / BEGUN
    if out.exists() and any(out.iterdir()) and (not begun.is_file() or begun.read_bytes() != mark):
        raise BadRequest(
            f"{out}: the folder holds something else than this set; choose another with --out"
        )
    with file_errors(StoreError, f"{out}: cannot be written"):
        write_atomic(begun, mark)
    draw_dataset(dataset, drawn, out, workers, on_progress)


def drawn_metadata(dataset: Dataset) -> Metadata:
    """The metadata of a drawn data set, without drawing anything; `path` is the declaration's."""
    content = _csv(drawn_rows(_declaration(dataset)))
    return parse_content(dataset, dataset.folder / dataset.file.metadata[0], content)


def drawn_rows(drawn: PhantomDeclaration) -> list[DrawnRow]:
    """The rows of a drawn data set, in an order that tells neither label nor tone nor half.

    Within a half each tone gets its share of images, and each label as many of them as any other,
    up to one.
    """
    plan = []
    for half, part in drawn.halves.items():
        counts = apportion(part.images, part.tones)
        tones = [tone for tone in sorted(counts, key=tone_index) for _ in range(counts[tone])]
        labels = islice(cycle(drawn.labels), len(tones))
        plan += [(half, tone, label) for tone, label in zip(tones, labels, strict=True)]
    order = sorted(range(len(plan)), key=lambda i: sha256_bytes(f"{drawn.seed}:{i}".encode()))
    digits = max(5, len(str(len(plan))))
    return [
        DrawnRow(
            f"{drawn.id_prefix}{number:0{digits}d}", label, tone, str(drawn.labels[label]), half
        )
        for number, (half, tone, label) in zip(count(1), (plan[i] for i in order), strict=False)
    ]


def apportion(n: int, shares: Mapping[str, float]) -> dict[str, int]:
    """`n` split in proportion to `shares`, whole numbers that sum to n; largest remainders first."""
    total = sum(shares.values())
    exact = {name: n * share / total for name, share in shares.items()}
    whole = {name: int(value + 1e-9) for name, value in exact.items()}
    by_remainder = sorted(shares, key=lambda name: whole[name] - exact[name])
    for name in by_remainder[: n - sum(whole.values())]:
        whole[name] += 1
    return whole


def scaled(drawn: PhantomDeclaration, images: int, size_px: int) -> PhantomDeclaration:
    """The same declaration for another number of images and another size.

    Halves keep their proportion. Raises BadRequest for fewer images than halves.
    """
    sizes = apportion(images, {name: half.images for name, half in drawn.halves.items()})
    if min(sizes.values()) < 1:
        raise BadRequest(f"{images} images are too few; wanted one for each of {', '.join(sizes)}")
    halves = {
        name: msgspec.structs.replace(half, images=sizes[name])
        for name, half in drawn.halves.items()
    }
    return msgspec.structs.replace(drawn, halves=halves, size_px=size_px)


def drawing_digest(dataset: Dataset) -> str:
    """Covers all that decides a drawn data set's bytes but the versions of numpy and Pillow."""
    return digest_of(
        {
            "drawn": msgspec.to_builtins(dataset.file.drawn),
            "names": [dataset.file.metadata[0], dataset.file.file_names[0], *dataset.file.masks],
            "code": drawing_code(),
        }
    )


def drawing_code() -> str:
    """The digest of the code that draws."""
    return code_digest("tonegap.data.drawn")


def _declaration(dataset: Dataset) -> PhantomDeclaration:
    if dataset.file.drawn is None:
        raise BadSuiteFolder(
            f"{dataset.folder / 'dataset.toml'}: no table [drawn], so nothing to draw"
        )
    return dataset.file.drawn


def _csv(rows: list[DrawnRow]) -> bytes:
    return csv_bytes((f.name for f in fields(DrawnRow)), map(astuple, rows))


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Waits until no other process draws `name` in `folder`; the lock dies with its process."""
    with file_errors(StoreError, f"{folder}: cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f".{name}.lock").open("w")
    with lock:
        take_lock(lock, wait=True)
        yield
