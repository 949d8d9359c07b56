"""Sheets as a run makes them: once per set, beside the entry, never in its way."""

import io
import shutil
from dataclasses import replace

import pytest
from PIL import Image
from tiny_rooms import GENERATE_PY

from tonegap.errors import BadSuiteFolder
from tonegap.run.explain import explain
from tonegap.run.sheet_maker import stage_set
from tonegap.run.sheets import missing_sheets


def test_a_run_leaves_a_sheet_of_its_synthetic_set(quality):
    plan, tally = quality()
    assert (tally.n_finished, tally.failures) == (1, ())
    sheet = quality.sheet(plan)
    assert (sheet.set.plugin, sheet.set.n, sheet.set.task, sheet.set.seed) == (
        "methods/grey", 3, "clinic/two", 0,
    )  # fmt: skip
    assert sheet.set.stage == plan.sheets[0].generate.key
    assert plan.matrix.sheets == {sheet.set.stage: sheet.key}
    assert sheet.no_features is None
    assert sheet.measured.n_features == 3


def test_the_sheet_says_which_features_and_whether_they_are_random(quality):
    plan, _ = quality()
    extractor = quality.sheet(plan).extractor
    assert (extractor.plugin, extractor.random) == ("extractors/means", True)
    assert extractor.parameters == {"image_size_px": 16}


@pytest.mark.parametrize("made_from", ["images", "text"])
def test_a_set_is_from_text_where_its_method_says_so_and_fits_nothing(quality, made_from):
    own = {"parameters": {"n": {"default": 3, "about": "images"}}, "made_from": made_from}
    quality.rooms.method("grey", GENERATE_PY, **own)
    plan, _ = quality()
    generate = plan.sheets[0].generate
    assert stage_set(quality.store, generate).listed.from_text == (made_from == "text")
    fitted = replace(generate, upstream=("0" * 64,))
    assert not stage_set(quality.store, fitted).listed.from_text


def test_grey_images_show_no_skin_whatever_tone_was_asked_for(quality):
    plan, _ = quality()
    table = quality.sheet(plan).tones
    assert (table.same_group.value, table.n_not_measurable, table.skin_share) == (None, 3, 0)
    assert sum(row[-1] for row in table.counts) == 3


def test_what_a_method_passed_over_is_in_the_sheet(quality):
    told = '\n(Path(sys.argv[5]) / \'notes.json\').write_text(\'{"skipped": {"no skin": 2, "odd": [1]}}\')\n'
    quality.rooms.method(
        "grey", GENERATE_PY + told, parameters={"n": {"default": 3, "about": "images"}}
    )
    plan, _ = quality()
    assert quality.sheet(plan).skipped == {"no skin": 2}


def test_only_training_images_are_compared_with(quality):
    """16 of 24 images are to train on, a quarter of them is carved for validation."""
    plan, _ = quality()
    sheet = quality.sheet(plan)
    train = set(plan.sheets[0].generate.view.train.ids)
    assert sheet.set.n_real == len(train) == 12
    assert {pair.real for pair in sheet.measured.memory.nearest} <= train
    assert sum(map(sum, sheet.real_tones.counts)) == sheet.real_looks.without_lesion.n == 12


def test_pictures_are_beside_the_sheet_under_their_digests(quality):
    plan, _ = quality()
    pictures = quality.sheet(plan).pictures
    assert [picture.file for picture in pictures] == ["contact.jpg", "nearest.jpg"]
    for picture in pictures:
        image = Image.open(io.BytesIO((quality.folder(plan) / picture.file).read_bytes()))
        assert image.format == "JPEG"
        assert image.width > 300


def test_the_same_again_makes_nothing(quality):
    plan, _ = quality()
    before = (quality.folder(plan) / "quality.json").stat().st_mtime_ns
    assert missing_sheets(quality.plan(), quality.store) == ()
    assert explain(quality.plan(), quality.store).misses == ()
    plan, tally = quality()
    assert tally.n_stages == 0
    assert (quality.folder(plan) / "quality.json").stat().st_mtime_ns == before


def test_the_same_set_gives_the_same_bytes(quality):
    plan, _ = quality()
    folder = quality.folder(plan)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    quality()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_plan_tells_of_a_features_stage_that_would_run(quality):
    titles = [miss.title for miss in explain(quality.plan(), quality.store).misses]
    assert titles[-1] == "grey + plain, clinic/two seed 0: extractors/means features"


def test_another_extractor_is_another_sheet_of_the_same_record(quality):
    before, _ = quality()
    quality.suite(quality={"extractor": "means", "parameters": {"image_size_px": 8}})
    after, tally = quality()
    assert before.sheets[0].key != after.sheets[0].key
    assert before.runs[0].id.key == after.runs[0].id.key
    assert (tally.n_finished, tally.n_cached) == (0, 1)


def test_without_an_extractor_the_sheet_has_tones_and_a_picture_and_says_so(quality):
    quality.suite(quality={"extractor": "means"})
    path = quality.rooms.root / "benchmarks/suites/tiny.toml"
    lines = [line for line in path.read_text().splitlines() if "means" not in line]
    path.write_text("\n".join(lines) + "\n")
    plan, tally = quality()
    sheet = quality.sheet(plan)
    assert tally.failures == ()
    assert (sheet.measured, sheet.extractor) == (None, None)
    assert sheet.no_features.startswith("no feature extractor was named")
    assert [picture.file for picture in sheet.pictures] == ["contact.jpg"]


def test_features_that_fail_fail_no_entry_and_are_tried_again(quality):
    quality.extractor("import sys\nsys.exit('no such weights')\n")
    plan, tally = quality()
    assert (tally.n_finished, tally.failures) == (1, ())
    sheet = quality.sheet(plan)
    assert sheet.measured is None
    assert sheet.no_features.startswith("features of extractors/means: method-error: exit code 1")
    assert "no such weights" in sheet.no_features
    assert len(missing_sheets(quality.plan(), quality.store)) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('f"{name}.npy", images', 'f"{name}.npy", images[1:]'), "found the shape [11, 3]"),
        (('astype(np.float32)', 'astype(np.float64)'), "wanted one float32 array"),
        (("images.mean(axis=(1, 2))", "np.nan * images.mean(axis=(1, 2))"), "no finite number"),
    ],
)  # fmt: skip
def test_wrong_features_are_refused_and_never_kept(quality, change, words):
    quality.extractor(quality.code.replace(*change))
    plan, tally = quality()
    assert tally.failures == ()
    assert words in quality.sheet(plan).no_features
    assert not quality.store.has_stage(plan.sheets[0].features.key)


def test_a_set_without_images_has_a_sheet_that_says_so(quality):
    entry = {"methods": ["grey"], "baselines": ["plain"], "method_parameters": {"n": 0}}
    quality.suite(entries=[entry])
    plan, tally = quality()
    sheet = quality.sheet(plan)
    assert tally.failures == ()
    assert (sheet.set.n, sheet.no_features, sheet.pictures) == (0, "the set has no images", ())
    assert missing_sheets(quality.plan(), quality.store) == ()


def test_a_failing_method_has_no_sheet(quality):
    quality.rooms.method(
        "grey", "import sys\nsys.exit(1)\n", parameters={"n": {"default": 3, "about": "i"}}
    )
    plan, tally = quality()
    assert len(tally.failures) == 1
    assert not quality.folder(plan).exists()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"extractor": "nobody"}, "no extractor 'nobody'; there are: means"),
        (
            {"extractor": "means", "parameters": {"size": 3}},
            "extractors/means has no parameter 'size'",
        ),
        ({"extractor": "means", "parameters": {"image_size_px": 2}}, "image_size_px: found 2"),
    ],
)
def test_an_extractor_that_is_asked_for_wrongly_is_told_before_anything_runs(quality, spec, words):
    quality.suite(quality=spec)
    with pytest.raises(BadSuiteFolder, match=words):
        quality.plan()
