"""A bill of materials in the words of CycloneDX 1.6 (ECMA-424), as far as an image needs them.

Keys are those of the standard's JSON; what is empty is left out, as its schema wants.
"""

from typing import Literal

import msgspec


class Hash(msgspec.Struct, frozen=True):
    """A digest: `content` in hex."""

    content: str
    alg: Literal["SHA-256"] = "SHA-256"


class Named(msgspec.Struct, frozen=True):
    """A licence by the name that somebody gave it."""

    name: str


class LicenceName(msgspec.Struct, frozen=True):
    """One of the licences of a component."""

    license: Named


class LicenceExpression(msgspec.Struct, frozen=True):
    """All licences of a component, as an SPDX expression."""

    expression: str


class Property(msgspec.Struct, frozen=True):
    """What the standard has no key for."""

    name: str
    value: str


class Component(msgspec.Struct, frozen=True, omit_defaults=True, rename={"bom_ref": "bom-ref"}):
    """A part: the image itself, or a package in it."""

    type: Literal["container", "library", "application"]
    bom_ref: str
    name: str
    version: str
    purl: str = ""
    hashes: tuple[Hash, ...] = ()
    licenses: tuple[LicenceName | LicenceExpression, ...] = ()
    properties: tuple[Property, ...] = ()


class Tools(msgspec.Struct, frozen=True):
    """What wrote the bill."""

    components: tuple[Component, ...]


class BillMetadata(msgspec.Struct, frozen=True):
    """What the bill is of. No moment is in it: the same image has the same bill."""

    tools: Tools
    component: Component


class Dependency(msgspec.Struct, frozen=True, rename={"depends_on": "dependsOn"}):
    """A part and the parts that it has."""

    ref: str
    depends_on: tuple[str, ...]


class Bill(msgspec.Struct, frozen=True, rename="camel"):
    """The whole document."""

    bom_format: Literal["CycloneDX"]
    spec_version: Literal["1.6"]
    serial_number: str
    version: int
    metadata: BillMetadata
    components: tuple[Component, ...]
    dependencies: tuple[Dependency, ...]


def encode_bill(bill: Bill) -> bytes:
    """The bill as JSON: equal bills give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(bill), indent=1) + b"\n"
