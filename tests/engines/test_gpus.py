"""GPUs by name: what engines are asked, what stands in the record, and that no two stages share one."""

import os
import tempfile
import threading
import time

import pytest

from tonegap.engines.docker.daemon import Daemon, daemon_of
from tonegap.engines.docker.gpu import device_requests, gpu_variables, known_gpus, probed
from tonegap.engines.gpus import GPU_NAME, card, identities, try_gpu, try_gpus
from tonegap.errors import EngineError

INFORMATION = "Model: \t\t NVIDIA H200\nGPU UUID:   \t GPU-aaaa-1\nDevice Minor: \t 3\n"
CDI = (
    "nvidia.com/gpu=0",
    "nvidia.com/gpu=GPU-aaaa-1",
    "nvidia.com/gpu=MIG-b",
    "nvidia.com/gpu=all",
)


def engine(product="Docker", version="28.5.2", devices=()):
    info = {"NCPU": 4, "MemTotal": 8 << 30}
    info["DiscoveredDevices"] = [{"Source": "cdi", "ID": one} for one in devices] or None
    return daemon_of({"Version": version, "Components": [{"Name": f"{product} Engine"}]}, info)


def asked(daemon, *gpus):
    (request,) = device_requests(gpus, daemon)
    return request["Driver"], request["DeviceIDs"], request["Capabilities"]


@pytest.mark.parametrize("gpu", ["0", "GPU-aaaa-1", "MIG-b"])
def test_an_engine_that_lists_devices_is_asked_by_their_names(gpu):
    assert asked(engine(devices=CDI), gpu) == ("cdi", [f"nvidia.com/gpu={gpu}"], [])


def test_several_are_asked_for_in_one_request():
    kind = "nvidia.com/gpu="
    assert asked(engine(devices=CDI), "0", "MIG-b") == ("cdi", [f"{kind}0", f"{kind}MIG-b"], [])
    hook = ("nvidia", ["1", "3"], [["gpu", "compute", "utility"]])
    assert asked(engine(version="20.10.24"), "1", "3") == hook


def test_several_are_counted_from_0_inside_a_container():
    variables = gpu_variables(("1", "3"), engine(version="20.10.24"))
    assert variables == {"CUDA_VISIBLE_DEVICES": "0,1", "NVIDIA_VISIBLE_DEVICES": "1,3"}
    variables = gpu_variables(("1", "3"), engine(devices=CDI))
    assert variables == {"CUDA_VISIBLE_DEVICES": "0,1", "NVIDIA_VISIBLE_DEVICES": "void"}


def test_podman_is_asked_by_name_though_it_lists_nothing():
    assert asked(engine("Podman", "5.4.2"), "0") == ("cdi", ["nvidia.com/gpu=0"], [])


def test_docker_without_names_is_asked_by_nvidias_hook():
    hook = ("nvidia", ["0"], [["gpu", "compute", "utility"]])
    assert asked(engine(version="20.10.24"), "0") == hook


@pytest.mark.parametrize("version", ["4.3.1", "5.3.9"])
def test_a_podman_that_drops_requests_is_refused(version):
    with pytest.raises(EngineError, match=f"Podman {version} drops requests for a GPU"):
        device_requests(["0"], engine("Podman", version))


def test_a_device_that_the_engine_has_not_is_answered_with_those_it_has():
    with pytest.raises(EngineError, match=r"has no GPU 7; it has 0, GPU-aaaa-1, MIG-b, all"):
        device_requests(["0", "7"], engine(devices=CDI))


def test_all_are_those_an_engine_lists_each_once():
    assert known_gpus(engine(devices=CDI)) == ("GPU-aaaa-1", "MIG-b")
    assert known_gpus(engine(devices=[CDI[0], CDI[3]])) == ("0",)


def test_a_card_whose_identity_is_not_listed_is_not_lost_and_ten_comes_after_two():
    kind = "nvidia.com/gpu="
    listed = [kind + name for name in ("0", "1", "2", "10", "GPU-a", "all", "")]
    assert known_gpus(engine(devices=listed)) == ("0", "1", "2", "10")


def test_a_name_of_a_device_does_not_reach_the_terminal_as_it_is():
    with pytest.raises(EngineError) as caught:
        device_requests(["7"], engine(devices=["nvidia.com/gpu=0\n\x1b[31m"]))
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_stage_on_the_cpu_asks_for_nothing_and_is_given_nothing():
    for daemon in (engine(devices=CDI), engine(version="20.10.24")):
        assert device_requests((), daemon) == []
        variables = {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}
        assert gpu_variables((), daemon) == variables
    assert probed(["python", "train.py"], ()) == ["python", "train.py"]


def test_only_the_hook_reads_which_device_a_stage_has_from_a_variable():
    assert gpu_variables(["1"], engine(devices=CDI))["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert gpu_variables(["1"], engine(version="20.10.24"))["NVIDIA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("5.4.2", (5, 4)), ("28.5.2+dfsg1", (28, 5)), ("5", (5, 0)), ("", (0, 0))],
)
def test_a_version_has_two_numbers(version, numbers):
    daemon = Daemon("Podman", version, 1, 1, False, False, True, frozenset())
    assert daemon.release == numbers


@pytest.mark.parametrize("name", ["0", "12", "0:1", "GPU-8f6d-1a", "MIG-a1-b2"])
def test_names_of_gpus(name):
    assert GPU_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "all", "-1", "0,1", "gpu0", "GPU-", "../x", "0:"])
def test_what_is_no_name_of_a_gpu(name):
    assert not GPU_NAME.fullmatch(name)


@pytest.fixture
def driver(tmp_path):
    folder = tmp_path / "gpus" / "0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text(INFORMATION)
    return tmp_path / "gpus"


def test_the_driver_tells_which_index_an_identity_has(driver):
    assert identities(driver) == {"GPU-aaaa-1": "3"}


def test_a_gpu_in_use_is_nobody_elses_by_whatever_name(driver, tmp_path):
    with try_gpu("3", driver, tmp_path) as first:
        assert first
        for name in ("3", "GPU-aaaa-1"):
            with try_gpu(name, driver, tmp_path) as second:
                assert not second
        with try_gpu("2", driver, tmp_path) as other:
            assert other
    with try_gpu("GPU-aaaa-1", driver, tmp_path) as again:
        assert again


def test_a_gpu_has_one_name_of_all_it_has(driver):
    assert [card(name, driver) for name in ("3", "03", "GPU-aaaa-1", "0:1")] == [
        "3",
        "3",
        "3",
        "0:1",
    ]


def test_several_gpus_are_taken_together_or_none_is(driver, tmp_path):
    asked = ("0", "1", "2")
    first, held = try_gpus(asked, 2, driver, tmp_path)
    with held:
        assert first == ("0", "1")
        second, nothing = try_gpus(asked, 2, driver, tmp_path)
        assert second == ()
        with nothing, try_gpu("2", driver, tmp_path) as third:
            assert third, "the one that was free has been kept"
    with try_gpu("1", driver, tmp_path) as one, try_gpus(asked, 2, driver, tmp_path)[1]:
        assert one
        assert try_gpus(asked, 1, driver, tmp_path)[0] == ()


def test_two_that_want_two_of_three_never_share_one_nor_wait_for_ever(driver, tmp_path):
    """In opposite order, as two runs may name their GPUs."""
    users = dict.fromkeys("012", 0)
    most, taken = [], []

    def work(asked):
        deadline = time.monotonic() + 20
        while taken.count(asked) < 30 and time.monotonic() < deadline:
            mine, held = try_gpus(asked, 2, driver, tmp_path)
            with held:
                for gpu in mine:
                    users[gpu] += 1
                    most.append(users[gpu])
                if mine:
                    taken.append(asked)
                for gpu in mine:
                    users[gpu] -= 1

    threads = [threading.Thread(target=work, args=(asked,)) for asked in ("012", "210")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (taken.count("012"), taken.count("210"), max(most)) == (30, 30, 1)


def test_an_index_with_zeros_before_it_is_the_same_gpu(driver, tmp_path):
    with try_gpu("7", driver, tmp_path) as first, try_gpu("007", driver, tmp_path) as second:
        assert (first, second) == (True, False)


def test_a_lock_is_for_all_users_and_no_matter_of_tmpdir(driver, tmp_path, monkeypatch):
    """As two runs have it whose sessions have temporary folders of their own."""
    before = os.umask(0o077)
    try:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(tempfile, "tempdir", None)
        with try_gpu("61", driver) as first:
            monkeypatch.setenv("TMPDIR", "/tmp")
            monkeypatch.setattr(tempfile, "tempdir", None)
            with try_gpu("61", driver) as second:
                assert (first, second) == (True, not os.access("/run/lock", os.W_OK))
        with try_gpu("5", driver, tmp_path):
            assert (tmp_path / "tonegap-gpu-5.lock").stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


def test_a_lock_that_is_a_link_is_refused(driver, tmp_path):
    (tmp_path / "tonegap-gpu-0.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="no lock for GPU 0"), try_gpu("0", driver, tmp_path):
        pass
