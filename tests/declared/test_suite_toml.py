"""A suite as TOML: what is written is what is read, whatever stands in it."""

import math
import tomllib

import pytest

from tonegap.declared.suite import EntryRows, SuiteFile
from tonegap.declared.suite_toml import suite_toml

TEXT = 'tab\t, quote ", backslash \\, line\nend, delete \x7f, bell \x07, é, 🙂, #'


def suite(**parameters):
    return SuiteFile(
        title=TEXT,
        about="",
        tasks=("a",),
        seeds=(0,),
        entries=(EntryRows(methods=("none",), baselines=("first",), variant="b"),),
        parameters={"methods/🙂.x": parameters},
    )


def read(file, comment=""):
    return tomllib.loads(suite_toml(file, comment))


def test_texts_with_what_toml_takes_as_an_escape_alone_come_back():
    found = read(suite(text=TEXT, many=[TEXT, ""]))
    assert found["title"] == TEXT
    assert found["parameters"]["methods/🙂.x"] == {"text": TEXT, "many": [TEXT, ""]}


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e300, -0.0, 5e-324, 1e22, 0.1, 3, True])
def test_numbers_come_back(value):
    found = read(suite(rate=value))["parameters"]["methods/🙂.x"]["rate"]
    assert (found, type(found)) == (value, type(value))


def test_no_number_comes_back_as_none():
    assert math.isnan(read(suite(rate=math.nan))["parameters"]["methods/🙂.x"]["rate"])


def test_a_name_that_is_no_bare_key_is_quoted():
    found = read(suite(**{"two words": 1, "a.b": 2, "plain-1": 3}))["parameters"]
    assert found == {"methods/🙂.x": {"two words": 1, "a.b": 2, "plain-1": 3}}


def test_a_comment_has_no_character_that_toml_refuses():
    text = suite_toml(suite(), "one\x00\x7f\x1b[31m\ntwo\rthree = 3")
    assert text.startswith("# one   [31m\n# two\n# three = 3\n")
    assert tomllib.loads(text)["title"] == TEXT
