"""What the engine of containers works out without any engine."""

import pytest

from tonegap.declared.suite import Limits
from tonegap.engines.docker.container import scratch_mib
from tonegap.engines.docker.daemon import connected, daemon_of
from tonegap.engines.docker.folders import stage_user
from tonegap.engines.images.resolve import stage_image
from tonegap.engines.stage_limits import judge
from tonegap.errors import EngineError
from tonegap.formats.image_lock import BoundEnvironment, LockedImage

INFO = {
    "NCPU": 4,
    "MemTotal": 8 << 30,
    "MemoryLimit": True,
    "SwapLimit": False,
    "CpuCfsQuota": True,
    "PidsLimit": True,
    "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
}


def locked(content="c", environment=None, image_id="sha256:1"):
    return LockedImage(
        name="baselines/plain",
        base="base-local",
        source_sha256="s",
        base_id="b",
        image_id=image_id,
        content_sha256=content,
        platform="linux/amd64",
        size_bytes=1,
        environment=environment,
        versions={"python": "3.11.2"},
    )


class TestDaemon:
    def test_a_limit_that_the_kernel_lacks_is_not_claimed(self):
        daemon = daemon_of({"Version": "20.10", "Components": [{"Name": "Engine"}]}, INFO)
        assert daemon.label == "Docker 20.10"
        assert daemon.enforces == {"memory", "processors", "processes"}
        assert (daemon.n_cpus, daemon.memory_mib) == (4, 8192)
        assert daemon.rootless
        assert daemon.seccomp
        assert daemon.tells_oom

    def test_podman_is_known_by_its_own_name_and_does_not_tell_memory_kills(self):
        daemon = daemon_of({"Version": "4.3.1", "Components": [{"Name": "Podman Engine"}]}, INFO)
        assert daemon.label == "Podman 4.3.1"
        assert not daemon.tells_oom

    def test_an_engine_that_says_nothing_of_security_claims_nothing(self):
        daemon = daemon_of({"Components": None}, INFO | {"SecurityOptions": None})
        assert not daemon.seccomp
        assert not daemon.rootless


class TestImage:
    def test_a_key_depends_on_content_and_not_on_the_id_of_a_rebuild(self):
        one, again = stage_image(locked()), stage_image(locked(image_id="sha256:2"))
        assert one.environment.digest == again.environment.digest
        assert one.environment.digest != stage_image(locked("d")).environment.digest
        assert (one.id, again.id) == ("sha256:1", "sha256:2")

    def test_bound_packages_belong_to_the_key_and_stand_in_the_record(self):
        bound = BoundEnvironment("/site", "e", {"torch": "2.14.1"})
        image = stage_image(locked(environment=bound))
        assert image.environment.digest != stage_image(locked()).environment.digest
        assert image.environment.versions["bound packages"] == "e"
        assert image.environment.versions["torch"] == "2.14.1"
        assert image.environment.versions["image"] == "sha256:1"
        assert str(image.bound) == "/site"


class TestUser:
    @pytest.mark.parametrize(
        ("caller", "rootless", "inside"),
        [(0, False, "1000:1000"), (1234, False, "1234:1234"), (1234, True, "0:0")],
    )
    def test_a_stage_is_never_root_of_this_machine(self, monkeypatch, caller, rootless, inside):
        monkeypatch.setattr("os.geteuid", lambda: caller)
        monkeypatch.setattr("os.getegid", lambda: caller)
        assert stage_user(rootless).spelled == inside


class TestEndings:
    limits = Limits(memory_mib=100)

    @pytest.mark.parametrize(
        ("code", "peak_mib", "cause"),
        [
            (0, 99.0, "ok"),
            (137, 91.0, "oom"),
            (-9, 91.0, "oom"),
            (137, 89.0, "killed"),
            (137, None, "killed"),
            (143, 99.0, "killed"),
            (139, 99.0, "method-error"),
            (1, 99.0, "method-error"),
        ],
    )
    def test_a_kill_is_for_memory_only_near_the_limit(self, code, peak_mib, cause):
        assert judge(code, peak_mib, self.limits, "")[0] == cause


def test_temporary_files_get_half_of_the_memory():
    assert scratch_mib(4096) == 2048
    assert scratch_mib(1) == 1


def test_an_engine_over_ssh_is_refused_as_its_folders_are_another_machines(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@elsewhere")
    with pytest.raises(
        EngineError, match=r"found ssh://me@elsewhere, wanted an engine of this machine"
    ):
        connected().__enter__()
