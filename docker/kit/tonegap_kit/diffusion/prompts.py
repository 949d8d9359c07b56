"""The words of prompts: a placeholder for each condition, words for each tone, captions.

The mistake it exists to prevent: two conditions that share a placeholder because their names begin alike.
"""

from collections.abc import Mapping, Sequence

from tonegap_kit.errors import StageError

# Types I, II, V and VI as the paper's captions have them (arXiv 2406.18375, released code); it never
# drew III and IV, whose words are those of the colour classes of Del Bino and Bernerd 2013, nor groups.
TONE_WORDS: Mapping[str, str] = {
    "I": "a very light-skinned",
    "II": "a light-skinned",
    "III": "an intermediate-skinned",
    "IV": "a tan-skinned",
    "V": "a dark-skinned",
    "VI": "a very dark-skinned",
    "I-II": "a light-skinned",
    "III-IV": "a medium-skinned",
    "V-VI": "a dark-skinned",
}
_BRACKETED = "<{}>"


def tokens_of(labels: Sequence[str], *, brackets: bool = False) -> dict[str, str]:
    """The placeholder of each label: its first three letters and `-class`, as `bas-class`.

    Where two labels begin alike, both take as many letters as distinguish them. With `brackets`, as
    `<bas-class>`. Raises StageError where no letter distinguishes them.
    """
    form = _BRACKETED if brackets else "{}"
    found = {label: form.format(f"{_stem(label, labels)}-class") for label in labels}
    if len(set(found.values())) < len(found):
        same = [label for label in found if list(found.values()).count(found[label]) > 1]
        raise StageError(
            f"classes {', '.join(map(repr, same))} have the same letters, so that one word would be learned for "
            "them all; wanted names that differ in a letter or a digit"
        )
    return found


def tone_words(tone: str) -> str:
    """The words for a tone: `a very dark-skinned` for VI. Raises StageError for an unknown tone."""
    if tone not in TONE_WORDS:
        raise StageError(f"tone {tone!r} has no words, wanted one of {', '.join(TONE_WORDS)}")
    return TONE_WORDS[tone]


def fill_caption(template: str, token: str, tone: str) -> str:
    """The template with `{token}` and, where it asks for them, the tone's words in place of `{tone}`."""
    if "{token}" not in template:
        raise StageError(f"caption is {template!r}, wanted one with {{token}} in it")
    words = tone_words(tone) if "{tone}" in template else ""
    return filled(template, {"{token}": token, "{tone}": words}, "caption")


def filled(template: str, words: Mapping[str, str], called: str = "template") -> str:
    """The template with each placeholder as `{tone}` replaced. Raises StageError where it has any other brace.

    The sentence names the template as it is `called`, and the placeholders of `words`.
    """
    rest = template
    for placeholder in words:
        rest = rest.replace(placeholder, "")
    if "{" in rest or "}" in rest:
        raise StageError(
            f"{called} is {template!r}, wanted no braces but those of {', '.join(words)}"
        )
    for placeholder, text in words.items():
        template = template.replace(placeholder, text)
    return template


def _stem(label: str, labels: Sequence[str]) -> str:
    """The fewest letters, three or more, with which no other label begins."""
    own = _letters(label)
    others = [_letters(other) for other in labels if other != label]
    for n in range(3, len(own)):
        if not any(other.startswith(own[:n]) for other in others):
            return own[:n]
    return own


def _letters(label: str) -> str:
    # Letters and digits alone: a blank or a comma would end the placeholder.
    return "".join(c for c in label.lower() if c.isalnum())
