"""Every plug-in of the project, and those that `tonegap new` makes, through the runner on 24 images."""

import io
import shutil

import pytest
from tiny_rooms import PROJECT, Rooms, write_clinic

from tonegap.engines import open_engine
from tonegap.files import folder_digest
from tonegap.rooms.check import check_rooms
from tonegap.rooms.plugin import plugin_ids, read_plugin
from tonegap.rooms.suite import Limits, read_suite
from tonegap.run.outputs import check_outputs, read_synthetic
from tonegap.run.prepare import Request, prepare
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace
from tonegap.run.store import Store

# Small enough for seconds, for whatever plug-in has a parameter of that name.
QUICK = {
    "image_size_px": 32,
    "backbone": "cnn4",
    "centre_crop": 1.0,
    "epochs": 1,
    "batch": 8,
    "augmentation": "none",
}
METHODS = plugin_ids(PROJECT, "method")
MAKERS = [name for name in METHODS if read_plugin(PROJECT, "method", name).file.stages]
BASELINES = plugin_ids(PROJECT, "baseline")
NETWORKS = [
    b for b in BASELINES if "backbone" in read_plugin(PROJECT, "baseline", b).file.parameters
]
# A network takes seconds to load and train: by default one of them stands for all.
ONE_NETWORK = [
    pytest.param(name, marks=pytest.mark.slow) if name in NETWORKS[1:] else name
    for name in BASELINES
]


@pytest.fixture
def project(tmp_path):
    """A suite root with the project's kit and plug-ins, a fake of each kind, and a small download.

    A dark tone is rare in it, so that methods which fill up rare tones have something to do.
    """
    rooms = Rooms(tmp_path / "root")
    shutil.rmtree(rooms.root / "docker")
    for name in ("docker/kit", "docker/templates", "methods", "baselines"):
        shutil.copytree(
            PROJECT / name, rooms.root / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    rooms.baseline("plain")
    rooms.clinic(tmp_path / "download")
    write_clinic(tmp_path / "download", n=24)
    path = tmp_path / "download" / "rows.csv"
    rows = path.read_text().splitlines()
    lighter = [row.replace(",VI,pool", ",I,pool") if i % 3 else row for i, row in enumerate(rows)]
    path.write_text("\n".join(lighter) + "\n")
    return rooms


def run(rooms, method, baseline, store):
    """The plan of one entry at one seed and what became of it."""
    parameters = {}
    for kind, name in (("method", method), ("baseline", baseline)):
        specs = read_plugin(rooms.root, kind, name).file.parameters
        own = {key: value for key, value in QUICK.items() if key in specs}
        own = {k: v for k, v in own.items() if not specs[k].choices or v in specs[k].choices}
        parameters |= {f"{kind}s/{name}": own} if own else {}
    entry = {"methods": [method], "baselines": [baseline]}
    rooms.suite(tasks=["clinic/two"], entries=[entry], parameters=parameters)
    engine = open_engine("local", rooms.root)
    request = Request(
        root=rooms.root,
        suite=read_suite(rooms.root, "tiny"),
        store=store,
        engine=engine,
        roots={"clinic": rooms.root.parent / "download"},
        device="cpu",
        jobs=1,
        allow_missing=False,
    )
    plan = prepare(request)
    limits = Limits(timeout_s=120, memory_mib=4096, output_mib=100)
    tally = run_plan(plan, Workplace(store, engine, limits, 1, (), PlainProgress(io.StringIO())))
    return plan, tally


def finished(rooms, method, baseline, store):
    """The stages of an entry that ran to a record, or a skip where it cannot be asked here."""
    plan, tally = run(rooms, method, baseline, store)
    (cell,) = plan.cells
    if cell.id.not_applicable:
        pytest.skip(cell.id.not_applicable)
    assert [failure.text for failure in tally.failures] == []
    assert tally.n_finished == 1
    assert store.record_path(cell.id.key).exists()
    return [plan.stages[key] for key in cell.stages]


def outputs(store, stage):
    """Digest of what a stage left, without the marks of this run."""
    copy = store.folder / "copy"
    shutil.copytree(store.stage_folder(stage.key), copy)
    for name in ("stage.json", "log.txt"):
        (copy / name).unlink()
    check_outputs(stage, copy)
    digest = folder_digest(copy)
    shutil.rmtree(copy)
    return digest


def assert_same_bytes_twice(rooms, method, baseline, tmp_path):
    stores = [Store(tmp_path / name) for name in ("one", "two")]
    stages = finished(rooms, method, baseline, stores[0])
    finished(rooms, method, baseline, stores[1])
    for stage in stages:
        assert outputs(stores[0], stage) == outputs(stores[1], stage), stage.identity.plugin.label


def test_the_rooms_of_the_project_have_no_problem():
    assert check_rooms(PROJECT) == []


@pytest.mark.parametrize("method", METHODS)
def test_a_method_runs_to_a_record_and_gives_the_same_bytes_twice(project, method, tmp_path):
    assert_same_bytes_twice(project, method, "plain", tmp_path)


@pytest.mark.parametrize("method", MAKERS)
def test_a_method_with_stages_makes_images_here(project, method, tmp_path):
    """Else the test above says nothing about what it makes."""
    store = Store(tmp_path / "store")
    made = next(s for s in finished(project, method, "plain", store) if s.stage == "generate")
    assert len(read_synthetic(store.stage_folder(made.key))) > 0


@pytest.mark.parametrize("baseline", ONE_NETWORK)
def test_a_baseline_runs_to_a_record(project, baseline, tmp_path):
    store = Store(tmp_path / "store")
    (stage,) = finished(project, "none", baseline, store)
    outputs(store, stage)


@pytest.mark.slow
@pytest.mark.parametrize("baseline", BASELINES)
def test_a_baseline_gives_the_same_bytes_twice(project, baseline, tmp_path):
    assert_same_bytes_twice(project, "none", baseline, tmp_path)


@pytest.mark.parametrize("kind", ["method", "baseline"])
class TestNew:
    def test_a_new_plug_in_runs_and_gives_the_same_bytes_twice(
        self, project, tonegap, kind, tmp_path
    ):
        assert tonegap("new", kind, "my-idea", "--suite-root", project.root) == 0
        assert tonegap.out.strip() == str(project.root / f"{kind}s" / "my-idea")
        assert read_plugin(project.root, kind, "my-idea").file.title == "My idea"
        pair = ("my-idea", "plain") if kind == "method" else ("none", "my-idea")
        assert_same_bytes_twice(project, *pair, tmp_path)

    def test_it_has_no_problem_and_no_placeholder_left(self, project, tonegap, kind):
        tonegap("new", kind, "my-idea", "--suite-root", project.root)
        folder = project.root / f"{kind}s" / "my-idea"
        assert "{{" not in "".join(path.read_text() for path in folder.iterdir())
        places = {problem.where for problem in check_rooms(project.root)}
        assert not any("my-idea" in place for place in places)

    def test_it_can_be_run_beside_a_suite_at_once(self, project, tonegap, kind):
        tonegap("new", kind, "my-idea", "--suite-root", project.root)
        project.suite(tasks=["clinic/two"])
        words = ("--suite-root", project.root, "--root", project.root.parent / "download")
        code = tonegap("run", "tiny", f"--{kind}", "my-idea", *words)
        assert code == 0, tonegap.err
        assert "2 cells finished" in tonegap.err

    @pytest.mark.parametrize("name", ["My-idea", "my_idea", "-x", "x-", "a b", "../x", ""])
    def test_a_name_that_is_no_id_is_refused(self, project, tonegap, kind, name):
        assert tonegap("new", kind, "--suite-root", project.root, "--", name) == 2
        assert "wanted lower-case words joined by hyphens" in tonegap.err

    def test_a_name_that_is_taken_is_refused(self, project, tonegap, kind):
        tonegap("new", kind, "my-idea", "--suite-root", project.root)
        assert tonegap("new", kind, "my-idea", "--suite-root", project.root) == 2
        assert "exists already; choose another name" in tonegap.err
