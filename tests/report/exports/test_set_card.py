"""Cards of synthetic sets: what a hub reads of them, and what a reader must be told."""

import dataclasses
import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.synthetic.quality.conftest import QualityRun
from tiny_rooms import Rooms

from tonegap.declared.report_settings import read_settings
from tonegap.formats.quality_sheet import Memory, Share
from tonegap.report.exports import set_card as cards
from tonegap.report.exports.set_card import set_facts
from tonegap.report.suite_report import publish_suite
from tonegap.results.quality import read_set_sheets
from tonegap.store.read import read_suites
from tonegap.store.source import ResultSource
from tonegap.synthetic.contents import DescribedPart

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run with one synthetic set and its plan; nobody changes it."""
    folder = tmp_path_factory.mktemp("set-card")
    rooms = Rooms(folder / "root")
    rooms.method("none")
    rooms.baseline("plain")
    quality = QualityRun(rooms, folder)
    return quality, quality()[0]


@pytest.fixture(scope="module")
def facts(ran):
    quality, _ = ran
    suites = read_suites(quality.store.folder)
    (made,) = read_set_sheets(quality.store.folder, suites)
    return set_facts(ResultSource(quality.rooms.root, quality.store.folder, suites), made)


def set_card(facts):
    return cards.set_card(facts, read_settings(ROOT))


def section(card, title):
    return card.split(f"## {title}\n\n")[1].split("\n\n## ")[0]


def with_data(facts, **changes):
    sheet = facts.made.sheet
    data = msgspec.structs.replace(sheet.set.data, **changes)
    set_id = msgspec.structs.replace(sheet.set, data=data)
    made = dataclasses.replace(facts.made, sheet=msgspec.structs.replace(sheet, set=set_id))
    return dataclasses.replace(facts, made=made)


def test_a_hub_reads_the_terms_of_the_data_set_in_the_front_matter(facts):
    front = yaml.safe_load(set_card(facts).split("---\n")[1])
    assert front["license"] == "other"
    assert front["license_name"] == "terms-of-clinic"
    assert front["license_details"] == "ask the clinic"
    assert front["task_categories"] == ["image-classification"]
    assert front["size_categories"] == ["n<1K"]
    assert front["pretty_name"] == "grey on clinic/two, seed 0"


def test_images_are_counted_by_class_and_tone(facts):
    lines = section(set_card(facts), "Composition").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    head, body, total = rows[0], rows[2:-1], rows[-1]
    assert head[0] == "Class"
    assert total[-1] == str(facts.made.sheet.set.n) == "3"
    shown = sum(int(n) for row in body for n in row[1:-1] if n != "·")
    assert shown == 3
    assert [int(row[-1]) for row in body] == [
        sum(int(n) for n in row[1:-1] if n != "·") for row in body
    ]


def test_the_training_partition_is_named_by_count_and_digest(facts):
    train = facts.record.partitions["train"]
    said = section(set_card(facts), "What it was made from")
    assert f"training partition: {train.n} images, `{train.sha256}`" in said
    assert "no validation or test image" in said


def test_learned_parts_and_images_of_unknown_origin_are_said(facts):
    contents = dataclasses.replace(
        facts.contents, n_sources=2, n_unknown=1, parts=(DescribedPart("lora", "a" * 64, 12),)
    )
    said = section(set_card(dataclasses.replace(facts, contents=contents)), "What it was made from")
    assert "2 real images are named as sources" in said
    assert "of 1 images nobody says what they were made from" in said
    assert f"learned part `lora`: trained on 12 real images, `{'a' * 64}`" in said


def test_prompts_are_shown_as_they_were_asked(facts):
    contents = dataclasses.replace(facts.contents, prompts=(("skin of <x-class>", 2), ("b", 1)))
    said = section(set_card(dataclasses.replace(facts, contents=contents)), "How it was made")
    assert "prompts: 2 different ones:\n  - `skin of <x-class>` (2 images)" in said
    assert "\nn = 3\n" in said


def test_near_copies_are_those_of_the_sheet(facts):
    sheet = facts.made.sheet
    memory = Memory(0.1, Share(0.25, 4), Share(0.5, 4), 1.0, 1.0, ())
    measured = msgspec.structs.replace(sheet.measured, memory=memory)
    made = dataclasses.replace(facts.made, sheet=msgspec.structs.replace(sheet, measured=measured))
    said = section(set_card(dataclasses.replace(facts, made=made)), "Near copies")
    assert said.startswith("25.0 % of the images lie as near")
    assert "of 50.0 % the nearest is one they were made from" in said


def test_without_features_near_copies_are_not_measured(facts):
    sheet = msgspec.structs.replace(facts.made.sheet, measured=None, no_features="no network")
    made = dataclasses.replace(facts.made, sheet=sheet)
    card = set_card(dataclasses.replace(facts, made=made))
    assert section(card, "Near copies") == "Not measured: no network."


def test_the_licence_is_inherited_and_real_photographs_are_marked(facts):
    card = set_card(facts)
    assert "Inherited from the data set `clinic`" in section(card, "Licence")
    assert ": ask the clinic." in section(card, "Licence")
    assert "**Made from images of the data set clinic: its terms decide" in card
    assert "**" not in set_card(with_data(facts, drawn=True))
    assert "**Made from synthetic phantoms" in set_card(with_data(facts, stand_in=True))


def test_what_it_must_not_be_used_for_is_said(facts):
    said = section(set_card(facts), "What it must not be used for")
    assert "Not for diagnosis" in said
    assert "Not as validation or test images" in said


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "tonegap run tiny --root clinic=DIR"),
        ({"drawn": True}, "tonegap run tiny"),
        ({"subset": 9}, "tonegap run tiny --subset 9 --root clinic=DIR"),
    ],
)
def test_the_command_that_makes_it_again_is_named(facts, changes, command):
    asked = with_data(facts, **changes)
    if "subset" in changes:
        asked = dataclasses.replace(asked, suite="tiny-subset-9")
    said = section(set_card(asked), "How to make it again")
    assert f"$ {command}\n" in said
    assert facts.made.sheet.set.stage in said


def test_what_is_gone_is_said_to_be_gone(facts):
    gone = dataclasses.replace(facts, contents=None, record=None, dataset=None, method=None)
    card = set_card(gone)
    assert "no longer in the store" in section(card, "Composition")
    assert "digest is unknown here" in section(card, "What it was made from")
    assert "unknown: the data set is not declared here" in section(card, "Licence")


def test_the_same_facts_give_the_same_text(facts):
    assert set_card(facts) == set_card(facts)


def test_a_report_holds_a_card_per_set_and_its_page_links_it(ran):
    quality, plan = ran
    report = publish_suite(quality.rooms.root, quality.store.folder, plan.matrix).parent
    (page,) = (report / "quality").glob("*.html")
    (link,) = re.findall(r'href="([^"]+README\.md)"', page.read_text())
    card = (page.parent / link).read_text()
    assert card.startswith("---\n")
    (back,) = re.findall(r"\[Quality sheet\]\(([^)]+)\)", card)
    assert (page.parent / link).parent.joinpath(back).resolve() == page.resolve()


def test_a_report_describes_its_task_for_other_tools_and_links_that(ran):
    quality, plan = ran
    page = publish_suite(quality.rooms.root, quality.store.folder, plan.matrix)
    (link,) = re.findall(r'href="(croissant/[^"]+)"', page.read_text())
    described = json.loads((page.parent / link).read_text())
    assert described["@type"].endswith("Dataset")


def test_another_licence_makes_the_report_anew(ran):
    quality, plan = ran
    report = publish_suite(quality.rooms.root, quality.store.folder, plan.matrix).parent
    path = quality.rooms.root / "benchmarks" / "clinic" / "dataset.toml"
    before = path.read_text()
    path.write_text(before.replace("ask the clinic", "nobody may"))
    publish_suite(quality.rooms.root, quality.store.folder, plan.matrix)
    path.write_text(before)
    (card,) = (report / "quality").glob("*/README.md")
    assert 'license_details: "nobody may"' in card.read_text()
