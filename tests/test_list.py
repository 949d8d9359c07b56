"""`tonegap list`: what is said of plug-ins beside their title."""

import json

import pytest
from tiny_rooms import PROJECT, tonegap

__all__ = ["tonegap"]
HERE = ("--suite-root", PROJECT)


def test_a_post_processor_is_listed_with_what_it_needs_and_takes(tonegap):
    assert tonegap("list", "postprocessors", *HERE) == 0
    lines = dict(line.split(maxsplit=1) for line in tonegap.out.splitlines())
    assert lines["temperature"] == "Temperature; stages: postprocess"
    assert lines["reject-option"] == (
        "Reject option; stages: postprocess; needs: tone_at_test, two_classes; "
        "parameters: rate, margins, allowed_loss"
    )


def test_an_extractor_is_listed_with_its_stages(tonegap):
    assert tonegap("list", "extractors", *HERE) == 0
    lines = dict(line.split(maxsplit=1) for line in tonegap.out.splitlines())
    assert "; stages: features, embed; parameters: " in lines["tiny-vit"]


@pytest.mark.parametrize("what", ["methods", "baselines", "postprocessors", "extractors"])
def test_json_has_the_details_of_every_plug_in(tonegap, what):
    assert tonegap("list", what, "--json", *HERE) == 0
    rows = json.loads(tonegap.out)
    assert all(
        set(row) == {"id", "title", "paper", "stages", "needs", "parameters"} for row in rows
    )
    found = {row["id"]: row for row in rows}
    if what == "postprocessors":
        assert found["tone-temperature"]["parameters"] == {"least_images": 20}
        assert found["tone-temperature"]["needs"] == ["tone_at_test"]
