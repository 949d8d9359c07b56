"""Draws many sitters into a folder of image files, with one process or several.

The mistake it exists to prevent: a data set whose bytes depend on the machine's load. Each file
depends on its own sitter alone and appears whole or not at all, so a run that was cut off goes on
where it stopped.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap.data.phantom.draw import Sitter, check_size, draw, skin_type_of
from tonegap.errors import BadRequest, EngineError, StoreError
from tonegap.files import clear_half_written, write_atomic
from tonegap.workers import map_in_processes

_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
_JPEG_QUALITY = 92
_CHUNK = 64  # pictures a worker takes at once: a fraction of a second, so that progress moves


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Pictures that one worker draws in one go."""

    sitters: tuple[Sitter, ...]
    names: tuple[str, ...]
    out: Path
    size_px: int
    masks: bool

    def files(self, name: str) -> list[Path]:
        """Where a picture goes, and its mask if it gets one."""
        image = self.out / name
        return [image, (self.out / "masks" / name).with_suffix(".png")] if self.masks else [image]


def draw_folder(  # noqa: PLR0913 - what to draw, where, how large, how; no two belong together
    sitters: Sequence[Sitter],
    file_names: Sequence[str],
    out: Path,
    size_px: int,
    workers: int,
    masks: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Draws `sitters[i]` into `out / file_names[i]`: JPEG of quality 92, or PNG, by the suffix.

    With `masks`, the mask of `NAME.jpg` is `masks/NAME.png`: grey values that index MASK_CLASSES.
    Files that are there and not empty are kept as they are, whatever they were drawn with: another
    size needs another folder. `on_progress` gets how many pictures are done, kept
    ones included. Raises BadRequest before anything is written, StoreError where `out` takes no
    more, EngineError where a worker process died.
    """
    _check(sitters, file_names, size_px, workers)
    parts = [
        _Chunk(
            tuple(sitters[i : i + _CHUNK]),
            tuple(file_names[i : i + _CHUNK]),
            out,
            size_px,
            masks,
        )
        for i in range(0, len(sitters), _CHUNK)
    ]
    done = 0
    with _failures_named(out):
        alone = workers == 1
        counts = (
            map(_draw_chunk, parts) if alone else map_in_processes(_draw_chunk, parts, workers, 1)
        )
        for n in counts:
            done += n
            if on_progress is not None:
                on_progress(done)
        clear_half_written(
            path for part in parts for name in part.names for path in part.files(name)
        )


@contextmanager
def _failures_named(out: Path) -> Iterator[None]:
    """Turns what stops the drawing halfway into the sentence for the person who started it."""
    try:
        yield
    except BrokenProcessPool as error:
        raise EngineError(
            f"{out}: a process that draws was killed (is there memory left?); whole pictures are kept, "
            "run the same command again to go on, with fewer workers"
        ) from error
    except OSError as error:
        raise StoreError(
            f"{out}: cannot write pictures: {error.strerror or error}; whole pictures are kept, make "
            "room or choose another folder and run the same command again"
        ) from error


def _check(
    sitters: Sequence[Sitter], file_names: Sequence[str], size_px: int, workers: int
) -> None:
    """Raises BadRequest for anything that would stop the drawing halfway."""
    if len(sitters) != len(file_names):
        raise BadRequest(
            f"drawing: {len(sitters)} sitters and {len(file_names)} file names; wanted as many of each"
        )
    if workers < 1:
        raise BadRequest(f"drawing: {workers} workers; wanted 1 or more")
    check_size(size_px)
    for sitter in sitters:
        skin_type_of(sitter)
    for name in file_names:
        path = PurePosixPath(name)
        if path.suffix.lower() not in _FORMATS:
            raise BadRequest(
                f"drawing: file name {name!r}; wanted it to end in {', '.join(_FORMATS)}"
            )
        if path.is_absolute() or ".." in path.parts:
            raise BadRequest(
                f"drawing: file name {name!r} leads out of the folder; wanted a plain name"
            )
    # The suffix aside, as masks and lookups by id go by the rest of the name.
    stems = Counter(PurePosixPath(name).with_suffix("") for name in file_names)
    twice = [str(stem) for stem, n in stems.items() if n > 1]
    if twice:
        raise BadRequest(
            f"drawing: {len(twice)} file names occur more than once (first: {', '.join(twice[:3])}); "
            "every picture needs its own"
        )


def _draw_chunk(part: _Chunk) -> int:
    """Draws what is not there yet, and says how many pictures the chunk has."""
    for sitter, name in zip(part.sitters, part.names, strict=True):
        files = part.files(name)
        wanted = [path for path in files if not (path.is_file() and path.stat().st_size > 0)]
        if wanted:
            rgb, classes = draw(sitter, part.size_px)
        for path in wanted:
            write_atomic(path, _encoded(rgb if path == part.out / name else classes, path.suffix))
    return len(part.sitters)


def _encoded(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """The bytes of an image file; `pixels` is [h, w, 3] or [h, w]."""
    stream, form = BytesIO(), _FORMATS[suffix.lower()]
    options = {"quality": _JPEG_QUALITY} if form == "JPEG" else {}
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()
