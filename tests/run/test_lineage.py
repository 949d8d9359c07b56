"""What a fit stage says of its learned parts, and what a synthetic image descends from."""

import json
from hashlib import sha256

import pytest
from tiny_rooms import GENERATE_PY

from tonegap.errors import BadOutput, LeakFound
from tonegap.formats.lineage import LearnedPart, SyntheticLineage, read_parts
from tonegap.run.outputs import check_outputs, lineage_of

HEADER = "image_id,file,label,tone,prompt,seed,sources,models\n"


@pytest.fixture
def stages(planner):
    planner.rooms.method(
        "grey",
        GENERATE_PY,
        stages=["fit", "generate"],
        parameters={"n": {"default": 3, "about": "images"}},
    )
    return planner.stages()


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "lora").write_bytes(b"weights")
    return folder


def write(out, **changes):
    digest = sha256(b"weights").hexdigest()
    part = {"file": "lora", "sha256": digest, "sources": ["c00", "c01"]} | changes
    document = {"schema": "tonegap/lineage@1", "parts": {"lora-a": part}}
    (out / "model" / "lineage.json").write_text(json.dumps(document))


def test_a_part_with_its_file_and_sources_passes(stages, out):
    write(out)
    check_outputs(stages["fit"], out)
    assert read_parts(out / "model")["lora-a"].sources == ("c00", "c01")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file": "../lora"}, "not a path below model/"),
        ({"file": "gone"}, "there is no file 'gone'"),
        ({"sha256": "0" * 64}, "another sha256"),
        ({"sha256": "x"}, "sha256 'x' is none"),
        ({"sources": []}, "no sources"),
        ({"sources": ["c00", "zz"]}, "'zz', which is no training image"),
        ({"sources": ["c23"]}, "'c23', which is no training image"),
        ({"sources": "c00"}, "not a lineage"),
    ],
)
def test_a_part_that_is_not_as_it_says_is_refused(stages, out, changes, words):
    write(out, **changes)
    with pytest.raises(BadOutput, match=words):
        check_outputs(stages["fit"], out)


def test_another_schema_is_refused(out):
    (out / "model" / "lineage.json").write_text('{"schema": "x", "parts": {}}')
    with pytest.raises(BadOutput, match="found schema 'x'"):
        read_parts(out / "model")


@pytest.fixture
def made(out):
    """One image of a generate stage, made with the part `lora-a`."""
    from PIL import Image

    (out / "images").mkdir()
    Image.new("RGB", (9, 9)).save(out / "images" / "a.png")
    (out / "synthetic.csv").write_text(f"{HEADER}n0,a.png,folliculitis,VI,,,c02,lora-a\n")
    return out


PARTS = {"lora-a": LearnedPart("lora", "0" * 64, ("c00", "c02", "c01"))}


def test_ancestors_are_the_sources_and_those_of_the_models(stages, made):
    check_outputs(stages["generate"], made, PARTS)
    found = lineage_of(stages["generate"], made, PARTS)
    assert isinstance(found, SyntheticLineage)
    assert found.ancestors(0) == ("c00", "c01", "c02")


def test_a_model_that_fit_did_not_name_is_refused(stages, made):
    with pytest.raises(BadOutput, match="models names 'lora-a', which is no part"):
        check_outputs(stages["generate"], made, {})


def test_where_fit_names_no_part_an_image_descends_from_all_that_it_saw(stages, made):
    found = lineage_of(stages["generate"], made, {})
    assert set(found.ancestors(0)) == set(stages["fit"].view.train.ids)


def test_a_test_image_as_a_source_is_a_leak_and_not_just_a_mistake(stages, made):
    (made / "synthetic.csv").write_text(f"{HEADER}n0,a.png,folliculitis,VI,,,c23,\n")
    with pytest.raises(LeakFound, match="'c23', which is a test image"):
        check_outputs(stages["generate"], made)
