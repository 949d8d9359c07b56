"""What an audit says of each finding: the sentence must be true of the rule that found it."""

import pytest

from tonegap.split.view import WithheldCopy
from tonegap.synthetic.findings import descent

HELD_OUT = {"t7": "test"}
COPIES = {
    "a1": WithheldCopy("same group", "t7", "test", of_group=True),
    "a2": WithheldCopy("copy", "t7", "test"),
}


@pytest.mark.parametrize(
    ("ancestor", "said"),
    [
        ("t7", "s descends from test image t7"),
        ("a1", "s descends from a1, another image of the patient or lesion of test image t7"),
        ("a2", "s descends from a2, a copy of test image t7"),
    ],
)
def test_a_sentence_says_what_the_source_is_to_the_held_out_image(ancestor, said):
    assert descent("s", [ancestor], HELD_OUT, COPIES).sentence == said
