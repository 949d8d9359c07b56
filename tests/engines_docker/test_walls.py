"""What a stage meets when it looks around and pushes, and whether the record tells the same."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from one_stage import Work, image_with, plugin

from tonegap.declared.suite import Limits
from tonegap.engines.docker import container
from tonegap.engines.docker.engine import DockerEngine
from tonegap.engines.docker.trial import try_sandbox
from tonegap.numerics import stage_numerics

pytestmark = pytest.mark.container
MIB = 1 << 20


@pytest.fixture(scope="module")
def seen(host, image, tmp_path_factory):
    """What one stage with a gigabyte of address space and two threads saw."""
    work = Work(tmp_path_factory.mktemp("walls") / "work" / "stage.look")
    engine = DockerEngine(lambda _plugin: image_with(image))
    result = engine.run(work.spec("look", memory_mib=128, threads=2))
    assert result.cause == "ok", result
    return json.loads((work.out / "seen.json").read_text())


def test_there_is_no_network(seen):
    assert "Network is unreachable" in seen["connect"]


def test_only_out_tmp_and_shared_memory_can_be_written(seen):
    for place in ("root", "in", "plugin"):
        assert seen[place].startswith("OSError: Read-only file system"), place
    assert set(seen["writable"]) - {"/dev/mqueue"} == {"/out", "/tmp", "/dev/shm"}


def test_a_stage_is_nobody_special_and_cannot_become_it(seen):
    assert seen["uid"] == [1000, 1000]
    assert set(seen["capabilities"]) == {"0"}
    assert seen["no new privileges"] == "1"
    assert seen["seccomp"] == "2"


def test_memory_processes_and_processors_are_limited(seen):
    assert seen["memory"] == str(128 * MIB)
    assert seen["swap"] in {str(128 * MIB), "0"}
    assert seen["processes"] == "512"
    assert seen["processors"] in {"200000", "200000 100000"}


def test_temporary_files_have_a_size(seen):
    assert seen["tmp"] == seen["shm"] == 64 * MIB


def test_a_stage_is_told_nothing_of_the_host(seen):
    known = set(os.environ) - {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
    told = {name: value for name, value in seen["environment"].items() if name in known}
    ours = {"PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "TMPDIR", "PYTHONPATH"}
    ours |= {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONHASHSEED", "OMP_NUM_THREADS"}
    ours |= {"TERM"}  # Podman's own
    # A command that ran in this process before has set what makes its own arithmetic portable.
    ours |= {*stage_numerics("portable"), "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
    assert set(told) <= ours
    assert seen["environment"]["OMP_NUM_THREADS"] == "2"
    assert seen["environment"]["HOME"] == "/tmp"


def test_a_stage_runs_in_its_own_folder_as_the_contract_says(seen):
    assert seen["folder"] == "/plugin"
    assert seen["arguments"] == ["look", "train", "--in", "/in", "--out", "/out"]


def test_orphans_have_a_parent_that_buries_them(seen):
    assert seen["init"] in {"docker-init", "podman-init", "catatonit", "tini"}


class TestTheRecordOfIt:
    def test_limits_in_force_stand_in_the_record(self, engine, product):
        isolation = engine.isolation(Limits(timeout_s=9, memory_mib=128, output_mib=20))
        assert isolation.contained
        assert isolation.network == "none"
        assert isolation.version.startswith(product.capitalize())
        limits = isolation.limits
        assert limits["time"] == "9 s, enforced"
        assert limits["memory"] == "128 MiB, enforced"
        assert limits["processes"] == "512, for each GPU of a stage with several, enforced"
        assert limits["output"] == "20 MiB, watched"
        assert limits["user"] == "1000:1000"

    def test_memory_that_the_machine_does_not_have_is_not_in_force(self, engine):
        isolation = engine.isolation(Limits(memory_mib=1 << 30))
        assert isolation.limits["memory"].endswith("the machine has less")


class TestBoundPackages:
    def test_bound_packages_can_be_imported_and_not_written(self, host, image, work, tmp_path):
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "guest.py").write_text("open('/opt/site/x', 'w')\n")
        engine = DockerEngine(lambda _plugin: image_with(image, tmp_path / "site"))
        spec = replace(work.spec("ok"), plugin=plugin("python", "-c", "import guest"))
        assert engine.run(spec).text.endswith("Read-only file system: '/opt/site/x'")
        assert [path.name for path in (tmp_path / "site").iterdir()] == ["guest.py"]

    def test_a_missing_folder_of_packages_is_refused_before_anything_is_made(
        self, host, image, work, tmp_path
    ):
        engine = DockerEngine(lambda _plugin: image_with(image, tmp_path / "absent"))
        result = engine.run(work.spec("ok"))
        assert result.cause == "engine-error"
        assert "absent: no such folder" in result.text
        assert not (tmp_path / "absent").exists()


def test_the_folder_of_in_opens_for_a_stage_of_another_user(engine, work):
    if os.geteuid() != 0:
        pytest.skip("only root runs stages as somebody else")
    (work.folder / "in").chmod(0o700)
    (work.folder / "in" / "model").mkdir(mode=0o700)
    assert engine.run(work.spec("look")).cause == "ok"


def test_a_file_of_in_that_the_stage_could_not_read_is_named(engine, work):
    if os.geteuid() != 0:
        pytest.skip("only root runs stages as somebody else")
    path = Path(work.folder / "in" / "files")
    path.mkdir()
    (path / "weights").write_text("w")
    (path / "weights").chmod(0o600)
    result = engine.run(work.spec("ok"))
    assert result.cause == "engine-error"
    assert result.text.startswith("/in/files/weights: cannot be read by user 1000")


class TestTheDoctorsTrial:
    def test_every_wall_holds_here(self, host, image):
        assert try_sandbox(image_with(image), rootless=False) == "every restriction held"

    def test_a_wall_that_does_not_hold_is_named(self, host, image, monkeypatch):
        monkeypatch.setattr(container, "PROCESSES", 64)
        assert try_sandbox(image_with(image), rootless=False) == "did not hold: processes"
