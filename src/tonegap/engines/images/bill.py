"""Lists an image's content as a bill of materials: packages of Debian and of Python, with hash and licence where known.

Everything is read from the lock and the layers here: nothing runs, and no engine and no index is asked.
"""

import re
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from urllib.parse import quote

from tonegap import __version__
from tonegap.engines.images.layout import Layout, layout_folder
from tonegap.engines.images.recipe import cache_folder
from tonegap.engines.images.transport import locked_images
from tonegap.engines.images.wheels import plain_name
from tonegap.errors import EngineError
from tonegap.formats.cyclonedx import (
    Bill,
    BillMetadata,
    Component,
    Dependency,
    Hash,
    LicenceExpression,
    LicenceName,
    Named,
    Property,
    Tools,
)
from tonegap.formats.image_lock import ImageLock, LockedImage, read_lock

Licences = tuple[LicenceName | LicenceExpression, ...]
_METADATA = re.compile(r"(?:^|/)[^/]+\.dist-info/METADATA$")
_COPYRIGHT = re.compile(r"^(?:\./)?usr/share/doc/([^/]+)/copyright$")
_RELEASE = re.compile(r"^(?:\./)?usr/lib/os-release$")
_LONGEST = 200  # characters of a field `License`; longer ones are the text itself
_NAMESPACE = uuid.UUID("b0a1f3a6-63f2-5e0c-9a0c-3c2f9a1d7e55")


def bill_of(root: Path, name: str) -> Bill:
    """The bill of materials of a locked image, CycloneDX 1.6: the same for the same image.

    Raises EngineError for an image that is not in the lock, or not here with all its layers.
    """
    lock = read_lock(root)
    (image,) = locked_images(lock, root, [name])
    layout = Layout(layout_folder(cache_folder(root)))
    if why := layout.lack(image.image_id):
        raise EngineError(f"{name}: {why}; run `tonegap image build {name}`")
    found = [*_packages(layout, lock, image), *_bound(image)]
    parts = tuple(sorted({one.bom_ref: one for one in found}.values(), key=lambda one: one.bom_ref))
    whole = Component(
        type="container",
        bom_ref=image.image_id,
        name=name,
        version=image.image_id,
        hashes=(Hash(image.image_id.removeprefix("sha256:")),),
        properties=(
            Property("tonegap:platform", image.platform),
            Property("tonegap:content_sha256", image.content_sha256),
            Property("tonegap:source_sha256", image.source_sha256),
        ),
    )
    writer = Component("application", f"tonegap@{__version__}", "tonegap", __version__)
    return Bill(
        bom_format="CycloneDX",
        spec_version="1.6",
        serial_number=f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{name} {image.image_id}')}",
        version=1,
        metadata=BillMetadata(Tools((writer,)), whole),
        components=parts,
        dependencies=(Dependency(image.image_id, tuple(one.bom_ref for one in parts)),),
    )


def _packages(layout: Layout, lock: ImageLock, image: LockedImage) -> Iterator[Component]:
    """Python's packages of each layer, then Debian's of the image or a base below it."""
    licences: dict[str, Licences] = {}
    release: dict[str, str] = {}
    for diff_id in layout.diff_ids(image.image_id):
        hashes = layout.layer(diff_id).hashes
        for path, content in _named_files(layout.blob(diff_id)):
            if match := _COPYRIGHT.match(path):
                licences[match[1]] = _debian_licences(content)
            elif _RELEASE.match(path):
                release = _fields(content)
            else:
                yield _python(path, content, hashes)
    below = image
    while not below.debian and below.base in lock.images:
        below = lock.images[below.base]
    for package, version in below.debian.items():
        yield _debian(package, version, release, licences)


def _named_files(layer: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a layer that say what a package is: path and content."""
    with tarfile.open(layer, "r:") as archive:
        for member in archive:
            said = (_METADATA.search, _COPYRIGHT.match, _RELEASE.match)
            if member.isreg() and any(look(member.name) for look in said):
                content = archive.extractfile(member)
                yield member.name, content.read() if content else b""


def _python(path: str, content: bytes, hashes: Mapping[str, str]) -> Component:
    said = BytesHeaderParser().parsebytes(content)
    name, version = str(said["Name"]), str(said["Version"])
    digest = hashes.get(plain_name(name))
    return Component(
        type="library",
        bom_ref=f"{path.removeprefix('./')}@{version}",
        name=name,
        version=version,
        purl=_purl(name, version),
        hashes=(Hash(digest),) if digest else (),
        licenses=_python_licences(said),
    )


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{plain_name(name)}@{quote(version, safe='.-_~')}"


def _python_licences(said: Message) -> Licences:
    """The licences that a package's metadata name: an expression, a short field, else its classifiers."""
    if expression := said["License-Expression"]:
        return (LicenceExpression(str(expression)),)
    kinds = [str(one) for one in said.get_all("Classifier", []) if one.startswith("License ::")]
    names = [one.rpartition(" :: ")[2] for one in kinds]
    field = " ".join(str(said["License"] or "").split())
    if field and field != "UNKNOWN" and len(field) <= _LONGEST:
        names = [field]
    return tuple(LicenceName(Named(name)) for name in dict.fromkeys(names))


def _debian(
    package: str, version: str, release: Mapping[str, str], licences: Mapping[str, Licences]
) -> Component:
    name, _, machine = package.partition(":")
    ask = [f"arch={machine}"] if machine else []
    system = release.get("ID", "debian")
    if "VERSION_ID" in release:
        ask.append(f"distro={system}-{release['VERSION_ID']}")
    purl = f"pkg:deb/{system}/{quote(name, safe='.-_~')}@{quote(version, safe='.-_~')}"
    return Component(
        type="library",
        bom_ref=f"{package}@{version}",
        name=name,
        version=version,
        purl=purl + ("?" + "&".join(ask) if ask else ""),
        licenses=licences.get(name, ()),
    )


def _debian_licences(copyright_file: bytes) -> Licences:
    """The short names of a copyright file that has them in fields (DEP 5); none of free prose."""
    text = copyright_file.decode("utf-8", "replace")
    if not text.startswith("Format:"):
        return ()
    names = re.findall(r"^License:[ \t]*(\S.*?)\s*$", text, re.MULTILINE)
    return tuple(LicenceName(Named(name)) for name in sorted(set(names)))


def _bound(image: LockedImage) -> Iterator[Component]:
    """The packages that are bound from a folder of the host, as far as the lock names them."""
    if image.environment is None:
        return
    where = (Property("tonegap:bound_folder_sha256", image.environment.sha256),)
    for name, version in image.environment.versions.items():
        reference = f"bound:{name}@{version}"
        yield Component("library", reference, name, version, _purl(name, version), properties=where)


def _fields(content: bytes) -> dict[str, str]:
    lines = content.decode("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip('"') for key, _, value in pairs}
