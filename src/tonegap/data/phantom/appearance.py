"""Turns a condition's name into the numbers that its lesions are drawn from.

The numbers are caricatures of textbook descriptions, good enough that classes differ in shape and
colour; nothing about a disease can be learned from them. A label that nobody drew by hand gets an
appearance from a hash of its name, so that any metadata can have stand-ins.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from tonegap.colour import Lab
from tonegap.data.phantom.noise import stream

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Appearance:
    """How lesions of one condition look, on skin where their contrast is full.

    Lengths are fractions of half the picture's side; a colour is an offset in CIELAB (L*, a*, b*)
    from the skin around. The other numbers are strengths: 0 is absent, 1 is strong.
    """

    count: Range  # lesions in a picture: fewest, most
    radius: Range  # of one lesion: smallest, largest
    body: Lab
    rim: Lab = (0.0, 0.0, 0.0)  # on top of the body, along the border
    core: Lab = (0.0, 0.0, 0.0)  # on top of the body, in the middle: ulcer, crust, pustule
    core_radius: float = 0.0  # fraction of the lesion's radius
    elongation: float = 0.15
    irregularity: float = 0.2  # of the border
    softness: float = 0.2  # of the border: 0 is cut out, 1 fades from the middle
    track: float = 0.0  # length of the winding path that a lesion is stretched along
    halo: float = 0.2  # flush around
    scale: float = 0.0  # white flakes
    variegation: float = 0.1  # patches of other browns
    vessels: float = 0.0  # fine red branches
    relief: float = 0.3  # height of the bump


_HAND_MADE = {
    "basal cell carcinoma": Appearance(
        count=(1, 1), radius=(0.26, 0.46), body=(-3, 10, 0), rim=(7, 2, -3), core=(-17, 8, 2),
        core_radius=0.4, irregularity=0.15, vessels=1.0, relief=1.0,
    ),
    "folliculitis": Appearance(
        count=(9, 20), radius=(0.06, 0.1), body=(-9, 19, 4), core=(16, -10, 8), core_radius=0.45,
        elongation=0.05, irregularity=0.05, softness=0.45, halo=0.7, relief=0.6,
    ),
    "nematode infection": Appearance(
        count=(1, 2), radius=(0.035, 0.055), body=(-9, 19, 4), irregularity=0.1, softness=0.4,
        track=2.8, halo=0.5, relief=0.5,
    ),
    "neutrophilic dermatoses": Appearance(
        count=(1, 3), radius=(0.28, 0.5), body=(-8, 14, -5), rim=(-9, 8, -9), core=(-2, 4, 11),
        core_radius=0.55, irregularity=0.35, softness=0.25, halo=0.8, relief=0.7,
    ),
    "prurigo nodularis": Appearance(
        count=(4, 9), radius=(0.1, 0.17), body=(-15, 7, 2), rim=(-7, -2, 3), core=(4, 12, -1),
        core_radius=0.45, irregularity=0.12, softness=0.2, scale=0.15, relief=1.0,
    ),
    "psoriasis": Appearance(
        count=(2, 5), radius=(0.22, 0.42), body=(-9, 18, 5), irregularity=0.25, softness=0.08,
        halo=0.0, scale=1.0, relief=0.25,
    ),
    "squamous cell carcinoma": Appearance(
        count=(1, 1), radius=(0.28, 0.5), body=(-8, 14, 3), rim=(-2, 2, 0), core=(5, -7, 15),
        core_radius=0.6, irregularity=0.45, scale=0.35, variegation=0.3, relief=1.0,
    ),
    "benign": Appearance(
        count=(1, 1), radius=(0.26, 0.44), body=(-20, 7, 6), irregularity=0.08, halo=0.0,
        variegation=0.15, relief=0.4,
    ),
    "malignant": Appearance(
        count=(1, 1), radius=(0.3, 0.54), body=(-25, 5, 1), core=(-6, -3, -8), core_radius=0.4,
        elongation=0.35, irregularity=0.5, halo=0.3, variegation=1.0, relief=0.5,
    ),
}  # fmt: skip

# What other labels are blended from. Winding tracks would turn most of them into worms.
_CONDITIONS = tuple(
    look
    for name, look in _HAND_MADE.items()
    if name not in {"benign", "malignant"} and look.track == 0
)

# The one that each is most easily taken for.
_MIMICS = {
    "basal cell carcinoma": "squamous cell carcinoma",
    "folliculitis": "prurigo nodularis",
    "nematode infection": "folliculitis",
    "neutrophilic dermatoses": "psoriasis",
    "prurigo nodularis": "folliculitis",
    "psoriasis": "neutrophilic dermatoses",
    "squamous cell carcinoma": "basal cell carcinoma",
    "benign": "malignant",
    "malignant": "benign",
}


def appearance_of(label: str, malignant: bool | None) -> Appearance:
    """How lesions called `label` look; the same for the same arguments, always.

    A label drawn by hand ignores `malignant`; any other is shifted by it, if it is true, towards an
    irregular border and mixed colours. Case and outer spaces of a label do not matter.
    """
    name = label.strip().casefold()
    known = _HAND_MADE.get(name)
    return known if known is not None else _from_hash(name, malignant)


def mimic_of(label: str, malignant: bool | None) -> Appearance:
    """How the condition looks that `label` is most easily confused with."""
    name = label.strip().casefold()
    if name in _MIMICS:
        return _HAND_MADE[_MIMICS[name]]
    return _from_hash(f"{name}\0mimic", None if malignant is None else not malignant)


def blend(one: Appearance, other: Appearance, weight: float) -> Appearance:
    """`one` moved towards `other`: weight 0 is `one`, 1 is `other`."""
    mixed = {
        f.name: _mix(getattr(one, f.name), getattr(other, f.name), weight)
        for f in fields(Appearance)
    }
    return Appearance(**mixed)


def _mix(one: Any, other: Any, weight: float) -> Any:
    if isinstance(one, tuple):
        return tuple(_mix(a, b, weight) for a, b in zip(one, other, strict=True))
    return one + weight * (other - one)


def _from_hash(name: str, malignant: bool | None) -> Appearance:
    """Two conditions blended, with colours of its own: labels differ, and all look like skin."""
    rng = stream(name, "appearance")
    one, other = (_CONDITIONS[i] for i in rng.choice(len(_CONDITIONS), size=2, replace=False))
    mixed = blend(one, other, float(rng.uniform(0.1, 0.5)))
    own = replace(
        mixed,
        body=_moved(mixed.body, rng, 5.0),
        core=_moved(mixed.core, rng, 5.0),
        elongation=float(rng.uniform(0, 0.5)),
        scale=float(rng.uniform(0, 1) ** 3),
    )
    if not malignant:
        return own
    return replace(
        own,
        irregularity=own.irregularity + 0.25,
        variegation=own.variegation + 0.7,
        elongation=own.elongation + 0.15,
        body=(own.body[0] - 5, own.body[1] - 2, own.body[2]),
    )


def _moved(colour: Lab, rng: np.random.Generator, spread: float) -> Lab:
    lightness, red, yellow = (
        float(c + spread * z) for c, z in zip(colour, rng.standard_normal(3), strict=True)
    )
    return lightness, red, yellow
