"""Whatever is wrong with a request: one clear sentence, exit code 2, nothing lost.

Each case spoils a good place (a suite that has run on a small download) in one way and returns the
words of a command line; the sentence must hold the words that the case is declared with.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tiny_rooms import Rooms, bomb_png, rooms, tonegap

from tonegap.cli.main import main

__all__ = ["rooms", "tonegap"]

PREDICTIONS = """\
image_id,p_basal cell carcinoma,p_folliculitis
a,0.9,0.1
b,0.2,0.8
c,0.6,0.4
d,0.3,0.7
"""
TRUTH = """\
image_id,label,tone
a,basal cell carcinoma,1
b,folliculitis,1
c,basal cell carcinoma,6
d,folliculitis,6
"""


class Place:
    """A suite root with a finished run, a download, and a predictions file with its truth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rooms = Rooms.__new__(Rooms)  # as it lies on disk: nothing is written anew
        self.rooms.root = folder / "root"
        self.store = folder / "root" / "runs"
        self.download = folder / "download"
        self.predictions = folder / "predictions.csv"
        self.truth = folder / "truth.csv"

    def score(self, *words: object) -> list[object]:
        return ["score", self.predictions, "--truth", self.truth, *words]

    def run(self, *words: object, suite: str = "tiny") -> list[object]:
        return ["run", suite, *self.where, "--root", self.download, "--jobs", 1, *words]

    def plan(self, *words: object) -> list[object]:
        return ["plan", "tiny", *self.where, "--root", self.download, *words]

    def split(self, *words: object) -> list[object]:
        return ["split", "clinic/two", *self.where, "--root", self.download, *words]

    @property
    def where(self) -> tuple[object, object]:
        return ("--suite-root", self.rooms.root)

    def suite(self, **fields: object) -> None:
        self.rooms.suite(**{"tasks": ["clinic/two"], **fields})

    def edit(self, path: Path | str, old: str, new: str) -> None:
        target = self.folder / path
        text = target.read_text()
        assert old in text
        target.write_text(text.replace(old, new))

    def results(self) -> dict[str, bytes]:
        """Every finished result of the store, by name."""
        kept = [*self.store.glob("records/*"), *self.store.glob("stages/*/*/*")]
        return {path.relative_to(self.store).as_posix(): path.read_bytes() for path in kept}


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    rooms = Rooms(folder / "root")
    rooms.method("none")
    rooms.baseline("plain", parameters={"epochs": {"default": 2, "about": "passes"}})
    rooms.clinic(folder / "download")
    rooms.drawn()
    rooms.suite(tasks=["clinic/two"])
    (folder / "predictions.csv").write_text(PREDICTIONS)
    (folder / "truth.csv").write_text(TRUTH)
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in Place(folder).run()])
    assert ended.value.code == 0
    return folder


@pytest.fixture
def place(good: Path, tmp_path: Path) -> Place:
    shutil.copytree(good, tmp_path / "place")
    return Place(tmp_path / "place")


Spoil = Callable[[Place], list[object]]
CASES: list[tuple[str, Spoil, str]] = []


def case(words: str) -> Callable[[Spoil], Spoil]:
    """Declares a case: how to spoil the place, and words (a pattern) of the one sentence."""

    def declare(spoil: Spoil) -> Spoil:
        CASES.append((spoil.__name__, spoil, words))
        return spoil

    return declare


# --- predictions and truth of anybody


@case(r"predictions.csv: has no column image_id .*wanted image_id, p_<class>")
def wrong_columns(place):
    place.edit("predictions.csv", "image_id", "id")
    return place.score()


@case(r"unknown columns \(1: p-folliculitis\)")
def a_misspelt_class_column(place):
    place.edit("predictions.csv", "p_folliculitis", "p-folliculitis")
    return place.score()


@case("images with more than one row in an epoch .*: b")
def duplicate_ids(place):
    place.edit("predictions.csv", "c,0.6,0.4", "b,0.6,0.4")
    place.edit("truth.csv", "c,basal cell carcinoma,6\n", "")
    return place.score()


@case("truth.csv: images with more than one row .*: a")
def duplicate_ids_in_the_truth(place):
    place.truth.write_text(TRUTH + "a,folliculitis,1\n")
    return place.score()


@case("cells of p_folliculitis that are no numbers|empty or NaN probability")
def nan(place):
    place.edit("predictions.csv", "b,0.2,0.8", "b,0.2,NaN")
    return place.score()


@case("do not sum to 1 within 0.0001 .*b sums to 1.1")
def probabilities_that_do_not_sum_to_1(place):
    place.edit("predictions.csv", "b,0.2,0.8", "b,0.2,0.9")
    return place.score()


@case(r"outside \[0, 1\] \(1: b\)")
def a_logit_for_a_probability(place):
    place.edit("predictions.csv", "b,0.2,0.8", "b,-1.2,2.2")
    return place.score()


@case("cells that are no skin tone .*0 in row 1, a.*an empty cell where it is unknown")
def unknown_tone_as_0(place):
    place.edit("truth.csv", "a,basal cell carcinoma,1", "a,basal cell carcinoma,0")
    return place.score()


@case("cells that are no skin tone .*-1 in row 1")
def unknown_tone_as_minus_1(place):
    place.edit("truth.csv", "a,basal cell carcinoma,1", "a,basal cell carcinoma,-1")
    return place.score()


@case("mixes skin types .* and tone groups")
def types_and_groups_in_one_truth(place):
    place.edit("truth.csv", "d,folliculitis,6", "d,folliculitis,V-VI")
    return place.score()


@case("images without a prediction .*: d")
def an_image_without_a_row(place):
    place.edit("predictions.csv", "d,0.3,0.7\n", "")
    return place.score()


@case("labels without a p_… column .*: psoriasis")
def predictions_of_another_task(place):
    place.edit("truth.csv", "folliculitis", "psoriasis")
    return place.score()


@case("predictions.csv: is empty; wanted a CSV with a header, or Parquet")
def an_empty_file(place):
    place.predictions.write_text("")
    return place.score()


@case("predictions.csv: is not UTF-8 text")
def another_encoding(place):
    text = PREDICTIONS.replace("a,0.9", "é,0.9")
    place.predictions.write_bytes(text.encode("latin-1"))
    return place.score()


@case("predictions.csv: ")
def an_html_page_for_a_csv(place):
    place.predictions.write_text("<!doctype html>\n<html><body>404</body></html>\n")
    return place.score()


@case("columns are separated by semicolons; wanted commas")
def a_spreadsheet_with_semicolons(place):
    place.predictions.write_text(PREDICTIONS.replace(",", ";"))
    return place.score()


@case("lines without the header's 3 cells .*line 3 has 2")
def a_ragged_row(place):
    place.edit("predictions.csv", "b,0.2,0.8", "b,0.2")
    return place.score()


@case("is a damaged Parquet file")
def a_parquet_file_that_was_cut_off(place):
    place.predictions.write_bytes(b"PAR1" + bytes(100))
    return place.score()


@case("absent.csv: cannot be read .No such file or directory")
def a_file_that_is_not_there(place):
    place.predictions = place.folder / "absent.csv"
    return place.score()


@case("--epoch 3: the predictions have no column epoch")
def an_epoch_that_is_not_there(place):
    return place.score("--epoch", 3)


# --- data of the user


@case(r"rows.csv: .*c01")
def an_id_twice_in_the_metadata(place):
    place.edit("download/rows.csv", "c02,", "c01,")
    return place.split()


@case(r"rows.csv: .*(0|tone)")
def a_tone_of_0_in_the_metadata(place):
    place.edit("download/rows.csv", "c01,folliculitis,I,", "c01,folliculitis,0,")
    return place.split()


@case("no rows.csv here or below, so no Photographs of a clinic")
def metadata_that_is_not_there(place):
    (place.download / "rows.csv").unlink()
    return place.run()


@case(r"2 images that clinic/two needs are missing or unreadable .*first: c00, c05")
def missing_images(place):
    for name in ("c00", "c05"):
        (place.download / f"{name}.png").unlink()
    return place.run()


@case(r"1 images that clinic/two needs are missing or unreadable .*first: c03")
def an_image_that_is_an_html_page(place):
    (place.download / "c03.png").write_text("<html>403 Forbidden</html>")
    return place.run()


@case(r"1 images that clinic/two needs are missing or unreadable .*first: c03")
def an_image_that_was_cut_off(place):
    content = (place.download / "c03.png").read_bytes()
    (place.download / "c03.png").write_bytes(content[: len(content) // 2])
    return place.run()


@case(r"1 images that clinic/two needs are missing or unreadable .*first: c03")
def a_bomb_of_pixels(place):
    (place.download / "c03.png").write_bytes(bomb_png(50_000))
    return place.run()


@case("pass --root clinic=DIR.*walk in.*ask the clinic")
def a_data_set_without_a_root(place):
    return ["run", "tiny", *place.where]


@case(r"--root ddi=.*the suite has no task on 'ddi'; it asks for clinic")
def a_root_for_another_data_set(place):
    return ["run", "tiny", *place.where, "--root", f"ddi={place.download}"]


@case(r"--root .*rows.csv: .*rows.csv is no folder")
def a_root_that_is_a_file(place):
    return ["run", "tiny", *place.where, "--root", place.download / "rows.csv"]


# --- splits


def pin(place):
    """Makes the task's split depend on the seed, and pins seed 0."""
    place.edit(
        "root/benchmarks/clinic/tasks/two.toml", 'rule = "value-holdout"', 'rule = "random-holdout"'
    )
    place.edit(
        "root/benchmarks/clinic/tasks/two.toml",
        'column = "half"\ntrain = ["pool"]\ntest = ["probe"]',
        "test_fraction = 0.5",
    )
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in place.split("--seed", 0, "--pin")])
    assert ended.value.code == 0


@case("no pin for seed 5; pinned are 0")
def a_seed_without_a_pin(place):
    pin(place)
    return place.split("--seed", 5)


@case(r"(c\d\d \w+ -> \w+)|other rows than clinic/two")
def a_row_of_the_metadata_that_moved(place):
    pin(place)
    path = place.download / "rows.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows[1:], rows[0]]) + "\n")
    return place.split("--seed", 0)


@case("the metadata has other rows than clinic/two, seed 0, is pinned for .found 23 ids, wanted 24")
def a_row_that_is_gone(place):
    pin(place)
    lines = (place.download / "rows.csv").read_text().splitlines()
    (place.download / "rows.csv").write_text("\n".join(lines[:-1]) + "\n")
    return place.split("--seed", 0)


@case("no task 'clinic/three'.*; there are: clinic/two")
def an_unknown_task(place):
    return ["split", "clinic/three", *place.where, "--root", place.download]


# --- suites and plug-ins


@case("no suite 'tinny' .did you mean 'tiny'.*; there are: tiny")
def an_unknown_suite(place):
    return place.run(suite="tinny")


@case("no task 'clinic/other'.*; there are: clinic/two")
def a_suite_with_an_unknown_task(place):
    place.suite(tasks=["clinic/other"])
    return place.run()


@case("methods: no method 'absent'; there are: none")
def an_unknown_method(place):
    return place.run("--method", "absent")


@case("baselines/plain has no parameter 'epoch' .did you mean 'epochs'.*; it has: epochs")
def an_unknown_parameter(place):
    entry = {"methods": ["none"], "baselines": ["plain"], "baseline_parameters": {"epoch": 3}}
    place.suite(entries=[entry])
    return place.plan()


@case("parameters.baselines: no plug-in of this suite has a parameter 'epoch'")
def a_parameter_that_reaches_nobody(place):
    place.suite(parameters={"baselines": {"epoch": 3}})
    return place.plan()


@case("baselines/plain epochs: found 'three', wanted a value like 2")
def a_parameter_of_another_type(place):
    place.suite(parameters={"baselines": {"epochs": "three"}})
    return place.plan()


@case(
    "tiny.toml: unknown key `seed`; known keys are .*seeds|unknown key `seed`|missing key `seeds`"
)
def a_misspelt_key(place):
    place.edit("root/benchmarks/suites/tiny.toml", '"seeds"', '"seed"')
    return place.plan()


@case("--set baselines.epochs=1e999: found inf, wanted a finite number")
def an_infinite_parameter(place):
    return place.plan("--set", "baselines.epochs=1e999")


@case("--set baselines.epochs=.1.5, nan.: found nan, wanted a finite number")
def a_list_with_nan(place):
    return place.plan("--set", "baselines.epochs=[1.5, nan]")


@case(r"tiny.toml: parameters.baselines: epochs: found -inf, wanted a finite number")
def an_infinite_parameter_of_a_suite(place):
    place.suite(parameters={"baselines": {"epochs": "HERE"}})
    place.edit("root/benchmarks/suites/tiny.toml", '"HERE"', "-inf")
    return place.plan("--baseline", "plain")


@case(r"tiny.toml: entries\[0\].baseline_parameters: epochs: found nan, wanted a finite number")
def nan_in_an_entry(place):
    entry = {"methods": ["none"], "baselines": ["plain"], "baseline_parameters": {"epochs": "HERE"}}
    place.suite(entries=[entry])
    place.edit("root/benchmarks/suites/tiny.toml", '"HERE"', "nan")
    return place.plan("--set", "baselines.epochs=3")


@case("baselines.epochs=1(0{400}): found a whole number of more than 308 digits")
def a_number_beyond_all_floats(place):
    return place.plan("--set", f"baselines.epochs=1{'0' * 400}")


@case("method.toml: unknown key `stage`")
def a_misspelt_key_of_a_plug_in(place):
    place.edit("root/methods/none/method.toml", '"stages"', '"stage"')
    return place.plan()


@case("tiny.toml: not valid TOML: .*line 1")
def a_file_that_is_no_toml(place):
    path = place.rooms.root / "benchmarks/suites/tiny.toml"
    path.write_text("title = Tiny\n" + path.read_text())
    return place.plan()


@case("tiny.toml: entries: empty; a suite needs at least one")
def a_suite_without_entries(place):
    place.suite(entries=[])
    return place.plan()


@case(r"entries\[0\].methods: empty")
def an_entry_without_a_method(place):
    place.suite(entries=[{"methods": [], "baselines": ["plain"]}])
    return place.plan()


@case(r"entry none \+ plain is declared twice; give one of them a `variant`")
def an_entry_twice(place):
    place.suite(entries=2 * [{"methods": ["none"], "baselines": ["plain"]}])
    return place.plan()


@case("seeds: a value is listed twice")
def a_seed_twice(place):
    place.suite(seeds=[0, 0])
    return place.plan()


@case("seeds: a seed is not between 0 and 4294967295")
def a_negative_seed(place):
    place.suite(seeds=[-1])
    return place.plan()


@case("timeout_s: found 0, wanted 1 or more")
def a_limit_of_nothing(place):
    place.suite(limits={"timeout_s": 0})
    return place.plan()


@case("leaderboard.toml: no such file")
def a_suite_root_without_settings_of_a_report(place):
    (place.rooms.root / "reports" / "leaderboard.toml").unlink()
    place.suite(seeds=[3])
    return place.run()


@case("not a suite root; wanted a folder whose pyproject.toml has .tool.tonegap.")
def a_folder_that_is_no_suite_root(place):
    return ["list", "methods", "--suite-root", place.download]


@case("--engine: found 'podmann', wanted one of local")
def an_unknown_engine(place):
    return place.run("--engine", "podmann")


@case("--gpus: found 'first', wanted indices like 0,1, names like GPU-… or MIG-…, or all")
def gpus_that_are_no_names(place):
    return place.run("--device", "cuda", "--gpus", "first")


@case(
    "--gpus-per-stage 2: found 0 GPUs by --device cpu --gpus 0, wanted --device cuda and 2 or more"
)
def several_gpus_on_the_cpu(place):
    return place.run("--gpus-per-stage", 2)


@case("--gpus-per-stage 2: found 1 GPU by --device cuda --gpus 0,00, wanted --device cuda and 2 or")
def more_gpus_for_a_stage_than_for_the_run(place):
    return place.run("--device", "cuda", "--gpus", "0,00", "--gpus-per-stage", 2)


@case(
    "--gpus-per-stage 2: found the slice MIG-a, wanted whole GPUs: CUDA shows a process one slice"
)
def slices_for_one_stage(place):
    return place.run("--device", "cuda", "--gpus", "MIG-a,MIG-b", "--gpus-per-stage", 2)


@case("Invalid value for '--gpus-per-stage': 0 is not in the range x>=1")
def a_stage_on_no_gpu(place):
    return place.plan("--device", "cuda", "--gpus-per-stage", 0)


@case("baseline.toml: several_gpus: 'fit' is no stage of this plug-in; it has train")
def several_gpus_for_a_stage_that_there_is_not(place):
    place.rooms.baseline("plain", several_gpus=["train", "fit"])
    return place.plan()


@case("'Plain' is no name for a baseline; wanted lower-case words joined by hyphens")
def a_bad_name_of_a_new_plug_in(place):
    return ["new", "baseline", "Plain", *place.where]


@case("plain: exists already; choose another name")
def a_name_that_is_taken(place):
    return ["new", "baseline", "plain", *place.where]


@case("'plugins' is not one of")
def a_list_of_what_is_not_there(place):
    return ["list", "plugins", *place.where]


@case("Invalid value for '--jobs'")
def an_option_of_another_type(place):
    return place.run("--jobs", "many")


@case("No such option.*--epochs.?; a parameter is given as --set baselines.epochs=VALUE")
def a_parameter_as_an_option(place):
    return place.run("--epochs", "-3")


@case("'cuda:9' is not one of 'cpu', 'cuda'; which GPU is said with --gpus: --device cuda --gpus 9")
def a_device_with_its_number(place):
    return place.run("--device", "cuda:9")


@case("no command 'rnu' .did you mean 'run'")
def a_misspelt_command(_place):
    return ["rnu"]


# --- stores


@case("a-file/store: cannot keep results there: Not a directory; pass --store DIR")
def a_store_that_cannot_be_written(place):
    (place.folder / "a-file").write_text("")
    return place.run("--store", place.folder / "a-file" / "store")


@case("store.json: found another layout .* use another --store or remove that folder")
def a_store_of_another_layout(place):
    (place.store / "store.json").write_text('{"schema":"tonegap/store@99"}\n')
    return place.run()


@case("no suite has run here; run `tonegap run` first")
def a_report_of_nothing(place):
    return ["report", *place.where, "--store", place.folder / "download"]


@case("no suite 'other' has run here; there are: tiny")
def a_report_of_a_suite_that_never_ran(place):
    return ["report", "other", *place.where]


@case(r"records/\w+.json: is not what was written")
def a_damaged_record(place):
    path = next(place.store.glob("records/*.json"))
    path.write_bytes(path.read_bytes()[:1000])
    return ["report", *place.where, "--out", place.folder / "report"]


@case(r"records/\w+.json: is not what was written")
def a_record_under_another_key(place):
    place.suite(seeds=[0, 1])
    with pytest.raises(SystemExit):
        main([str(word) for word in place.run()])
    matrix = json.loads((place.store / "suites" / "tiny.json").read_text())
    one, two = (cell["key"] for cell in matrix["cells"])
    shutil.copyfile(place.store / f"records/{one}.json", place.store / f"records/{two}.json")
    return ["report", *place.where, "--out", place.folder / "report"]


@pytest.mark.parametrize(("name", "spoil", "words"), CASES, ids=[name for name, _, _ in CASES])
def test_one_clear_sentence_and_nothing_lost(name, spoil, words, place, tonegap):
    line = spoil(place)
    before = place.results()
    assert tonegap(*line) == 2
    sentence = tonegap.err.strip()
    assert sentence.startswith("error: ")
    assert sentence.count("error: ") == 1
    assert "Traceback" not in tonegap.err
    assert re.search(words, sentence.replace("\n", " ")), sentence
    assert tonegap.out == ""
    assert place.results() == before


def test_there_are_more_than_25_kinds():
    assert len({name for name, _, _ in CASES}) == len(CASES) > 25


class TestWhatIsHarmless:
    """Not every oddity is an error."""

    def test_crlf_and_a_byte_order_mark(self, place, tonegap):
        tonegap(*place.score("--format", "json"))
        plain = tonegap.out
        for path in (place.predictions, place.truth):
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
        assert tonegap(*place.score("--format", "json")) == 0
        assert tonegap.out == plain

    def test_crlf_in_the_metadata_moves_no_image(self, place, tonegap):
        tonegap(*place.split())
        plain = tonegap.out
        path = place.download / "rows.csv"
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        assert tonegap(*place.split()) == 0
        assert tonegap.out == plain

    @pytest.mark.parametrize("content", [b"", b"PAR1 half a file"])
    def test_a_half_written_cache_is_made_again(self, place, tonegap, content):
        tonegap(*place.plan())
        caches = list((place.store / "index").glob("*.parquet"))
        assert caches
        for path in caches:
            path.write_bytes(content)
        assert tonegap(*place.plan()) == 0, tonegap.err
        assert "1 cached" in tonegap.out

    def test_a_half_written_stage_is_made_again(self, place, tonegap):
        for path in place.store.glob("records/*.json"):
            path.unlink()
        for path in place.store.glob("stages/*/*/stage.json"):
            path.unlink()
        assert tonegap(*place.run()) == 0
        assert "1 stage run, 1 run finished" in tonegap.err

    def test_what_a_crash_left_in_work_is_swept(self, place, tonegap):
        left = place.store / "work" / "dead.1" / "out"
        left.mkdir(parents=True)
        assert tonegap(*place.run()) == 0
        assert not left.exists()

    def test_another_colour_mode_and_a_large_image(self, place, tonegap):
        Image.new("LA", (3000, 2000), (9, 200)).save(place.download / "c03.png")
        assert tonegap(*place.run()) == 0, tonegap.err


class TestDataCheck:
    """`data check` lists every problem on standard output; exit code 2 where a task cannot be run."""

    def check(self, place, tonegap):
        return tonegap("data", "check", "clinic", "--root", place.download, *place.where)

    def test_a_good_download(self, place, tonegap):
        assert self.check(place, tonegap) == 0

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (b"<html>404</html>", "not an image"),
            (b"", "not an image"),
            (bomb_png(50_000), "too large"),
            (None, "missing"),
        ],
    )
    def test_an_image_that_cannot_be_used_is_named_with_its_kind(
        self, place, tonegap, content, kind
    ):
        path = place.download / "c03.png"
        path.unlink() if content is None else path.write_bytes(content)
        assert self.check(place, tonegap) == 2
        assert "c03" in tonegap.out
        assert kind in tonegap.out
        assert "Traceback" not in tonegap.err


class TestFullDisk:
    """A store on a file system of one megabyte that takes no more."""

    @pytest.fixture
    def run_on_full_disk(self, place):
        mount = (
            ["unshare", "--mount"]
            if os.geteuid() == 0
            else ["unshare", "--mount", "--map-root-user"]
        )
        probe = subprocess.run(
            [*mount, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
        )
        if probe.returncode != 0:
            pytest.skip("no file system can be mounted here")

        def run(size, *words):
            store = place.folder / "small"
            store.mkdir(exist_ok=True)
            line = place.run("--store", store, *words)
            command = shlex.join([sys.executable, "-m", "tonegap", *map(str, line)])
            script = (
                f"mount -t tmpfs -o size={size} none {store} && {command}; echo code $?; "
                f"cp -r {store} {place.folder}/after"
            )
            argv = [*mount, "sh", "-c", script]
            return subprocess.run(argv, capture_output=True, text=True, check=False)

        return run

    @pytest.mark.parametrize("size", ["64k", "1m", "3600k"])
    def test_it_is_one_sentence_and_what_is_finished_stays(self, place, run_on_full_disk, size):
        # 24 images of 224 px are 3.6 MB: on the last, packs fit and little else.
        place.suite(seeds=[0, 1])
        ended = run_on_full_disk(size)
        assert "Traceback" not in ended.stderr
        assert "code 2" in ended.stdout, ended
        errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert "No space left on device" in errors[0]
        for path in (place.folder / "after" / "records").glob("[!.]*"):
            json.loads(path.read_bytes())
