"""A condition and a skin type turned into a caption, in the wordings that methods will ask with.

The mistake it exists to prevent: a model that knows the skin but not the question. Every wording that a
method of this suite fills in occurs among the captions, so that none of its words is new to the model.
"""

from dataclasses import dataclass

import numpy as np

from tonegap.tones import TYPES, tone_group

HEALTHY = "healthy skin"

# I, II, V and VI in the words of Wang et al. 2024; III and IV in those of the six colour classes of
# Del Bino and Bernerd 2013.
TONE_PHRASES = {
    "I": "a very light-skinned",
    "II": "a light-skinned",
    "III": "an intermediate-skinned",
    "IV": "a tan-skinned",
    "V": "a dark-skinned",
    "VI": "a very dark-skinned",
}
GROUP_WORDS = {"I-II": "light", "III-IV": "medium", "V-VI": "dark"}

# Wordings of textual inversion (Gal et al. 2022): they name no tone.
TEMPLATES = (
    "a photo of a {}",
    "a rendering of a {}",
    "a cropped photo of the {}",
    "the photo of a {}",
    "a photo of a clean {}",
    "a photo of a dirty {}",
    "a dark photo of the {}",
    "a photo of my {}",
    "a photo of the cool {}",
    "a close-up photo of a {}",
    "a bright photo of the {}",
    "a good photo of the {}",
    "a photo of {}",
)
_LESION = (
    (0.60, "An image of {} on the skin of {phrase} individual"),
    (0.05, "An image of {} on the skin of a {group}-skinned individual"),
    (0.14, "An image of {} on a {group}-toned individual"),
    (0.04, "An image of {}, a skin disease"),
    (0.05, "An image of {}"),
)
_BARE = (
    (0.35, "An image of {} on {phrase} individual"),
    (0.10, "An image of {} on the skin of {phrase} individual"),
    (0.20, "An image of {} on a {group}-skinned individual"),
    (0.15, "An image of {} on a {group}-toned individual"),
    (0.08, "A close-up clinical photograph of healthy, smooth, normal human skin"),
)
_ANY = ("skin", "lesion", "skin lesion", "skin disease")
_ANY_SHARE = 0.06  # of lesions are called by a word for any of them
# Words that methods may use and no drawing shows: each still becomes one token.
_SPARE = (
    "bad anatomy, deformed, lesion, ugly, disfigured, illness, hole, transparent, eye, with a ruler",
    "benign malignant skin disease on lighter brown darker skin tone, marker, clinical image, class",
)


@dataclass(frozen=True, slots=True)
class Wording:
    """A caption's form; `{}` takes the condition, the other fields take words for the tone."""

    form: str

    def filled(self, condition: str, skin_type: str) -> str:
        """The caption of one picture."""
        group = GROUP_WORDS[tone_group(skin_type)]
        return self.form.format(condition, phrase=TONE_PHRASES[skin_type], group=group)


def caption_of(condition: str, skin_type: str, rng: np.random.Generator) -> str:
    """A caption for a picture of `condition` on skin of a type I to VI; most name both."""
    known = _BARE if condition == HEALTHY else _LESION
    at = rng.random() - np.cumsum([share for share, _ in known])
    first = int(np.argmax(at < 0)) if at[-1] < 0 else None
    template = TEMPLATES[rng.integers(len(TEMPLATES))]
    vague, word = rng.random() < _ANY_SHARE, _ANY[rng.integers(len(_ANY))]
    called = word if vague and condition != HEALTHY else condition
    return Wording(template if first is None else known[first][1]).filled(called, skin_type)


def plain_prompt(condition: str, skin_type: str) -> str:
    """The prompt that samples are judged by: the most frequent wording."""
    known = _BARE if condition == HEALTHY else _LESION
    return Wording(known[0][1]).filled(condition, skin_type)


def corpus(conditions: tuple[str, ...]) -> list[str]:
    """Every caption that can be drawn, and the spare words: what the tokenizer is made from."""
    forms = [form for _, form in (*_LESION, *_BARE)] + list(TEMPLATES)
    words = (*conditions, *_ANY)
    found = {Wording(f).filled(word, t) for f in forms for word in words for t in TYPES}
    return [*sorted(found), *_SPARE]
