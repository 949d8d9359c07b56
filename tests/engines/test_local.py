"""How a stage on the local engine can end, behind every wall; plug-ins are plain shell where they can be."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from tonegap.declared.plugin import Plugin, PluginFile
from tonegap.declared.suite import Limits
from tonegap.engines import local, sandbox, stage_limits
from tonegap.engines.local import LocalEngine
from tonegap.errors import EngineError

PYTHON = ("python", "stage.py")


def processes_with(word):
    """Pids whose command line holds the word."""
    lines = {p.pid: p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])}
    return [pid for pid, line in lines.items() if any(word in part for part in line)]


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


class TestEnds:
    def test_ok_with_its_outputs_and_its_log(self, stage):
        (stage.folder / "in" / "job.json").write_text("{}")
        result = stage('echo "$1 $2 $4"; echo oops >&2; cat "$3/job.json" > "$5/copy"')
        assert (result.cause, result.text) == ("ok", "")
        assert stage.log == "train --in --out\noops\n"
        assert (stage.out / "copy").read_text() == "{}"

    def test_an_exit_code_is_told_with_the_last_line_of_the_log(self, stage):
        result = stage("echo one; echo 'ValueError: no such class' >&2; echo; exit 7")
        assert result.cause == "method-error"
        assert result.text == "exit code 7; last line of its log: ValueError: no such class"

    def test_a_silent_failure_is_told_as_one(self, stage):
        assert stage("exit 1").text == "exit code 1; its log is empty"

    def test_the_last_line_is_printable_and_short(self, stage):
        result = stage(r"printf '\033[31m%0400d\n' 1; exit 1")
        assert "\033" not in result.text
        assert len(result.text) < 350

    def test_a_command_that_is_not_there(self, stage):
        stage.command = ("no-such-program", "stage.sh")
        result = stage("")
        assert result.cause == "method-error"
        assert "no-such-program" in result.text

    def test_a_crash_is_named(self, stage):
        result = stage("kill -SEGV $$")
        assert result.cause == "method-error"
        assert result.text.startswith("crashed with SIGSEGV")

    def test_timeout_is_told_to_the_stage_before_it_is_killed(self, stage):
        code = "trap 'echo saving; exit 0' TERM; while true; do sleep 0.1; done"
        result = stage(code, timeout_s=1)
        assert result.cause == "timeout"
        assert result.text == "still running after its time limit of 1 s"
        assert "saving" in stage.log
        assert result.seconds < 3

    def test_timeout_of_a_stage_that_does_not_listen(self, stage, monkeypatch):
        monkeypatch.setattr(stage_limits, "GRACE_S", 0.6)
        result = stage("trap '' TERM; while true; do sleep 0.1; done", timeout_s=1)
        assert result.cause == "timeout"
        assert 1.6 <= result.seconds < 3.5

    def test_a_stage_over_its_memory_limit(self, stage):
        stage.command = PYTHON
        code = "import time\nkeep = b'x' * (300 << 20)\ntime.sleep(10)\n"
        result = stage(code, memory_mib=200)
        assert result.cause == "oom"
        assert result.text.endswith("its limit is 200")
        assert result.peak_memory_mib > 200
        assert result.seconds < 5

    def test_mapped_files_are_not_the_stages_memory(self, stage):
        """Packs are mapped: whoever reads 300 MiB of images does not use 300 MiB of memory."""
        stage.command = PYTHON
        with (stage.folder / "in" / "train.npy").open("wb") as f:
            f.truncate(300 << 20)
        code = """
import mmap, sys, time
with open(sys.argv[3] + "/train.npy", "rb") as f:
    view = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    print(sum(view[i] for i in range(0, len(view), 4096)))
    time.sleep(2)  # looked at meanwhile, on a busy machine too
"""
        result = stage(code, memory_mib=200)
        assert result.cause == "ok"
        assert result.peak_memory_mib > 300  # it is told all the same

    def test_killed_from_outside(self, stage):
        done = []
        thread = threading.Thread(
            target=lambda: done.append(stage("exec sleep 61.25")), daemon=True
        )
        thread.start()
        wait_for(lambda: processes_with("61.25"))
        stage_pid = max(processes_with("61.25"))
        os.kill(stage_pid, signal.SIGKILL)
        thread.join(10)
        assert done[0].cause == "killed"
        assert done[0].text == "ended by SIGKILL, which tonegap did not send"

    def test_cancelled(self, stage):
        threading.Timer(0.5, stage.cancelled.set).start()
        result = stage("sleep 30")
        assert result.cause == "cancelled"
        assert result.seconds < 3

    def test_many_small_files_over_the_output_limit(self, stage):
        stage.command = PYTHON
        code = """
import sys, time
for i in range(300):
    open(f"{sys.argv[5]}/{i}", "wb").write(b"x" * 50_000)
time.sleep(10)
"""
        result = stage(code, output_mib=3)
        assert result.cause == "bad-output"
        assert result.text.endswith("MiB; its limit is 3")
        assert result.seconds < 5

    def test_too_much_output_in_less_time_than_a_look(self, stage):
        result = stage('head -c 6000000 /dev/zero > "$5/a"; head -c 6000000 /dev/zero > "$5/b"')
        assert result.cause == "bad-output"

    def test_one_huge_file_cannot_fill_the_disk(self, stage):
        result = stage('head -c 1000000000 /dev/zero > "$5/huge"; exit 0', output_mib=5)
        assert result.cause == "bad-output"
        assert (stage.out / "huge").stat().st_size <= 6 << 20

    def test_the_temporary_folder_counts_as_well(self, stage):
        result = stage('head -c 9000000 /dev/zero > "$TMPDIR/scratch"', output_mib=5)
        assert result.cause == "bad-output"


class TestLog:
    def test_a_hundred_megabytes_of_log_are_cut_and_keep_the_end(self, bare):
        line = "x" * 99
        code = f"yes {line} | head -n 1000000; echo the end; exit 1"
        result = bare(code)
        assert result.text == "exit code 1; last line of its log: the end"
        assert len(bare.log) < 9 << 20
        assert bare.log.endswith("the end\n")
        assert "[log cut: 8 MiB kept" in bare.log

    def test_a_log_without_line_ends_is_bounded_in_memory(self, bare):
        before = psutil.Process().memory_info().rss
        result = bare("head -c 100000000 /dev/zero; exit 0")
        assert result.cause == "ok"
        assert psutil.Process().memory_info().rss - before < 60 << 20
        assert len(bare.log) < 9 << 20

    def test_progress_lines_move_the_display_and_are_not_in_the_log(self, bare):
        bare(
            "echo tonegap-progress 1 4 >&2; echo a; echo 'tonegap-progress x 4'; "
            "echo ' tonegap-progress 2 4'; echo tonegap-progress 3 4; printf 'tonegap-progress 4 4'"
        )
        assert bare.progress == [(1, 4), (3, 4)]
        assert bare.log == "a\ntonegap-progress x 4\n tonegap-progress 2 4\ntonegap-progress 4 4"

    def test_a_progress_line_that_comes_in_two_pieces(self, bare):
        bare("printf tonegap-prog; sleep 0.2; echo ress 2 9")
        assert bare.progress == [(2, 9)]

    def test_bytes_that_are_no_text(self, bare):
        result = bare(r"printf '\377\376\n'; exit 1")
        assert result.text.startswith("exit code 1; last line of its log: ")


class TestNobodyIsLeft:
    def test_after_a_good_end(self, stage):
        code = "sleep 62.25 & setsid sleep 62.25 & setsid sh -c 'sleep 62.25 & exit 0' & sleep 0.3"
        result = stage(code)
        assert result.cause == "ok"
        wait_for(lambda: not processes_with("62.25"), 3)

    def test_after_a_timeout(self, stage, monkeypatch):
        monkeypatch.setattr(stage_limits, "GRACE_S", 0.3)
        code = "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 63.25; sleep 63.25' & sleep 63.25"
        assert stage(code, timeout_s=1).cause == "timeout"
        wait_for(lambda: not processes_with("63.25"), 3)

    def test_a_daemon_that_keeps_the_pipe_open_holds_nobody_up(self, stage):
        began = time.monotonic()
        assert stage("setsid sleep 64.25 & exit 0").cause == "ok"
        assert time.monotonic() - began < 2.5
        wait_for(lambda: not processes_with("64.25"), 3)

    def test_after_the_runner_was_killed_with_9(self, stage):
        code = "setsid sleep 65.25 & sleep 65.25"
        (stage.folder / "plugin" / "stage.sh").write_text(code)
        runner = subprocess.Popen(
            [
                *(sys.executable, str(Path(__file__).with_name("run_one.py"))),
                *(str(stage.folder), local.sandbox_kind()),
            ]
        )
        wait_for(lambda: len(processes_with("65.25")) >= 2)
        runner.kill()
        runner.wait()
        wait_for(lambda: not processes_with("65.25"), 5)

    def test_after_a_stage_killed_its_parent(self, stage):
        code = "setsid sleep 66.25 & sleep 0.3; kill -9 $PPID; sleep 0.3; exit 0"
        began = time.monotonic()
        assert stage(code).cause in {"killed", "ok"}  # behind bubblewrap there is no such parent
        assert time.monotonic() - began < 5
        wait_for(lambda: not processes_with("66.25"), 2)

    def test_after_a_stage_stopped_its_parent(self, stage, monkeypatch):
        monkeypatch.setattr(stage_limits, "GRACE_S", 0.3)
        code = "setsid sleep 67.25 & kill -STOP $PPID; sleep 67.25"
        assert stage(code, timeout_s=1).cause == "timeout"
        wait_for(lambda: not processes_with("67.25"), 2)

    @pytest.mark.parametrize("waits", [True, False])
    def test_after_a_chain_of_processes_that_each_start_the_next(self, stage, monkeypatch, waits):
        monkeypatch.setattr(stage_limits, "GRACE_S", 0.3)
        stage.command = PYTHON
        code = f"""
import os, time
if os.fork() == 0:
    while True:
        os.setsid()
        if os.fork():
            os._exit(0)
time.sleep(60 if {waits} else 0.3)
"""
        result = stage(code, timeout_s=1 if waits else 20)
        assert result.cause == ("timeout" if waits else "ok")
        assert result.seconds < 10
        wait_for(lambda: not processes_with(str(stage.folder)), 2)


class TestWithoutWalls:
    def test_inputs_can_be_changed_and_the_store_is_not(self, stage):
        """Packs are hard links into the store."""
        pack = stage.folder / "pack.npy"
        pack.write_text("pixels")
        pack.chmod(0o444)
        given = stage.folder / "in" / "files"
        given.mkdir()
        for place in (stage.folder / "in" / "train.npy", given / "weights"):
            place.hardlink_to(pack)
        code = 'for f in "$3/train.npy" "$3/files/weights"; do chmod 666 $f; echo x > $f; done; cat "$3/train.npy"'
        stage(code)
        assert pack.read_text() == "pixels"
        assert stage.log == ("x\n" if local.sandbox_kind() != "bubblewrap" else stage.log)

    def test_a_link_in_place_of_out_is_refused_and_not_followed(self, bare):
        victim = bare.folder / "victim"
        victim.mkdir()
        (victim / "photo.png").write_text("precious")
        result = bare(f'rm -r "$5" && ln -s {victim} "$5"')
        assert result.cause == "bad-output"
        assert result.text.startswith("/out or TMPDIR was removed or replaced")
        assert (victim / "photo.png").read_text() == "precious"

    def test_out_removed(self, bare):
        assert bare('rm -r "$5"; sleep 1').cause == "bad-output"


class TestSurroundings:
    def test_variables_of_the_caller_do_not_leak(self, stage, monkeypatch):
        monkeypatch.setenv("SECRET_TOKEN", "hunter2")
        monkeypatch.setenv("PYTHONSTARTUP", "/etc/passwd")
        monkeypatch.setenv("HTTP_PROXY", "http://proxy")
        assert stage("env").cause == "ok"
        assert "hunter2" not in stage.log
        names = {line.split("=")[0] for line in stage.log.splitlines()}
        assert not names & {"PYTHONSTARTUP", "HTTP_PROXY", "SECRET_TOKEN"}

    def test_the_variables_that_the_contract_promises(self, stage):
        stage("env")
        found = dict(line.split("=", 1) for line in stage.log.splitlines() if "=" in line)
        assert found["PYTHONHASHSEED"] == "0"
        assert found["TZ"] == "UTC"
        assert found["OMP_NUM_THREADS"] == "2"
        assert found["HF_HUB_OFFLINE"] == "1"
        assert found["CUDA_VISIBLE_DEVICES"] == ""

    def test_it_runs_in_its_own_folder_and_may_write_to_out_and_tmp(self, stage):
        (stage.folder / "plugin" / "beside.txt").write_text("hello")
        result = stage(
            'cat beside.txt; echo 1 > "$5/a" && echo 2 > "$TMPDIR/b" && echo 3 > "$HOME/c"'
        )
        assert result.cause == "ok"
        assert stage.log == "hello"

    def test_standard_input_is_empty(self, stage):
        assert stage("cat; echo done").cause == "ok"
        assert stage.log == "done\n"

    def test_python_means_the_interpreter_that_runs_tonegap_and_finds_the_kit(self, stage):
        stage.command = PYTHON
        (stage.folder / "kit" / "tools.py").write_text("word = 'kit'\n")
        assert stage("import sys, tools\nprint(sys.executable, tools.word)\n").cause == "ok"
        assert stage.log == f"{sys.executable} kit\n"

    def test_numpy_of_the_interpreter_can_be_imported(self, stage):
        stage.command = PYTHON
        assert stage("import numpy\nprint(numpy.arange(3).sum())\n").cause == "ok"
        assert stage.log == "3\n"

    def test_a_core_is_never_dumped(self, stage):
        stage("ulimit -c")
        assert stage.log == "0\n"


class TestBubblewrap:
    def test_the_host_cannot_be_seen(self, walled, tmp_path):
        secret = tmp_path / "secret.txt"
        secret.write_text("hunter2")
        walled(f"cat {secret}; ls /home /root {tmp_path} {Path.home()}; ls -a /; exit 0")
        assert "hunter2" not in walled.log
        assert f"cat: {secret}: No such file or directory" in walled.log
        assert {"in", "out", "plugin", "kit"} <= set(walled.log.split())

    def test_labels_that_an_installed_package_holds_cannot_be_seen(self, walled, monkeypatch):
        # As a wheel has it: the suite root, with metadata of test images, among the packages of the interpreter.
        site = Path(sysconfig.get_path("purelib"))
        with tempfile.TemporaryDirectory(prefix="tonegap-", dir=site) as name:
            monkeypatch.setattr(sandbox, "PACKAGE", Path(name).name)
            (Path(name) / "metadata.csv").write_text("a1,melanoma\n")
            walled.command = PYTHON
            code = f"import os\nprint(os.listdir({name!r}), len(os.listdir({str(site)!r})) > 1)"
            assert walled(code).cause == "ok"
        assert walled.log == "[] True\n"

    def test_packages_of_another_environment_on_the_path_can_be_seen_and_tonegap_in_them_not(
        self, walled, tmp_path, monkeypatch
    ):
        site = tmp_path / "other/site-packages"
        (site / "tonegap").mkdir(parents=True)
        (site / "tonegap/labels.csv").write_text("a,b\n")
        (site / "elsewhere.py").write_text("found = 7\n")
        monkeypatch.setattr(sys, "path", [*sys.path, str(site), str(tmp_path)])
        result = walled(f"cat {site}/elsewhere.py; ls {site}/tonegap {tmp_path}; exit 3")
        assert "found = 7" in walled.log, result.text
        assert "labels.csv" not in walled.log
        assert set(walled.log.split()) <= {
            "found",
            "=",
            "7",
            f"{site}/tonegap:",
            f"{tmp_path}:",
            "other",
        }

    def test_there_is_no_network(self, walled):
        walled.command = PYTHON
        code = """
import socket
print(sorted(name for _, name in socket.if_nameindex()))
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError as e:
    print(type(e).__name__, e.errno)
"""
        assert walled(code).cause == "ok"
        assert walled.log.splitlines()[0] == "['lo']"
        assert "101" in walled.log  # network is unreachable

    @pytest.mark.parametrize("folder", ["/in", "/plugin", "/kit", "/usr", "/etc", "/", "/dev"])
    def test_only_out_and_tmp_can_be_written(self, walled, folder):
        result = walled(f"echo x > {folder}/new && echo written")
        assert result.cause == "method-error"
        assert "written" not in walled.log

    def test_inputs_cannot_be_changed_in_place(self, walled):
        path = walled.folder / "in" / "train.npy"
        path.write_text("pixels")
        path.chmod(0o444)
        walled("chmod 666 /in/train.npy; echo x > /in/train.npy; rm -f /in/train.npy; exit 0")
        assert path.read_text() == "pixels"

    def test_no_process_of_the_host_can_be_seen(self, walled):
        walled("ls /proc | grep -c '^[0-9]'")
        assert int(walled.log) < 8

    def test_it_has_no_capability(self, walled):
        walled("grep CapEff /proc/self/status")
        assert walled.log.split()[1].strip("0") == ""

    def test_a_plug_in_below_tmp_and_one_with_a_blank_in_its_path_work(self, walled):
        place = walled.__class__(walled.folder / "with blank")
        assert place("echo hello").cause == "ok"
        assert place.log == "hello\n"


class TestIsolation:
    @pytest.mark.parametrize(
        ("kind", "network", "files", "unseen"),
        [
            ("bubblewrap", "none", "allow-list, read-only (bubblewrap)", ""),
            ("unshare", "none", "host", "; not seen: files left closed in /dev/shm"),
            ("none", "host", "host", "; not seen: files left closed in /dev/shm"),
        ],
    )
    def test_a_record_says_what_was_in_force(self, monkeypatch, kind, network, files, unseen):
        monkeypatch.setattr(local, "mounts_nothing", lambda: True)
        monkeypatch.setattr(local, "sandbox_kind", lambda: kind)
        found = LocalEngine(Path("kit")).isolation(Limits(1, 2, 3))
        assert (found.engine, found.contained) == ("local", False)
        assert (found.network, found.files) == (network, files)
        assert found.limits["time"] == "1 s, enforced"
        assert found.limits["memory"] == f"2 MiB, watched{unseen}"

    def test_a_record_says_where_an_old_bubblewrap_lets_a_stage_mount(self, monkeypatch):
        monkeypatch.setattr(local, "sandbox_kind", lambda: "bubblewrap")
        monkeypatch.setattr(local, "mounts_nothing", lambda: False)
        found = LocalEngine(Path("kit")).isolation(Limits(1, 2, 3))
        assert found.limits["memory"] == "2 MiB, watched; not seen: file systems that it mounts"

    def test_unshare_has_no_network(self, stage):
        if local.sandbox_kind() == "unshare":
            stage("cat /proc/net/dev | tail -n +3")
            assert {line.split(":")[0].strip() for line in stage.log.splitlines()} <= {"lo"}

    def test_a_requirement_of_the_kit_that_is_not_installed(self, tmp_path):
        (tmp_path / "requirements.in").write_text("numpy>=2  # arrays\nno-such-package>=1\n")
        about = PluginFile("t", "a", command=("python", "x.py"), stages=("train",))
        plugin = Plugin("plain", "baseline", tmp_path, about)
        with pytest.raises(
            EngineError,
            match=r"has no no-such-package; .* its extra local \(in a clone: pip install -e '.\[local\]'",
        ):
            LocalEngine(tmp_path).environment(plugin)

    def test_the_environment_names_the_versions_of_what_the_kit_requires(self, tmp_path):
        (tmp_path / "requirements.in").write_text("numpy>=2\n")
        about = PluginFile("t", "a", command=("python", "x.py"), stages=("train",))
        found = LocalEngine(tmp_path).environment(Plugin("p", "baseline", tmp_path, about))
        assert found.versions.keys() == {"python", "machine", "numpy"}

    def test_what_a_base_puts_beside_the_kit_is_part_of_the_environment(self, tmp_path):
        kit = tmp_path / "docker" / "kit"
        for path, text in {
            kit / "requirements.in": "numpy>=2\n",
            tmp_path / "docker/locks/more.in": "# words\npandas\n",
            tmp_path / "docker/base-more/image.toml": (
                'base = "base-cuda"\nwheels = { "more.txt" = "/opt/more" }\n'
            ),
            tmp_path / "plain/Dockerfile": "ARG BASE_IMAGE=base-more\n",
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        about = PluginFile("t", "a", command=("python", "x.py"), stages=("train",))
        plugin = Plugin("plain", "baseline", tmp_path / "plain", about)
        found = LocalEngine(kit).environment(plugin)
        assert found.versions.keys() == {"python", "machine", "numpy", "pandas"}

        (tmp_path / "docker/locks/more.in").write_text("no-such-package\n")
        with pytest.raises(
            EngineError,
            match=r"has no no-such-package; .* its extra more \(in a clone: pip install -e '.\[more\]'",
        ):
            LocalEngine(kit).environment(plugin)

    def test_a_plug_in_without_stages_has_no_environment(self, tmp_path):
        plugin = Plugin("none", "method", tmp_path, PluginFile("t", "a"))
        assert LocalEngine(tmp_path).environment(plugin).versions == {}


def test_names_of_requirements_are_read_as_installers_read_them(tmp_path):
    lines = [
        "# what it needs",
        "pyarrow~=15.0  # tables",
        "torch!=2.1",
        "pillow[xmp]>=10",
        "scipy ; python_version >= '3'",
        "old ; python_version < '3'",
        "",
    ]
    (path := tmp_path / "own.in").write_text("\n".join(lines))
    assert local.requirements(path) == ["pyarrow", "torch", "pillow", "scipy"]
    path.write_text("not a requirement\n")
    with pytest.raises(EngineError, match=r"own\.in: .*wanted a requirement a line"):
        local.requirements(path)


@pytest.mark.usefixtures("walled")
def test_a_sandbox_shows_the_devices_of_the_gpus_that_a_stage_is_given_and_no_other(tmp_path):
    mounts = sandbox.Mounts(*(tmp_path,) * 5)

    def nodes(*names):
        argv = sandbox.sandbox_argv("bubblewrap", mounts, names, 512)
        return [word for word in argv if re.fullmatch(r"/dev/nvidia\d+", word)][::2]

    assert (nodes(), nodes("1"), nodes("0", "2")) == (
        [],
        ["/dev/nvidia1"],
        ["/dev/nvidia0", "/dev/nvidia2"],
    )
