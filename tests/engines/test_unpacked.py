"""A pinned image run by bubblewrap or Apptainer on its unpacked layers: the walls of a container, without a daemon.

Apptainer where it is on PATH, as a user who is not root (`tox -e apptainer`).
"""

import io
import json
import os
import shutil
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from one_stage import Work, image_with, plugin
from own_engine import root_of_python

from tonegap.declared.suite import Limits
from tonegap.engines.images.layout import Layout, base_config
from tonegap.engines.sandbox import sandbox_kind
from tonegap.engines.unpacked import UnpackedEngine, apptainer_argv
from tonegap.errors import EngineError

ENGINES = ["bwrap"]
if os.geteuid() != 0 and shutil.which("apptainer"):
    ENGINES.append("apptainer")

# Says in one line what it found; `bytes` writes what it was given.
STAGE_PY = """\
import os, pathlib, socket, sys
def refused(action):
    try:
        action()
    except OSError:
        return True
    return False
what, out = sys.argv[1], pathlib.Path("/out")
walls = {
    "network": refused(lambda: socket.create_connection(("192.0.2.1", 80), timeout=2)),
    "root": refused(lambda: pathlib.Path("/x").touch()),
    "in": refused(lambda: pathlib.Path("/in/x").touch()),
    "user": os.getuid() == 1000,
    "home": not pathlib.Path("/root").exists(),
}
(out / "walls").write_text(" ".join(name for name, held in walls.items() if held))
own = {name for name in os.environ if not name.startswith(("APPTAINER_", "SINGULARITY_"))}
seen = [os.getcwd(), os.environ["OWN"], os.environ["TMPDIR"], os.environ["HOME"]]
(out / "seen").write_text(" ".join([*seen, str(len(own - {"PS1", "PROMPT_COMMAND", "PWD"}))]))
pathlib.Path("/tmp/x").write_text("x")
if what == "daemon":
    import subprocess
    words = [sys.executable, "-c", "import time; time.sleep(60)", "a-daemon-of-a-stage"]
    subprocess.Popen(words, start_new_session=True)
if what == "shared":
    for i in range(20):
        pathlib.Path(f"/dev/shm/{i}").write_bytes(bytes(15 << 20))
    import time; time.sleep(30)
if what == "hungry":
    held = bytearray(300 << 20)
    import time; time.sleep(30)
"""


def layer(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, str]:
    """An image of two layers: this machine's Python, and a stage."""
    layout = Layout(tmp_path_factory.mktemp("images") / "oci")
    layout.folder.mkdir()
    config = base_config("amd64")
    config["config"] = {"Env": ["PATH=/usr/bin", "OWN=1"], "WorkingDir": "/plugin"}
    layers = (root_of_python(), layer({"plugin/stage.py": STAGE_PY.encode()}))
    config["rootfs"]["diff_ids"] = [layout.put(one) for one in layers]
    return layout, layout.put_image("plain", json.dumps(config).encode())


@pytest.fixture(params=ENGINES)
def run(request, made, tmp_path):
    """Runs the stage of the image; what it left is in `run.work.out`."""
    if request.param == "bwrap" and sandbox_kind() != "bubblewrap":
        pytest.skip("needs bubblewrap")
    layout, image_id = made
    engine = UnpackedEngine(request.param, lambda _plugin: image_with(image_id), layout)

    def run(mode: str = "look", **fields: object):
        return engine.run(run.work.spec(mode, **fields))

    run.work, run.engine = Work(tmp_path / "work"), engine
    return run


def test_every_wall_holds(run):
    result = run()
    assert (result.cause, result.text) == ("ok", "")
    assert (run.work.out / "walls").read_text() == "network root in user home"


def test_a_stage_has_the_variables_of_its_image_and_of_every_stage_and_no_others(run):
    run()
    folder, own, temporary, home, n = (run.work.out / "seen").read_text().split()
    assert (folder, own, temporary, home) == ("/plugin", "1", "/tmp", "/tmp")
    assert int(n) < 20
    assert (run.work.folder / "tmp" / "x").read_text() == "x"


def test_what_is_in_force_says_what_of_the_host_is_there(run):
    said = run.engine.isolation(Limits())
    name_servers = run.engine.name == "apptainer"
    assert ("/etc/resolv.conf" in said.files) is name_servers
    assert ("file systems that it mounts" in said.limits["memory"]) is name_servers


def test_what_a_stage_leaves_running_ends_with_it(run):
    began = time.monotonic()
    assert run("daemon").cause == "ok"
    assert time.monotonic() - began < 30
    assert not [
        path for path in Path("/proc").glob("[0-9]*") if b"a-daemon-of-a-stage" in _words(path)
    ]


def _words(process: Path) -> bytes:
    with suppress(OSError):
        return (process / "cmdline").read_bytes()
    return b""


def test_files_in_shared_memory_count(run):
    result = run("shared", memory_mib=100)
    assert result.cause == "oom"


def test_too_much_memory_is_told_as_anywhere(run):
    result = run("hungry", memory_mib=100)
    assert result.cause == "oom"
    assert "its limit is 100" in result.text


@pytest.mark.parametrize("run", ["bwrap"], indirect=True)
def test_a_gpu_is_refused_with_what_to_take(run):
    result = run(gpus=("0",))
    assert result.cause == "engine-error"
    assert "take apptainer or docker" in result.text


def test_an_image_is_unpacked_once(run, made):
    run()
    root = made[0].folder.parent / "roots" / made[1].removeprefix("sha256:")
    before = (root / "plugin" / "stage.py").stat().st_ino
    run()
    assert (root / "plugin" / "stage.py").stat().st_ino == before


def test_an_image_on_another_has_the_files_of_its_root_and_its_own(made, tmp_path):
    layout, below = made
    config = json.loads(layout.blob(below).read_bytes())
    config["config"]["Labels"] = {"tonegap.base": below}
    added = layout.put(layer({"plugin/stage.py": b"other", "plugin/more.py": b"more"}))
    config["rootfs"]["diff_ids"].append(added)
    above = layout.put_image("above", json.dumps(config).encode())
    engine = UnpackedEngine("bwrap", lambda one: image_with(one), layout)
    engine.open(tmp_path, [above])
    first, second = (
        layout.folder.parent / "roots" / one.removeprefix("sha256:") for one in (below, above)
    )
    assert (second / "usr/bin/dash").samefile(first / "usr/bin/dash")
    was = (first / "usr/bin/dash").read_bytes()
    (first / "usr/bin/dash").write_bytes(b"changed in both, as they share it")
    engine.open(tmp_path, [above])
    assert (first / "usr/bin/dash").read_bytes() == (second / "usr/bin/dash").read_bytes() == was
    assert (first / "plugin/stage.py").read_text() == STAGE_PY
    assert (second / "plugin/stage.py").read_text() == "other"
    assert sorted(path.name for path in (first / "plugin").iterdir()) == ["stage.py"]


def test_an_image_that_is_not_here_names_the_command(made, tmp_path):
    engine = UnpackedEngine("bwrap", lambda _plugin: image_with("sha256:" + "0" * 64), made[0])
    result = engine.run(Work(tmp_path / "work").spec("look"))
    assert result.cause == "engine-error"
    assert result.text.endswith("run `tonegap image build baselines/plain`")


def test_a_time_that_cannot_be_is_one_sentence(tmp_path):
    layout = Layout(tmp_path / "images" / "oci")
    layout.folder.mkdir(parents=True)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("x")
        member.pax_headers = {"mtime": "1e30"}
        archive.addfile(member)
    config = base_config("amd64")
    config["rootfs"]["diff_ids"] = [layout.put(data.getvalue())]
    image_id = layout.put_image("odd", json.dumps(config).encode())
    engine = UnpackedEngine("bwrap", lambda _plugin: image_with(image_id), layout)
    result = engine.run(Work(tmp_path / "work").spec("look"))
    assert result.cause == "engine-error"
    assert "cannot be unpacked" in result.text


def test_a_root_that_was_changed_is_unpacked_again(made, tmp_path):
    layout, image_id = made
    said = []
    engine = UnpackedEngine("bwrap", lambda _p: image_with(image_id), layout, say=said.append)
    engine.open(tmp_path, [plugin("python")])
    stage = layout.folder.parent / "roots" / image_id.removeprefix("sha256:") / "plugin/stage.py"
    said.clear()
    engine.open(tmp_path, [plugin("python")])
    assert said == []
    stage.write_text("import this")
    engine.open(tmp_path, [plugin("python")])
    assert "is not what it was" in said[0]
    assert stage.read_text() == STAGE_PY


def test_apptainer_is_asked_for_the_same_walls():
    binds = [(Path("/spool/in"), "/in", True), (Path("/spool/out"), "/out", False)]
    assert apptainer_argv(Path("/roots/a"), binds, "/plugin", gpu=True) == [
        *("apptainer", "--quiet", "exec", "--containall", "--cleanenv", "--no-privs", "--no-eval"),
        *("--no-mount", "bind-paths,home,tmp", "--home", "/tmp", "--net", "--network", "none"),
        *("--pwd", "/plugin", "--nv"),
        *("--bind", "/spool/in:/in:ro", "--bind", "/spool/out:/out", "/roots/a"),
    ]


def test_what_is_not_installed_is_said_before_any_stage(made, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    engine = UnpackedEngine("apptainer", lambda _plugin: image_with(made[1]), made[0])
    with pytest.raises(EngineError, match="not on this machine's PATH"):
        engine.open(tmp_path, [])
    result = engine.run(Work(tmp_path / "work").spec("look"))
    assert result.cause == "engine-error"
    assert "load its module" in result.text


def test_what_is_not_installed_is_said_before_anybody_builds_an_image(made, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(EngineError, match="not on this machine's PATH"):
        UnpackedEngine("apptainer", _no_image, made[0]).environment(plugin("python"))


def test_a_login_node_needs_images_and_not_what_the_nodes_start_them_with(
    made, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    engine = UnpackedEngine("apptainer", lambda _plugin: image_with(made[1]), made[0], here=False)
    engine.open(tmp_path, [plugin("python")])
    assert (made[0].folder.parent / "roots" / made[1].removeprefix("sha256:")).is_dir()
    with pytest.raises(EngineError, match="no image of that name"):
        UnpackedEngine("apptainer", _no_image, made[0], here=False).environment(plugin("python"))


def _no_image(_plugin):
    raise EngineError("no image of that name")
