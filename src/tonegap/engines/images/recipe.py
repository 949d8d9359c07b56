"""Describes how an image is made: its base, the layers written above it, and how a stage is started in it.

Pure but for reading the suite root's files; no engine is asked. The mistake it exists to prevent:
an image that no longer is what its sources say.
"""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from tonegap.declared.plugin import FOLDERS, Plugin, plugin_ids, read_plugin
from tonegap.declared.root import default_store
from tonegap.declared.toml import read_toml
from tonegap.engines.images.context import context_sha256, folder_context
from tonegap.engines.images.dockerfile import named_base, plain_steps, read_dockerfile
from tonegap.errors import EngineError
from tonegap.files import digest_of
from tonegap.formats.image_lock import ImageLock
from tonegap.lines import did_you_mean

WHEELS_BASE = "base-torch"
LOCAL_BASE = "base-local"
PLUGIN_BASE = "base-cuda"  # of a plug-in whose Dockerfile names no other
OWN_SITE = "/opt/own"  # where a plug-in's own wheels lie
WRITER = 1  # to be raised where the same sources shall give other layers


class BaseFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`docker/base-NAME/image.toml`: what a base adds to the one below it.

    Without `base` it stands on the foundation, and `reference` is the one that `--base cuda` means.
    `wheels`: folder inside by the name of a lock in docker/locks. `kit`: where the kit lies inside.
    `user`: the name that user 1000 has and stages run as.
    """

    base: str = ""
    reference: str = ""
    wheels: dict[str, str] = {}
    kit: str = ""
    user: str = ""
    workdir: str = ""
    env: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Wheels:
    """Layers to write: the wheels of a lock, installed into a folder inside."""

    lock: Path
    folder: str


@dataclass(frozen=True, slots=True)
class Files:
    """A layer to write: files by their absolute name inside; Python's below `compiled` are compiled."""

    title: str
    files: dict[str, Path]
    compiled: str = ""


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """One image to be.

    `base` is the name of another recipe, a reference by digest, or "" for a root made from packages.
    `files` is all that it is made from by name; `layers` are written on the base, `env`, `user` and
    `workdir` added to what its config says. `dockerfile`: an engine has to run the rest, the
    Dockerfile among `files`.
    """

    name: str
    base: str
    files: dict[str, Path]
    layers: tuple[Wheels | Files, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    dockerfile: bool = False

    @property
    def locks(self) -> list[Path]:
        """The locks of its wheels."""
        return [layer.lock for layer in self.layers if isinstance(layer, Wheels)]


def image_names(root: Path) -> list[str]:
    """All names that can be built: the bases, then the plug-ins with stages."""
    bases = sorted(p.name for p in (root / "docker").glob("base-*") if is_image(root, p.name))
    plugins = [read_plugin(root, kind, name) for kind in FOLDERS for name in plugin_ids(root, kind)]
    return bases + sorted(plugin.label for plugin in plugins if plugin.file.stages)


def is_image(root: Path, name: str) -> bool:
    """Whether an image of that name can be built; as `image_names`, and reads that plug-in's file alone."""
    folder, _, plugin_id = name.partition("/")
    kind = folder.removesuffix("s")
    if plugin_id:
        known = FOLDERS.get(kind) == folder and plugin_id in plugin_ids(root, kind)
        return known and bool(read_plugin(root, kind, plugin_id).file.stages)
    base = root / "docker" / name
    return name.startswith("base-") and any(
        (base / file).is_file() for file in ("image.toml", "rootfs.sh")
    )


def no_image(root: Path, name: str) -> str:
    """That there is no image of a name, with a near one or, where none is near, where to find them."""
    names = image_names(root)
    bare = name.strip("/").split("/")[-1]
    near = next((one for one in names if one.split("/")[-1] == bare), "")
    hint = f" (did you mean {near!r}?)" if near else did_you_mean(name, names)
    return f"no image {name!r} in {root}{hint}; `tonegap image list` names them"


def read_recipe(root: Path, name: str, foundation: str) -> ImageRecipe:
    """The recipe of an image; the base of plug-ins stands on the `foundation`.

    Raises EngineError for a name that there is not, and for a base that is not pinned.
    """
    if not is_image(root, name):
        raise EngineError(no_image(root, name))
    folder, _, plugin_id = name.partition("/")
    if plugin_id:
        return _plugin_recipe(read_plugin(root, folder.removesuffix("s"), plugin_id))
    if (root / "docker" / name / "rootfs.sh").is_file():
        return ImageRecipe(name, "", folder_context(root / "docker" / name))
    return _base_recipe(root, name, foundation)


def foundation_of(lock: ImageLock) -> str:
    """What the lock's base of plug-ins stands on; "" where it has none."""
    return lock.images[PLUGIN_BASE].base if PLUGIN_BASE in lock.images else ""


def pinned_foundation(root: Path) -> str:
    """The reference by digest that `--base cuda` means."""
    return read_base(root, PLUGIN_BASE).reference


def read_base(root: Path, name: str) -> BaseFile:
    """What a base's `image.toml` says. Raises BadSuiteFolder for a file that breaks its schema."""
    return read_toml(root / "docker" / name / "image.toml", BaseFile)


def source_sha256(root: Path, recipe: ImageRecipe, foundation: str) -> str:
    """Hex SHA-256 over all that an image is made from, its bases' sources included."""
    base = recipe.base
    if is_image(root, base):
        base = source_sha256(root, read_recipe(root, base, foundation), foundation)
    return digest_of({"context": context_sha256(recipe.files), "base": base, "writer": WRITER})


def has_kit(root: Path, recipe: ImageRecipe) -> bool:
    """Whether an image has the kit: it is the base of plug-ins, or stands on it."""
    while recipe.name != PLUGIN_BASE:
        if not is_image(root, recipe.base):
            return False
        recipe = read_recipe(root, recipe.base, "")
    return True


def added_locks(root: Path, plugin: Plugin) -> list[Path]:
    """What the bases between a plug-in and the kit's put in beside it, as lists of requirements.

    None for a plug-in on the kit's base, or on one of its own. Raises EngineError for a
    Dockerfile that takes what is not pinned.
    """
    found: list[Path] = []
    base = _plugin_recipe(plugin).base
    while base != PLUGIN_BASE and is_image(root, base):
        said = read_base(root, base)
        found += [root / "docker" / "locks" / lock for lock in said.wheels]
        base = said.base
    return [lock.with_suffix(".in") for lock in dict.fromkeys(found)]


def _base_recipe(root: Path, name: str, foundation: str) -> ImageRecipe:
    docker = root / "docker"
    said = read_base(root, name)
    wheels = [Wheels(docker / "locks" / lock, folder) for lock, folder in said.wheels.items()]
    for layer in wheels:
        if not locked_versions(layer.lock):
            raise EngineError(
                f"{layer.lock}: found no package, wanted NAME==VERSION --hash=sha256:…"
            )
    files = folder_context(docker / name)
    files |= {f"locks/{layer.lock.name}": layer.lock for layer in wheels}
    layers: list[Wheels | Files] = [*wheels]
    if said.kit:
        kit = folder_context(docker / "kit")
        files |= {f"kit/{path}": source for path, source in kit.items()}
        inside = {f"{said.kit}/{path}": source for path, source in kit.items()}
        layers.append(Files("the kit", inside, said.kit))
    base = said.base or foundation
    return ImageRecipe(name, base, files, tuple(layers), dict(said.env), said.user, said.workdir)


def _plugin_recipe(plugin: Plugin) -> ImageRecipe:
    files = folder_context(plugin.folder)
    text = read_dockerfile(files.get("Dockerfile"))
    base = named_base(text) or PLUGIN_BASE
    layers: list[Wheels | Files] = []
    env: dict[str, str] = {}
    own = plugin.folder / "requirements.txt"
    if own.is_file():
        locked_versions(own)
        layers.append(Wheels(own, OWN_SITE))
        env["PYTHONPATH"] = f"{OWN_SITE}:${{PYTHONPATH}}"
    steps = plain_steps(text, files)
    if steps is None:
        return ImageRecipe(plugin.label, base, files, tuple(layers), env, dockerfile=True)
    layers += [Files("files", steps.files)] if steps.files else []
    env |= steps.env
    return ImageRecipe(plugin.label, base, files, tuple(layers), env, workdir=steps.workdir)


def cache_folder(root: Path) -> Path:
    """Where images and the digests of bound environments are kept: beside the results."""
    return default_store(root) / "images"


def locked_versions(lock: Path) -> dict[str, str]:
    """Version by name of the packages in a lock. Raises EngineError for what is no text or no pins."""
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
        pins = [
            _pin(line.split(" --hash")[0].rstrip(" \\")) for line in lines if line[:1].isalnum()
        ]
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else "no text"
        why = str(e).splitlines()[0] if isinstance(e, InvalidRequirement) else why
        raise EngineError(
            f"{lock}: no lock of wheels ({why}); restore it from the repository"
        ) from None
    return dict(pins)


def _pin(line: str) -> tuple[str, str]:
    wanted = Requirement(line)
    found = [one.version for one in wanted.specifier if one.operator == "=="]
    if len(found) != 1:
        raise InvalidRequirement(f"{line!r} pins no version")
    return wanted.name, found[0]
