"""Words and LoRAs that somebody learned elsewhere, in place of a fit: found, checked and handed on.

Nobody says which images they were learned from, so that whatever is made with them descends from the unknown.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig
from torch import Tensor

from tonegap_kit.command import Stage, say
from tonegap_kit.diffusion.inversion import save_tokens
from tonegap_kit.diffusion.lora import FILE, check_fits, read_additions
from tonegap_kit.errors import StageError
from tonegap_kit.lineage import UNKNOWN_SOURCE, Part
from tonegap_kit.partition import Partition
from tonegap_kit.weights_file import named_tensors, read_table

_WORD_FILES = {".safetensors", ".bin", ".pt"}
# One word without its placeholder, as the web UI of AUTOMATIC1111 and trainers after it write it.
_OTHER_FORM, _OTHER_SAFE_FORM = "string_to_param", "emb_params"
_STEPS = re.compile(r"-steps-\d+$")  # what textual_inversion.py leaves on its way
_PIPELINE = {  # what it leaves of the whole pipeline, or what holds one
    "unet",
    "vae",
    "text_encoder",
    "tokenizer",
    "scheduler",
    "safety_checker",
    "feature_extractor",
    "image_encoder",
}
_TYPES = ("I", "II", "III", "IV", "V", "VI")


def given_words(stage: Stage, tokens: Mapping[str, str]) -> dict[str, Tensor]:
    """The vectors [v, width] of each placeholder from the folder that `words` names; none where it is `none`.

    `tokens` maps a class to its placeholder. Below the folder lie files as diffusers' textual_inversion.py leaves
    them, or the seeds' aggregate of all (.pt): a placeholder's name with its vectors. Theirs is ours where it has the
    same letters, with or without brackets and `-class`, or is the class's own name. Raises StageError naming a class
    without one, with two that differ (of two files, or one by its placeholder and one by its name), or one whose
    numbers are not finite, have another shape, or are not as many as the pipeline's.
    """
    folder = stage.folder("words")
    if folder is None:
        return {}
    found: dict[str, list[tuple[str, str, Tensor]]] = {}
    for path in _word_files(folder):
        for name, vectors in _words_in(path).items():
            own = (path.relative_to(folder).as_posix(), name, vectors.float())
            found.setdefault(_letters(name), []).append(own)
    learned, width = {}, _width(stage)
    for label, token in tokens.items():
        own_letters = dict.fromkeys((_letters(token), _letters(label)))
        entries = [entry for letters in own_letters for entry in found.get(letters, [])]
        if not entries:
            raise StageError(
                f"words: {folder.name} has none for {label!r} (looked for {token!r} and the class's name), found "
                f"{', '.join(sorted(found)[:5]) or 'no file of words'}"
            )
        learned[token] = _one_word(label, entries)
        if width not in {None, learned[token].shape[1]}:
            raise StageError(
                f"words: {entries[0][0]} has vectors of {learned[token].shape[1]} numbers, this pipeline's words "
                f"have {width}: it was learned with another one"
            )
    return learned


def _width(stage: Stage) -> int | None:
    """How many numbers a word of the pipeline has, None where none is given or its settings do not say."""
    folder = stage.folder("pipeline")
    try:
        found = json.loads((folder / "text_encoder" / "config.json").read_bytes()) if folder else {}
        return int(found["hidden_size"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # said where the pipeline is read


def _word_files(folder: Path) -> Iterator[Path]:
    """Files that hold words below a folder: none hidden, of a training's checkpoints, or of a pipeline beside them."""
    for path in sorted(folder.rglob("*")):
        between = path.relative_to(folder).parts[:-1]
        beside = any(name in _PIPELINE or name.startswith("checkpoint-") for name in between)
        passed_over = beside or path.name == FILE or path.name.startswith(".")
        if path.suffix in _WORD_FILES and path.is_file() and not passed_over:
            last = path.with_name(_STEPS.sub("", path.stem) + path.suffix)
            if last == path or not last.is_file():  # an earlier state of one that was finished
                yield path


def _words_in(path: Path) -> dict[str, Tensor]:
    """The words of a file by name: of diffusers' own form, or one of another trainer's, named after its file."""
    table = read_table(path)
    inner = table.get(_OTHER_FORM)
    if inner is None and table.keys() != {_OTHER_SAFE_FORM}:
        return named_tensors(path, table)
    vectors = inner.get("*") if isinstance(inner, dict) and len(inner) == 1 else None
    if inner is None:
        vectors = table[_OTHER_SAFE_FORM]
    if not isinstance(vectors, Tensor):
        raise StageError(
            f"words: {path.name} is an embedding of another program, wanted one tensor of the shape [vectors, width] "
            f'under {_OTHER_FORM}["*"] or {_OTHER_SAFE_FORM}; read it with diffusers\' load_textual_inversion and save '
            "its vectors as safetensors under the placeholder"
        )
    return named_tensors(path, {path.stem: vectors})


def _one_word(label: str, found: Sequence[tuple[str, str, Tensor]]) -> Tensor:
    file, name, vectors = found[0]
    if vectors.dim() not in (1, 2) or vectors.numel() == 0:
        raise StageError(
            f"words: {file} has numbers of the shape {list(vectors.shape)} for {label!r}, wanted "
            "[width] or [vectors, width]"
        )
    if not vectors.isfinite().all():
        raise StageError(
            f"words: {file} has NaN or infinite numbers for {label!r}, wanted finite ones; learn it again"
        )
    rows = _as_rows(vectors)
    other = next((entry for entry in found if not torch.equal(_as_rows(entry[2]), rows)), None)
    if other is not None:
        raise StageError(
            f"words: {name!r} of {file} and {other[1]!r} of {other[0]} have different numbers for {label!r}, wanted "
            "one of them; remove the other, or give the folder of one run"
        )
    return rows


def _as_rows(vectors: Tensor) -> Tensor:
    return vectors[None] if vectors.dim() == 1 else vectors


def hand_over_words(stage: Stage, learned: Mapping[str, Tensor]) -> list[Part]:
    """Given words as parts of this method's model, of unknown origin."""
    files = save_tokens(stage.out / "model" / "words", learned)
    return [Part(f"word-{path.stem}", path, (UNKNOWN_SOURCE,)) for path in files.values()]


def given_lora(stage: Stage, name: str = "lora") -> Part | None:
    """The file that `lora` names as a part of this method's model, of unknown origin; None where it is `none`."""
    path = checked_lora(stage)
    return None if path is None else _handed_over(stage, path, name)


def checked_lora(stage: Stage) -> Path | None:
    """The file that `lora` names; None where it is `none`. Raises StageError for what is no LoRA of a network."""
    path = stage.file("lora")
    if path is not None:
        _check_lora(path)
    return path


def given_loras(stage: Stage, parts: Mapping[str, Sequence[str]]) -> dict[str, Part]:
    """A part for each name from the folder that `loras` names, of unknown origin; none where it is `none`.

    `parts` maps a part's name to what its class is called: a file of it, or the folder that it lies in, has one of
    these names, as this suite's `lora-bas-class/` and cgDDI's folders have. A name with `/` may be one folder in
    another (`eczema/atopic_dermatitis/`); a file is that of the longest name which its path ends in.
    """
    folder = stage.folder("loras")
    if folder is None:
        return {}
    files = sorted(path for path in folder.rglob("*.safetensors") if path.is_file())
    wanted = {name: {_letters(word) for word in called} for name, called in parts.items()}
    named = {path: _named(path.relative_to(folder), wanted.values()) for path in files}
    found = {}
    for name, called in parts.items():
        own = [path for path in files if wanted[name] & named[path]]
        if len(own) != 1:
            raise StageError(
                f"loras: {folder.name} has {len(own)} files for {called[0]!r}, wanted one of that name or in "
                "a folder of that name"
            )
        found[name] = _handed_over(stage, own[0], name)
    return found


def _named(path: Path, wanted: Iterable[set[str]]) -> set[str]:
    """By which of the names that are wanted a file goes: its own, and the longest that its folders end in."""
    every = set().union(*wanted)
    folders = path.parts[:-1]
    tails = ("".join(folders[i:]) for i in range(len(folders)))
    longest = next((found for tail in tails if (found := _letters(tail)) in every), "")
    return {_letters(path.stem), longest} & every


def _check_lora(path: Path) -> None:
    """Raises StageError for a file that is no LoRA of a denoising network, before hours are spent."""
    if path.suffix == ".safetensors":
        named_tensors(path, read_table(path))
    try:
        _additions, _alphas, metadata = read_additions(path)
        if metadata is not None:
            LoraConfig(**{key.removeprefix("unet."): value for key, value in metadata.items()})
    except (AttributeError, TypeError, LookupError, ArithmeticError, RecursionError) as problem:
        raise StageError(
            f"{path.name}: its names or metadata are none of a LoRA as diffusers' save_lora_weights writes them: "
            f"{problem!r:.200}"
        ) from None


def _handed_over(stage: Stage, path: Path, name: str) -> Part:
    _check_lora(path)
    if (pipeline := stage.folder("pipeline")) is not None:
        check_fits(path, pipeline)
    kept = stage.out / "model" / name / FILE
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(path.read_bytes())
    return Part(name, kept, (UNKNOWN_SOURCE,))


def _letters(name: str) -> str:
    """A placeholder, a class or a folder by what tells it from others: `<bas-class>` and `lora-bas-class` are `bas`."""
    plain = "".join(c for c in name.lower() if c.isalnum())
    return plain.removeprefix("lora").removesuffix("class")


@dataclass(frozen=True, slots=True)
class LoraData:
    """The images of a LoRA by a list: their training rows, and a caption each."""

    rows: NDArray[np.int64]
    prompts: tuple[str, ...]


def listed(stage: Stage, train: Partition) -> LoraData | None:
    """The images and captions of the JSON list that `lora_data` names; None where it is `none`.

    Form of the released list of skin-diff: objects with `image_path` and `prompt`. An image is the training image
    whose id is the file's name, with or without its suffix; one that this method is not shown is left out and counted
    in the log. Raises StageError for another form, or where nothing is left.
    """
    path = stage.file("lora_data")
    if path is None:
        return None
    try:
        found = json.loads(path.read_bytes())
        entries = [(e["image_path"], e["prompt"]) for e in found]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise StageError(
            f"{path.name}: not a JSON list of objects with image_path and prompt: {problem!r}"
        ) from None
    for number, entry in enumerate(entries):
        for key, text in zip(("image_path", "prompt"), entry, strict=True):
            if not isinstance(text, str) or not text.strip():
                raise StageError(
                    f"{path.name}: entry {number}: {key} is {text!r}, wanted a text that is not empty"
                )
    row_of = _rows_by_name(path.name, train.ids, [image for image, _ in entries])
    known = [(row_of[image], prompt) for image, prompt in entries]
    kept = [(row, prompt) for row, prompt in known if row is not None]
    if not kept:
        raise StageError(
            f"{path.name}: none of its {len(entries)} images is a training image shown here"
        )
    if len(kept) < len(entries):
        say(
            f"{path.name}: {len(entries) - len(kept)} of {len(entries)} images are not shown here: left out"
        )
    return LoraData(np.array([row for row, _ in kept]), tuple(prompt for _, prompt in kept))


def _rows_by_name(file: str, ids: Sequence[str], images: Sequence[str]) -> dict[str, int | None]:
    """The training row of each image: that of its file's name, else without the suffix of that, or of both."""
    whole = {image_id: row for row, image_id in enumerate(ids)}
    short: dict[str, list[int]] = {}
    for row, image_id in enumerate(ids):
        short.setdefault(Path(image_id).stem, []).append(row)
    found: dict[str, int | None] = {}
    for image in images:
        name, stem = Path(image).name, Path(image).stem
        rows = [whole[one] for one in (name, stem) if one in whole][:1]
        rows = rows or short.get(stem, []) or short.get(name, [])
        if len(rows) > 1:
            raise StageError(
                f"{file}: {image!r} may be any of {', '.join(ids[row] for row in rows[:3])}, wanted the id of one"
            )
        found[image] = rows[0] if rows else None
    return found


def write_list(path: Path, stage: Stage, train: Partition, data: LoraData) -> None:
    """Leaves the images and captions of a LoRA as the released code of skin-diff reads them.

    `image_path` is an image's id and `.jpg`, as its notebook writes it, or an id that is a file's name as it is;
    `skin_type` is 1 to 6, or the name of a group of types.
    """
    tones = (*stage.job.tones, "")
    numbers: dict[str, int | str] = {tone: 1 + i for i, tone in enumerate(_TYPES)}
    entries = [
        {
            "image_path": _file_name(train.ids[row]),
            "label": stage.job.classes[train.y[row]],
            "skin_type": numbers.get(tones[train.t[row]], tones[train.t[row]]),
            "prompt": prompt,
        }
        for row, prompt in zip(data.rows, data.prompts, strict=True)
    ]
    path.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def _file_name(image_id: str) -> str:
    known = Path(image_id).suffix.lower() in {".jpg", ".jpeg", ".png"}
    return image_id if known else f"{image_id}.jpg"
