"""Sets how hard the phantoms are: every number that was tuned so that a gap exists to be measured."""

from dataclasses import dataclass, fields

from tonegap.errors import BadRequest
from tonegap.tones import TYPES


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What stands between a classifier and the right answer. All shares lie in [0, 1].

    `contrast`: per type I to VI, how much of a lesion's colour difference to its skin is left.
    `overlap`: how far, at most, an image may look like the condition it is confused with; 1 is all.
    `atypical`: spread of a lesion's colour around its condition's, in CIELAB units.
    `noise`: standard deviation of the sensor's noise, in 8-bit steps.
    `blur`: largest standard deviation of the defocus, in hundredths of the picture's side.
    `marks`: how many moles, freckles and flushes that mean nothing an image has on the average.
    """

    contrast: tuple[float, float, float, float, float, float]
    overlap: float
    atypical: float
    noise: float
    blur: float
    marks: float
    hair_share: float
    vignette_share: float
    marker_share: float
    ruler_share: float
    backdrop_share: float

    def __post_init__(self) -> None:
        if len(self.contrast) != len(TYPES) or not all(0 <= c <= 2 for c in self.contrast):
            raise BadRequest(
                f"difficulty: contrast is {self.contrast}; wanted {len(TYPES)} numbers from 0 to 2, "
                "one for each skin type I to VI"
            )
        for field in fields(self)[1:]:
            most = 1 if field.name == "overlap" or field.name.endswith("_share") else 100
            if not 0 <= getattr(self, field.name) <= most:
                found = getattr(self, field.name)
                raise BadRequest(f"difficulty: {field.name} is {found}; wanted 0 to {most}")


DEFAULT = Difficulty(
    contrast=(1.0, 0.95, 0.8, 0.65, 0.46, 0.33),
    overlap=0.7,
    atypical=4.5,
    noise=4.0,
    blur=1.2,
    marks=3.0,
    hair_share=0.35,
    vignette_share=0.3,
    marker_share=0.12,
    ruler_share=0.12,
    backdrop_share=0.15,
)
