"""What is not there, or goes away: named, typed, and mended by the next run."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import docker
import pytest
from container_run import build_images, run_suite
from engine_fixtures import containers
from one_stage import Work, image_with, plugin
from own_engine import build, forget, import_base, own_engine
from tiny_rooms import TRAIN_PY, Rooms

from tonegap.engines.docker.container import STORE_LABEL, WORK_LABEL
from tonegap.engines.docker.engine import DockerEngine
from tonegap.engines.docker.gpu import probed
from tonegap.errors import EngineError
from tonegap.store.store import Store

pytestmark = [
    pytest.mark.container,
    # docker-py leaves a socket to the garbage collector where nobody answers it.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket"),
]

# Sleeps where the suite gives it 100 seconds; the time limit is no part of a stage's key.
SLEEPER = f"""\
import json, sys, time
if json.load(open(sys.argv[3] + "/job.json"))["time_limit_s"] == 100:
    time.sleep(600)
{TRAIN_PY}"""


# Opens an engine on a store that lies in a file system of this process alone.
HIDDEN = """\
import pathlib, sys
from one_stage import image_with, plugin
from tonegap.engines.docker.engine import DockerEngine
from tonegap.errors import EngineError
from tonegap.store.store import Store
folder, image = sys.argv[1:]
try:
    DockerEngine(lambda _plugin: image_with(image)).open(Store(pathlib.Path(folder)).folder, [plugin("x")])
except EngineError as e:
    print(e)
"""


class TestFolders:
    def test_an_engine_that_sees_the_store_says_nothing(self, engine, tmp_path):
        engine.open(Store(tmp_path / "store").folder, [plugin("x")])
        assert not list((tmp_path / "store").glob(".seen-*"))

    def test_an_engine_that_does_not_see_the_store_is_one_sentence(self, image, tmp_path):
        folder = tmp_path / "hidden"
        folder.mkdir()
        command = 'mount -t tmpfs none "$1" && exec "$2" -c "$3" "$1/store" "$4"'
        done = subprocess.run(
            [
                "unshare",
                "--mount",
                "sh",
                "-c",
                command,
                "sh",
                folder,
                sys.executable,
                HIDDEN,
                image,
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        said = done.stdout.strip()
        assert "\n" not in said
        assert f"does not see this machine's folder {folder}/store" in said

    def test_a_bound_folder_that_the_engine_does_not_see_is_said_too(self, image, tmp_path):
        engine = DockerEngine(lambda _plugin: image_with(image, tmp_path / "gone"))
        with pytest.raises(EngineError, match="does not see this machine's folder"):
            engine.open(Store(tmp_path / "store").folder, [plugin("x")])


class TestNotThere:
    def test_an_image_that_the_engine_lacks_is_not_fetched(self, host, work):
        engine = DockerEngine(lambda _plugin: image_with("sha256:" + "0" * 64))
        result = engine.run(work.spec("ok"))
        assert result.cause == "engine-error"
        assert "tonegap image build baselines/plain" in result.text

    def test_an_image_with_a_volume_is_refused(self, client, base, work):
        image = build(client, base, {"stage.py": b""}, 'VOLUME ["/big"]\n')
        result = DockerEngine(lambda _plugin: image_with(image)).run(work.spec("ok"))
        forget(client, image)
        assert result.cause == "engine-error"
        assert "VOLUME /big" in result.text

    def test_an_entry_point_and_health_check_of_the_image_do_not_run(self, client, base, work):
        lines = 'ENTRYPOINT ["false"]\nHEALTHCHECK CMD false\n'
        code = Path(__file__).with_name("stage.py").read_bytes()
        image = build(client, base, {"stage.py": code}, lines)
        result = DockerEngine(lambda _plugin: image_with(image)).run(work.spec("ok"))
        forget(client, image)
        assert result.cause == "ok"

    def test_a_gpu_that_is_not_there_is_an_error_and_never_the_cpu(self, engine, work):
        result = engine.run(work.spec("ok", gpus=("0",)))
        assert result.cause == "engine-error"
        assert list(work.out.iterdir()) == []

    def test_no_engine_at_all_says_what_to_do(self, monkeypatch, work, tmp_path):
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
        engine = DockerEngine(lambda _plugin: image_with("sha256:0"))
        result = engine.run(work.spec("ok"))
        assert result.cause == "engine-error"
        assert result.text.startswith(f"no container engine answers at unix://{tmp_path}")
        with pytest.raises(EngineError, match="or use --engine bwrap"):
            engine.open(Store(tmp_path / "store").folder, [])


def test_the_probe_starts_the_command_where_a_device_is_visible(client, image):
    container = client.containers.create(
        image,
        entrypoint=probed(["python", "-c", "print('on it')"], ["0"]),
        devices=["/dev/null:/dev/nvidia0:r"],
        network_mode="none",
    )
    container.start()
    assert container.wait()["StatusCode"] == 0
    assert container.logs() == b"on it\n"
    container.remove()


@pytest.fixture
def rooms(tmp_path):
    """Baselines `plain` and `sleeper` on one task."""
    made = Rooms(tmp_path / "root")
    made.drawn()
    made.method("none")
    made.baseline("plain")
    made.baseline("sleeper", SLEEPER)
    return made


def suite_of(rooms, timeout_s):
    limits = {"timeout_s": timeout_s, "memory_mib": 128, "output_mib": 20}
    entries = [{"methods": ["none"], "baselines": ["plain", "sleeper"]}]
    return str(rooms.suite(entries=entries, limits=limits))


def wait_until(condition, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def n_done(store):
    return len(list((store / "records").glob("*.json")))


class TestDeaths:
    def test_after_a_kill_of_the_runner_the_next_run_does_the_rest_and_leaves_nothing(
        self, client, base, rooms, tmp_path
    ):
        images, store = build_images(client, base, rooms.root), tmp_path / "store"
        path = [str(Path(__file__).parents[1] / "support"), *sys.path]
        runner = subprocess.Popen(
            [
                *(sys.executable, path[0] + "/container_run.py", str(rooms.root), str(store)),
                *(suite_of(rooms, 100), json.dumps(images), "2"),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        )
        wait_until(lambda: n_done(store) == 1 and len(containers(client)) == 1)
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        (orphan,) = containers(client)
        assert client.containers.get(orphan).status == "running"

        tally = run_suite(rooms.root, store, suite_of(rooms, 60), images, 2)

        assert (tally.n_stages, tally.n_finished, tally.failures) == (1, 1, ())
        assert containers(client) == []
        assert list((store / "work").iterdir()) == []
        again = run_suite(rooms.root, store, suite_of(rooms, 60), images, 2)
        assert (again.n_stages, again.n_finished) == (0, 0)
        for image in images.values():
            forget(client, image)

    def test_a_stage_whose_container_was_removed_fails_alone(self, engine, work, client):
        results = []
        thread = threading.Thread(target=lambda: results.append(engine.run(work.spec("sleep"))))
        thread.start()
        wait_until(lambda: (work.out / "pid").exists())
        client.api.remove_container(containers(client)[0], force=True)
        thread.join(30)
        assert [result.cause for result in results] in (["engine-error"], ["killed"])

    def test_containers_of_living_runs_and_of_other_stores_are_left_alone(
        self, engine, client, image, tmp_path
    ):
        store = Store(tmp_path / "store")
        engine.open(store.folder, [])
        mine = engine._store
        with store.work_folder("alive") as alive:
            labels = [
                {STORE_LABEL: mine, WORK_LABEL: alive.name},
                {STORE_LABEL: "another", WORK_LABEL: "gone"},
                {STORE_LABEL: mine, WORK_LABEL: "gone"},
            ]
            made = [client.containers.create(image, "true", labels=of) for of in labels]
            engine.open(store.folder, [])
            assert set(containers(client)) == {made[0].id, made[1].id}
            made[0].remove()
            made[1].remove()


@pytest.fixture
def fragile(product, monkeypatch):
    """An engine of the test's own, in DOCKER_HOST."""
    if product != "docker":
        pytest.skip("Podman has no daemon whose death ends containers")
    with own_engine(product) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        yield engine


def test_a_run_outlives_its_engine_and_the_next_one_finishes(fragile, rooms, tmp_path):
    client = docker.DockerClient(base_url=fragile.host)
    images, store = build_images(client, import_base(client), rooms.root), tmp_path / "store"
    tallies = []

    def run(timeout_s):
        tallies.append(run_suite(rooms.root, store, suite_of(rooms, timeout_s), images, 1))

    thread = threading.Thread(target=run, args=[100])
    thread.start()
    wait_until(lambda: n_done(store) == 1 and len(containers(client)) == 1)
    fragile.kill()
    fragile.start()
    thread.join(60)
    run(60)

    assert [failure.cause for failure in tallies[0].failures] in (["killed"], ["engine-error"])
    assert (tallies[1].n_stages, tallies[1].n_finished, tallies[1].failures) == (1, 1, ())
    assert containers(client) == []
    client.close()


def test_an_engine_that_stays_away_is_an_engine_error_within_seconds(fragile, work):
    client = docker.DockerClient(base_url=fragile.host)
    base = import_base(client)
    image = build(client, base, {"stage.py": Path(__file__).with_name("stage.py").read_bytes()})
    results = []
    engine = DockerEngine(lambda _plugin: image_with(image))
    thread = threading.Thread(target=lambda: results.append(engine.run(work.spec("sleep"))))
    thread.start()
    wait_until(lambda: (work.out / "pid").exists())
    process = client.containers.get(containers(client)[0]).attrs["State"]["Pid"]
    fragile.kill()
    thread.join(30)
    wait_until(lambda: not Path(f"/proc/{process}/exe").exists())  # a kill takes a moment
    fragile.start()
    client.close()
    assert [result.cause for result in results] == ["engine-error"]
    assert "stopped answering" in results[0].text


def test_a_second_work_folder_of_one_stage_does_not_meet_the_first(engine, tmp_path):
    one, other = Work(tmp_path / "work" / "a.1"), Work(tmp_path / "work" / "a.2")
    results = []
    threads = [
        threading.Thread(target=lambda work=work: results.append(engine.run(work.spec("ok"))))
        for work in (one, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.cause for result in results] == ["ok", "ok"]
