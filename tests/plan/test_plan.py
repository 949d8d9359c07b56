"""Keys of stages and records: what changes them, and what must not."""

import shutil
from hashlib import sha256

import pytest
from PIL import Image

from tonegap.errors import BadData, BadRequest, BadSplit, BadSuiteFolder

STAGES = {"generate", "train", "record"}


def changed(before, after):
    """Names of what has another key now."""
    assert before.keys() == after.keys() == STAGES
    return {name for name in STAGES if before[name] != after[name]}


def member(planner, part):
    """The first id of a partition, and its row in the metadata."""
    view = planner.plan().runs[0].view
    image_id = view.partitions[part].ids[0]
    lines = (planner.download / "rows.csv").read_text().splitlines()
    return image_id, next(line for line in lines if line.startswith(image_id))


def repaint(planner, image_id):
    Image.new("RGB", (40, 32), (10, 20, 30)).save(planner.download / f"{image_id}.png")


def other_label(row):
    one, other = "folliculitis", "basal cell carcinoma"
    return row.replace(one, other) if one in row else row.replace(other, one)


def other_tone(row):
    return row.replace(",VI,", ",I,") if ",VI," in row else row.replace(",I,", ",VI,")


def test_the_same_request_has_the_same_keys(planner):
    assert changed(planner.keys(), planner.keys()) == set()


def test_a_copy_of_the_download_elsewhere_has_the_same_keys(planner, tmp_path):
    before = planner.keys()
    planner.download = shutil.copytree(planner.download, tmp_path / "elsewhere")
    assert changed(before, planner.keys()) == set()


def test_a_changed_baseline_leaves_the_methods_stages_alone(planner):
    before = planner.keys()
    planner.rooms.baseline("plain", "print('changed')\n")
    assert changed(before, planner.keys()) == {"train", "record"}


def test_which_images_belong_together_is_said_by_the_record_and_no_stage(planner):
    before = planner.keys()
    where = planner.rooms.root / "benchmarks/clinic/dataset.toml"
    text = where.read_text()
    where.write_text(text.replace("\n[columns]", 'groups = ["label"]\n\n[columns]', 1))
    leak = planner.plan().runs[0].view.leaks.groups["label"]
    assert leak.n_test_images
    # Images of one group with a held-out one are withheld from methods, here all of them of a label.
    assert "record" in changed(before, planner.keys())


def test_a_changed_method_changes_everything_behind_it(planner):
    before = planner.keys()
    planner.rooms.write("methods/grey/prompts.txt", "new words\n")
    assert changed(before, planner.keys()) == STAGES


def test_caches_of_python_in_a_plug_in_change_nothing(planner):
    before = planner.keys()
    planner.rooms.write("baselines/plain/__pycache__/train.cpython-311.pyc", b"\0")
    assert changed(before, planner.keys()) == set()


def test_a_changed_kit_changes_everything(planner):
    before = planner.stages()["train"].ingredients
    shutil.copytree(planner.rooms.root, planner.rooms.root.with_name("other"))
    planner.rooms.root = planner.rooms.root.with_name("other")  # digests of a kit are kept by path
    planner.rooms.write("docker/kit/more.py", "")
    after = planner.stages()["train"].ingredients
    assert {name for name in before if before[name] != after[name]} == {"environment", "upstream"}


def test_a_parameter_changes_the_key_and_its_default_spelt_out_does_not(planner):
    before = planner.keys()
    planner.suite(parameters={"methods/grey": {"n": 3}})
    assert changed(before, planner.keys()) == set()
    planner.suite(parameters={"methods/grey": {"n": 2}})
    assert changed(before, planner.keys()) == STAGES


def test_an_entrys_own_parameter_wins_over_the_suites(planner):
    entry = {"methods": ["grey"], "baselines": ["plain"], "method_parameters": {"n": 5}}
    planner.suite(entries=[entry], parameters={"methods": {"n": 1}, "methods/grey": {"n": 2}})
    assert planner.stages()["generate"].parameters == {"n": 5}


def test_another_seed_is_another_key(planner):
    before = planner.keys()
    planner.suite(seeds=[1])
    assert changed(before, planner.keys()) == STAGES


def test_the_suites_words_and_limits_change_nothing(planner):
    before = planner.keys()
    limits = {"timeout_s": 7, "memory_mib": 99, "output_mib": 9}
    planner.suite(title="Another title", about="Other words", limits=limits)
    assert changed(before, planner.keys()) == set()


def test_a_variant_is_another_record_of_the_same_stages(planner):
    before = planner.keys()
    planner.suite(entries=[{"methods": ["grey"], "baselines": ["plain"], "variant": "b"}])
    assert changed(before, planner.keys()) == {"record"}


def test_a_training_image_changes_everything(planner):
    before = planner.keys()
    repaint(planner, member(planner, "train")[0])
    assert changed(before, planner.keys()) == STAGES


@pytest.mark.parametrize("change", [other_label, other_tone])
def test_a_label_or_tone_of_a_training_image_changes_everything(planner, change):
    before = planner.keys()
    row = member(planner, "train")[1]
    planner.edit(row, change(row))
    assert changed(before, planner.keys()) == STAGES


@pytest.mark.parametrize("part", ["validation", "test"])
def test_an_image_that_a_method_never_sees_leaves_its_stages_alone(planner, part):
    before = planner.keys()
    repaint(planner, member(planner, part)[0])
    assert changed(before, planner.keys()) == {"train", "record"}


@pytest.mark.parametrize("change", [other_label, other_tone])
def test_a_label_or_tone_of_a_test_image_changes_the_record_alone(planner, change):
    before = planner.keys()
    row = member(planner, "test")[1]
    planner.edit(row, change(row))
    assert changed(before, planner.keys()) == {"record"}


def test_the_tone_of_a_test_image_changes_the_stage_that_is_told_it(planner):
    planner.rooms.baseline("told", needs=["tone_at_test"])
    planner.suite(baseline="told")
    before = planner.keys()
    row = member(planner, "test")[1]
    planner.edit(row, other_tone(row))
    assert changed(before, planner.keys()) == {"train", "record"}


def test_the_tasks_scoring_rules_change_the_record_alone(planner):
    before = planner.keys()
    path = planner.rooms.root / "benchmarks/clinic/tasks/two.toml"
    planner.rooms.write(
        path.relative_to(planner.rooms.root).as_posix(),
        path.read_text().replace("min_support = 1", "min_support = 2"),
    )
    assert changed(before, planner.keys()) == {"record"}


def test_a_method_without_stages_still_marks_its_record_as_a_control(planner):
    planner.suite(method="none")
    plan = planner.plan()
    planner.rooms.method("none", control=True)
    again = planner.plan()
    assert not plan.runs[0].id.control
    assert again.runs[0].id.control
    assert plan.runs[0].id.key != again.runs[0].id.key
    assert plan.stages.keys() == again.stages.keys()


def test_a_stage_that_two_entries_share_is_planned_once(planner):
    planner.rooms.baseline("other")
    planner.suite(entries=[{"methods": ["grey"], "baselines": ["plain", "other"]}])
    plan = planner.plan()
    assert [stage.stage for stage in plan.stages.values()] == ["generate", "train", "train"]
    assert len(plan.runs) == 2


class TestGivenFiles:
    @pytest.fixture
    def weights(self, planner, tmp_path):
        default = {"default": "none", "about": "weights", "kind": "file"}
        planner.rooms.baseline("plain", parameters={"weights": default, "more": default})
        path = tmp_path / "weights.bin"
        path.write_bytes(b"1234")
        return path

    def give(self, planner, path, **more):
        values = {"weights": f"{path}#sha256={sha256(path.read_bytes()).hexdigest()}", **more}
        planner.suite(parameters={"baselines/plain": values})

    def test_its_place_on_the_host_changes_nothing(self, planner, weights, tmp_path):
        self.give(planner, weights)
        before = planner.keys()
        (tmp_path / "sub").mkdir()
        self.give(planner, weights.rename(tmp_path / "sub" / "weights.bin"))
        assert changed(before, planner.keys()) == set()

    def test_other_content_changes_the_key(self, planner, weights):
        self.give(planner, weights)
        before = planner.keys()
        weights.write_bytes(b"4321")
        self.give(planner, weights)
        assert changed(before, planner.keys()) == {"train", "record"}

    def test_no_path_of_the_host_is_told(self, planner, weights):
        self.give(planner, weights)
        told = planner.stages()["train"].parameters["weights"]
        assert told == f"weights.bin#sha256={sha256(b'1234').hexdigest()}"

    def test_a_file_that_changed_since_is_refused(self, planner, weights):
        self.give(planner, weights)
        weights.write_bytes(b"9999")
        with pytest.raises(BadSuiteFolder, match="another file than the one asked for"):
            planner.plan()

    def test_two_files_of_one_name_are_refused(self, planner, weights, tmp_path):
        (tmp_path / "sub").mkdir()
        other = tmp_path / "sub" / "weights.bin"
        other.write_bytes(b"5678")
        digest = sha256(b"5678").hexdigest()
        self.give(planner, weights, more=f"{other}#sha256={digest}")
        with pytest.raises(BadSuiteFolder, match=r"named weights.bin is given as \w+ already"):
            planner.plan()


class TestRefusals:
    def refused(self, planner, words, error=BadSuiteFolder):
        with pytest.raises(error, match=words):
            planner.plan()

    def test_an_entry_declared_twice(self, planner):
        planner.suite(entries=[{"methods": ["grey", "grey"], "baselines": ["plain"]}])
        self.refused(
            planner, r"entry grey \+ plain is declared twice; give one of them a `variant`"
        )

    def test_an_unknown_parameter(self, planner):
        entry = {"methods": ["grey"], "baselines": ["plain"], "method_parameters": {"m": 1}}
        planner.suite(entries=[entry])
        self.refused(planner, "methods/grey has no parameter 'm'; it has: n")

    @pytest.mark.parametrize("label", ["methods", "methods/grey"])
    def test_a_parameter_that_reaches_no_plug_in(self, planner, label):
        planner.suite(parameters={label: {"m": 1}})
        self.refused(planner, f"parameters.{label}: no plug-in of this suite has a parameter 'm'")

    def test_parameters_of_a_plug_in_that_the_suite_has_not(self, planner):
        planner.suite(parameters={"baselines/absent": {"m": 1}})
        self.refused(planner, "'baselines/absent' is no plug-in of this suite .*there are: base")

    @pytest.mark.parametrize("value", ["three", 3.5, True, [3]])
    def test_a_parameter_of_another_type(self, planner, value):
        planner.suite(parameters={"methods/grey": {"n": value}})
        self.refused(planner, "wanted a value like 3")

    def test_a_real_parameter_that_is_no_number(self, planner):
        planner.rooms.baseline("plain", parameters={"lr": {"default": 0.1, "about": "rate"}})
        planner.suite(parameters={"baselines": {"lr": 1.5}})
        planner.plan()
        path = planner.rooms.root / "benchmarks/suites/tiny.toml"
        path.write_text(path.read_text().replace("1.5", "nan"))
        self.refused(planner, "found nan, wanted a finite number")

    @pytest.mark.parametrize("size_px", [0, -1, 5000, 224.5])
    def test_an_image_size_that_is_none(self, planner, size_px):
        spec = {"default": size_px, "about": "side"}
        planner.rooms.baseline("plain", parameters={"image_size_px": spec})
        self.refused(planner, "image_size_px: found .*, wanted 8 to 4096")

    def test_an_unknown_geometry(self, planner):
        spec = {"default": "squeeze", "about": "how images become square"}
        planner.rooms.baseline("plain", parameters={"geometry": spec})
        self.refused(planner, "geometry: found 'squeeze', wanted crop, stretch, frame")

    def test_missing_images_unless_they_are_allowed(self, planner):
        image_id, _row = member(planner, "test")
        (planner.download / f"{image_id}.png").unlink()
        self.refused(planner, rf"1 images .*1 test; first: {image_id}\)", BadData)
        cell = planner.plan(allow_missing=True).runs[0]
        assert cell.view.data.missing == {"test": 1}
        assert image_id not in cell.view.test.ids

    def test_a_partition_without_any_image_even_if_missing_ones_are_allowed(self, planner):
        for image_id in planner.plan().runs[0].view.test.ids:
            (planner.download / f"{image_id}.png").unlink()
        with pytest.raises(BadData, match="as long as no partition is empty"):
            planner.plan(allow_missing=True)

    def test_a_scored_tone_without_a_test_image_even_if_missing_ones_are_allowed(self, planner):
        test = planner.plan().runs[0].view.test
        light = [i for i, tone in zip(test.ids, test.tones, strict=True) if tone == "I"]
        for image_id in light:
            (planner.download / f"{image_id}.png").unlink()
        words = rf"clinic/two without its {len(light)} missing images: nothing could be ranked .*: I has 0 images"
        with pytest.raises(BadSplit, match=words):
            planner.plan(allow_missing=True)

    def test_a_data_set_without_a_root_and_how_to_get_it(self, planner):
        planner.roots = {}
        words = "pass --root clinic=DIR. How to get it: walk in. Licence: ask the clinic"
        self.refused(planner, words, BadRequest)


class TestNotApplicable:
    @pytest.mark.parametrize(
        ("need", "why"),
        [("gpu", "needs a GPU; this run uses the CPU"), ("masks", "needs lesion masks")],
    )
    def test_an_entry_that_cannot_be_asked_is_a_declared_hole(self, planner, need, why):
        planner.rooms.baseline("picky", needs=[need])
        planner.suite(entries=[{"methods": ["none"], "baselines": ["plain", "picky"]}])
        holes = [cell.id.not_applicable for cell in planner.plan().runs]
        assert holes[0] is None
        assert why in holes[1]

    def test_a_need_for_tones_where_no_training_image_has_one(self, planner):
        planner.rooms.baseline("picky", needs=["tone_in_training"])
        planner.suite(baseline="picky")
        assert planner.plan().runs[0].id.not_applicable is None
        path = planner.download / "rows.csv"
        lines = path.read_text().splitlines()
        blank = [
            lines[0],
            *(
                line.replace(",VI,pool", ",,pool").replace(",I,pool", ",,pool")
                for line in lines[1:]
            ),
        ]
        path.write_text("\n".join(blank) + "\n")
        task = planner.rooms.root / "benchmarks/clinic/tasks/two.toml"
        task.write_text(
            task.read_text().replace('axis = "tone"', 'axis = "tone"\nkeep_unknown = true')
        )
        assert "no training image has one" in planner.plan().runs[0].id.not_applicable

    def test_a_need_for_skin_types_where_tones_are_of_the_monk_scale(self, planner):
        planner.rooms.baseline("picky", needs=["skin_types"])
        planner.suite(method="none", baseline="picky")
        assert planner.plan().runs[0].id.not_applicable is None
        for path in ("benchmarks/clinic/dataset.toml", "benchmarks/clinic/tasks/two.toml"):
            text = (planner.rooms.root / path).read_text()
            text = text.replace('column = "tone"', 'column = "tone"\nscale = "monk"')
            planner.rooms.write(path, text.replace('["I", "VI"]', '["M2", "M9"]'))
        rows = planner.download / "rows.csv"
        rows.write_text(rows.read_text().replace(",VI,", ",9,").replace(",I,", ",2,"))
        assert planner.plan().runs[0].id.not_applicable == (
            "baselines/picky needs tones of the Fitzpatrick scale; this task's are "
            "M1, M2, M3, M4, M5, M6, M7, M8, M9, M10"
        )

    def test_targets_none_of_which_is_a_tone_of_the_task(self, planner):
        spec = {"default": ["V-VI", "M9"], "about": "the tones to fill"}
        planner.rooms.method("fills", parameters={"targets": spec})
        planner.suite(method="fills")
        assert planner.plan().runs[0].id.not_applicable == (
            "methods/fills: targets are V-VI, M9, wanted some of this task's tones: I, II, III, IV, V, VI"
        )
        entry = {"methods": ["fills"], "baselines": ["plain"]}
        planner.suite(entries=[entry | {"method_parameters": {"targets": ["M9", "VI"]}}])
        assert planner.plan().runs[0].id.not_applicable is None

    def test_a_required_parameter_that_is_not_given(self, planner):
        how = {"default": "drawn", "about": "how", "choices": ["drawn", "painted"]}
        brush = {"default": "none", "about": "what paints", "required": {"how": "painted"}}
        planner.rooms.method("paints", parameters={"how": how, "brush": brush})
        entry = {"methods": ["paints"], "baselines": ["plain"]}

        def hole(**given):
            planner.suite(entries=[entry | {"method_parameters": given}])
            return planner.plan().runs[0].id.not_applicable

        assert hole() is None
        assert hole(how="painted") == (
            "methods/paints needs the parameter brush, which is none: what paints "
            "(--set methods/paints.brush=…)"
        )
        assert hole(how="painted", brush="fine") is None
        planner.rooms.method("paints", parameters={"brush": brush | {"required": True}})
        assert "needs the parameter brush" in hole()
        planner.rooms.method("paints", parameters={"brush": brush})
        with pytest.raises(BadSuiteFolder, match="brush: required: 'how' is no parameter"):
            hole()


class TestHeldOutPatients:
    @pytest.fixture
    def grouped(self, planner):
        """The labels are patients here, so that each is on both sides."""
        path = planner.rooms.root / "benchmarks/clinic/dataset.toml"
        path.write_text(path.read_text().replace("[columns]", 'groups = ["label"]\n\n[columns]', 1))
        return planner

    def test_a_method_that_would_see_no_training_image_is_not_asked(self, grouped):
        cell = grouped.plan().runs[0]
        n = len(cell.view.train.ids)
        assert cell.id.not_applicable == (
            f"methods/grey has nothing to learn from: all {n} training images are copies of held-out ones or of their "
            f"patients (same label {n}); split by group, or let methods see them ([leaks] in the task)"
        )

    def test_a_copy_of_a_held_out_patient_is_shown_where_both_rules_allow_it(self, grouped):
        copy, _ = member(grouped, "train")
        shown, _ = member(grouped, "test")
        (grouped.download / f"{copy}.png").write_bytes(
            (grouped.download / f"{shown}.png").read_bytes()
        )
        task = grouped.rooms.root / "benchmarks/clinic/tasks/two.toml"
        text = task.read_text()
        for rules, seen in (("duplicates", False), ("groups", False), ("both", True)):
            names = ("duplicates", "groups") if rules == "both" else (rules,)
            leaks = "".join(f"methods_see_{name} = true\n" for name in names)
            task.write_text(f"{text}\n[leaks]\n{leaks}")
            view = grouped.plan().runs[0].view
            assert (copy in view.method_ids) is seen, rules

    def test_what_crosses_is_counted_among_images_that_are_there(self, grouped):
        gone = grouped.plan().runs[0].view.test.ids[:3]
        for image_id in gone:
            (grouped.download / f"{image_id}.png").unlink()
        view = grouped.plan(allow_missing=True).runs[0].view
        leak, n_test = view.leaks.groups["label"], len(view.test.ids)
        assert (leak.n_test_images, leak.n_used) == (
            n_test,
            sum(len(rows.ids) for rows in view.partitions.values()),
        )
        assert view.lines[0] == "without 3 images that are missing or unreadable: 3 test"


def test_an_entry_is_planned_for_the_tasks_that_it_names(planner):
    two = planner.rooms.root / "benchmarks/clinic/tasks/two.toml"
    two.with_name("more.toml").write_text(two.read_text())
    rows = [
        {"methods": ["none"], "baselines": ["plain"]},
        {"methods": ["grey"], "baselines": ["plain"], "tasks": ["clinic/more"]},
    ]
    planner.rooms.method("none")
    planner.rooms.suite(tasks=["clinic/two", "clinic/more"], entries=rows)
    cells = [(cell.id.entry.method, cell.id.task) for cell in planner.plan().runs]
    assert cells == [
        ("none", "clinic/two"),
        ("none", "clinic/more"),
        ("grey", "clinic/more"),
    ]
    rows[1]["tasks"] = ["clinic/other"]
    planner.rooms.suite(tasks=["clinic/two", "clinic/more"], entries=rows)
    with pytest.raises(BadSuiteFolder, match="'clinic/other' is none of the suite's tasks"):
        planner.plan()
