"""The pins of a task: digests of the id lists of its partitions, made, checked and written.

A pin holds no id (a data set's ids are its owner's to publish), yet an error can name the images
that moved: the pin keeps the partition of each image in the order of the sorted ids.
"""

import base64
import shlex
import zlib
from collections.abc import Sequence
from importlib.metadata import version

from tonegap.data.metadata import Metadata, first_three
from tonegap.declared.task import Pin, Task
from tonegap.errors import BadRequest, BadSplit, BadSuiteFolder, file_errors
from tonegap.files import sha256_lines, write_atomic
from tonegap.split.parts import PARTITIONS, SplitAssignment

_PIN_AGAIN = "remove the task's pins and pin again with `tonegap split TASK --seed N --pin`"
_DECIDING = ("numpy", "pandas", "scikit-learn")
_MOST = 10_000_000  # images that a pin may hold


def pin_of(made: SplitAssignment) -> Pin:
    """The pin of a partition."""
    ids, codes = _by_id(made)
    digests = {
        part: sha256_lines(i for i, c in zip(ids, codes, strict=True) if c == place)
        for place, part in enumerate(PARTITIONS)
    }
    return Pin(
        ids=sha256_lines(ids),
        **digests,
        assignment=base64.b64encode(zlib.compress(codes, 9)).decode(),
        made_with=libraries(),
    )


def pin_sizes(task: Task, key: str) -> dict[str, int]:
    """The number of images that a pin puts into each partition. Raises BadSuiteFolder if it is damaged."""
    codes = _unpacked(task, key, _MOST)
    return {part: codes.count(place) for place, part in enumerate(PARTITIONS)}


def pinned_parts(task: Task, metadata: Metadata, seed: int) -> dict[str, str]:
    """The partition of each id as a seed's pin has it, for metadata that `check_ids` passed. Raises BadSuiteFolder."""
    codes = _assignment(task, task.pin_key(seed), len(metadata.ids))
    places = zip(sorted(metadata.ids), codes, strict=True)
    return {image_id: PARTITIONS[place] for image_id, place in places}


def libraries() -> str:
    """The releases of the libraries that decide a published split."""
    return ", ".join(f"{name} {version(name)}" for name in _DECIDING)


def check_ids(task: Task, metadata: Metadata, seed: int) -> None:
    """Nothing, if the metadata has the ids that a seed's pin was made for; BadSplit otherwise."""
    key = task.pin_key(seed)
    if task.file.pins[key].ids != sha256_lines(sorted(metadata.ids)):
        try:
            wanted = f"{len(_unpacked(task, key, _MOST)):,}"
        except BadSuiteFolder:
            wanted = "others"
        raise BadSplit(
            f"{metadata.path}: the metadata has other rows than {task.id}, {pin_name(task, key)}, is "
            f"pinned for (found {len(metadata.ids):,} ids, wanted {wanted}); compare it with "
            f"`tonegap data check {task.dataset_id} --root {shlex.quote(str(metadata.path.parent))}` and take the file "
            f"that its owner published, or, if the data set was changed on purpose, {_PIN_AGAIN}"
        )


def check_pin(task: Task, metadata: Metadata, made: SplitAssignment, seed: int) -> None:
    """Nothing, if the partition is the pinned one; for metadata that `check_ids` let pass.

    Raises BadSplit naming the first three images that moved, and from where to where; BadSuiteFolder if
    the pin contradicts itself.
    """
    key = task.pin_key(seed)
    pin, found = task.file.pins[key], pin_of(made)
    ids, codes = _by_id(made)
    pinned = _assignment(task, key, len(ids))
    moved = [i for i, (old, new) in enumerate(zip(pinned, codes, strict=True)) if old != new]
    if moved:
        moves = [f"{ids[i]} {PARTITIONS[pinned[i]]} -> {PARTITIONS[codes[i]]}" for i in moved]
        raise BadSplit(_moved(task, metadata, key, moves))
    for part in PARTITIONS:
        if getattr(pin, part) != getattr(found, part):
            first = ", ".join(sorted(made.members(part))[:3]) or "none"
            raise BadSuiteFolder(
                f"{task.path}: pins.{key}.{part} is not the digest of the ids that its own assignment "
                f"lists (first: {first}); the pin was edited: take the file from its source, or "
                f"{_PIN_AGAIN}"
            )


def append_pin(task: Task, made: SplitAssignment, seed: int) -> None:
    """Adds the pin of a seed to the end of the task's file; what is there stays byte for byte.

    Raises BadRequest if the file cannot be written.
    """
    key = task.pin_key(seed)
    with file_errors(BadRequest, f"{task.path}: cannot be written"):
        before = task.path.read_bytes()
        gap = b"\n" if before.endswith(b"\n") else b"\n\n"
        write_atomic(task.path, before + gap + pin_text(made, key).encode())


def pin_text(made: SplitAssignment, key: str) -> str:
    """The table of a pin as TOML, with the sizes as a comment."""
    pin = pin_of(made)
    sizes = ", ".join(f"{n} {part}" for part, n in made.sizes.items())
    lines = [f"[pins.{key}]  # {sizes}"]
    lines += [f'{field} = "{getattr(pin, field)}"' for field in pin.__struct_fields__]
    return "\n".join(lines) + "\n"


def _by_id(made: SplitAssignment) -> tuple[list[str], bytes]:
    """The sorted ids, and the place in PARTITIONS of each one's partition."""
    place = {part: code for code, part in enumerate(PARTITIONS)}
    pairs = sorted(zip(made.ids, made.parts, strict=True))
    return [i for i, _ in pairs], bytes(place[part] for _, part in pairs)


def _assignment(task: Task, key: str, n: int) -> bytes:
    """The pinned codes of `n` sorted ids. Raises BadSuiteFolder if they are damaged."""
    codes = _unpacked(task, key, n + 1)
    if len(codes) != n or max(codes) >= len(PARTITIONS):
        raise BadSuiteFolder(
            f"{task.path}: pins.{key}.assignment is damaged; wanted {n} codes from 0 to "
            f"{len(PARTITIONS) - 1}; take the file from its source"
        )
    return codes


def _unpacked(task: Task, key: str, limit: int) -> bytes:
    try:
        content = base64.b64decode(task.file.pins[key].assignment, validate=True)
        return zlib.decompressobj().decompress(content, limit)
    except (ValueError, zlib.error) as e:
        raise BadSuiteFolder(
            f"{task.path}: pins.{key}.assignment is damaged ({e}); take the file from its source"
        ) from None


def pin_name(task: Task, key: str) -> str:
    """What a pin holds for, in words for a message."""
    return f"seed {key}" if task.seeded else "the published split"


def _moved(task: Task, metadata: Metadata, key: str, moves: Sequence[str]) -> str:
    n = "1 image is" if len(moves) == 1 else f"{len(moves):,} images are"
    made_with, here = task.file.pins[key].made_with, libraries()
    if made_with == here:
        cure = f"compare {metadata.path} with the released file: labels, tones, groups and order of rows count"
    else:
        cure = f"install the releases of the pin ({made_with or 'it does not name them'})"
    return (
        f"{task.id}, {pin_name(task, key)}: {n} not where the pin in {task.path} has them "
        f"({first_three(moves)}), with {here}; {cure}; or, if the task was changed on purpose, {_PIN_AGAIN}"
    )
