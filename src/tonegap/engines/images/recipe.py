"""What an image is made from: its base, the files of its build context, its locks.

Pure but for reading the suite root's files; no engine is asked. The mistake it exists to prevent:
an image that no longer is what its sources say.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tonegap.declared.plugin import FOLDERS, Plugin, plugin_ids, read_plugin
from tonegap.declared.root import default_store
from tonegap.engines.images.context import context_sha256, folder_context
from tonegap.errors import EngineError
from tonegap.files import digest_of

LOCAL_BASE = "base-local"
PLUGIN_BASE = "base-cuda"  # of a plug-in whose Dockerfile names no other
_DEFAULT_BASE = re.compile(r"^ARG\s+BASE_IMAGE(?:=(\S+))?\s*$", re.MULTILINE)
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.MULTILINE | re.IGNORECASE)
_LOCK = re.compile(r"\blocks/([a-z0-9-]+\.txt)\b")
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_COPIES_KIT = re.compile(r"^COPY\s+(?:--\S+\s+)*kit\s", re.MULTILINE)
_PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}|scratch")


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """One image to be: `files` is its build context (name → path), without wheels.

    `base` is the name of another recipe, a reference by digest, or "" for one made from packages.
    `locks` are the requirements whose wheels the build gets under `wheelhouse/`.
    """

    name: str
    base: str
    files: dict[str, Path]
    locks: tuple[Path, ...]

    @property
    def has_kit(self) -> bool:
        """Whether the kit is put in here, not in a base."""
        return any(name.startswith("kit/") for name in self.files)


def image_names(root: Path) -> list[str]:
    """All names that can be built: the bases, then the plug-ins with stages."""
    bases = sorted(
        path.name
        for path in (root / "docker").glob("base-*")
        if (path / "Dockerfile").is_file() or (path / "rootfs.sh").is_file()
    )
    plugins = [read_plugin(root, kind, name) for kind in FOLDERS for name in plugin_ids(root, kind)]
    return bases + sorted(plugin.label for plugin in plugins if plugin.file.stages)


def read_recipe(root: Path, name: str, foundation: str) -> ImageRecipe:
    """The recipe of an image; `foundation` replaces the pinned reference at the end of its bases.

    Raises EngineError for a name that there is not, and for a base that is not pinned.
    """
    if name not in image_names(root):
        raise EngineError(f"no image {name!r} in {root}; there are: {', '.join(image_names(root))}")
    folder, _, plugin_id = name.partition("/")
    if plugin_id:
        return _plugin_recipe(root, read_plugin(root, folder.removesuffix("s"), plugin_id))
    if (root / "docker" / name / "rootfs.sh").is_file():
        return ImageRecipe(name, "", folder_context(root / "docker" / name), ())
    return _base_recipe(root, name, foundation)


def pinned_foundation(root: Path) -> str:
    """The reference by digest on which base-cuda stands unless told otherwise."""
    return named_base(read_dockerfile(root / "docker" / PLUGIN_BASE / "Dockerfile"))


def source_sha256(root: Path, recipe: ImageRecipe, foundation: str) -> str:
    """Hex SHA-256 over all that an image is made from, its bases' sources included."""
    base = recipe.base
    if base in image_names(root):
        base = source_sha256(root, read_recipe(root, base, foundation), foundation)
    return digest_of({"context": context_sha256(recipe.files), "base": base})


def stands_on(root: Path, recipe: ImageRecipe, foundation: str) -> bool:
    """Whether the line of an image's bases ends in the foundation (not for the foundation itself)."""
    if recipe.base == foundation:
        return True
    return recipe.base in image_names(root) and stands_on(
        root, read_recipe(root, recipe.base, foundation), foundation
    )


def added_locks(root: Path, plugin: Plugin) -> list[Path]:
    """What the bases between a plug-in and the kit's put in beside it, as lists of requirements.

    None for a plug-in without a Dockerfile, or on a base of its own. Raises EngineError for a
    Dockerfile that takes what is not pinned.
    """
    found: list[Path] = []
    path = plugin.folder / "Dockerfile"
    while path.is_file():
        text = read_dockerfile(path)
        found += [root / "docker" / "locks" / lock for lock in _LOCK.findall(text)]
        base = named_base(text) or PLUGIN_BASE
        path = root / "docker" / base / "Dockerfile"
        if base == PLUGIN_BASE:
            break
    return [lock.with_suffix(".in") for lock in dict.fromkeys(found)]


def _base_recipe(root: Path, name: str, foundation: str) -> ImageRecipe:
    docker = root / "docker"
    text = read_dockerfile(docker / name / "Dockerfile")
    named = named_base(text)
    base = named if named in image_names(root) else foundation
    files = folder_context(docker / name)
    if _COPIES_KIT.search(text):
        files |= folder_context(docker / "kit", "kit")
    locks = _locks(root, *(docker / "locks" / lock for lock in _LOCK.findall(text)))
    return ImageRecipe(name, base, files | {f"locks/{path.name}": path for path in locks}, locks)


def _plugin_recipe(root: Path, plugin: Plugin) -> ImageRecipe:
    text = read_dockerfile(plugin.folder / "Dockerfile")
    files = folder_context(plugin.folder)
    base = named_base(text) or PLUGIN_BASE
    own = plugin.folder / "requirements.txt"
    return ImageRecipe(plugin.label, base, files, _locks(root, own) if own.is_file() else ())


def _locks(root: Path, *locks: Path) -> tuple[Path, ...]:
    """Locks with that of the installer, which every build that installs needs; none for none."""
    return (root / "docker" / "locks" / "pip.txt", *dict.fromkeys(locks)) if locks else ()


def read_dockerfile(path: Path) -> str:
    """A Dockerfile's text. Raises EngineError where it is missing or takes what is not pinned."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise EngineError(f"{path}: missing or no text; every image is built from one") from None
    for reference in references(text):
        if not _PINNED.fullmatch(reference):
            raise EngineError(
                f"{path}: FROM {reference}: wanted ${{BASE_IMAGE}} or a reference with a digest "
                "(NAME@sha256:…)"
            )
    return text


def references(dockerfile: str) -> list[str]:
    """The images that FROM lines take from elsewhere: neither `${BASE_IMAGE}` nor earlier stages."""
    stages: set[str] = set()
    found = []
    for reference, stage in _FROM.findall(dockerfile):
        if reference not in {"${BASE_IMAGE}", "$BASE_IMAGE", *stages}:
            found.append(reference)
        stages.add(stage)
    return found


def named_base(dockerfile: str) -> str:
    """The default of `ARG BASE_IMAGE`, "" where it has none; without that line, the last reference."""
    declared = _DEFAULT_BASE.search(dockerfile)
    if declared:
        return declared.group(1) or ""
    return next(reversed(references(dockerfile)), "")


def cache_folder(root: Path) -> Path:
    """Where wheels and the digests of bound environments are kept: beside the results."""
    return default_store(root) / "images"


def locked_names(lock: Path) -> list[str]:
    """Names of the packages in a lock."""
    return _LOCKED.findall(lock.read_text(encoding="utf-8"))
