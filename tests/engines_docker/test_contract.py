"""A stage in a container ends as the contract says, and its cause is the right one."""

import threading
import time
from dataclasses import replace

import pytest
from one_stage import plugin

pytestmark = pytest.mark.container


def wait_for(path, seconds=20):
    deadline = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def only_container(client):
    (found,) = client.containers.list(filters={"label": "tonegap.stage=baselines/plain train"})
    return found


class TestEndings:
    def test_a_stage_that_ends_well_leaves_its_files_and_its_words(self, engine, work):
        result = engine.run(work.spec("ok"))
        assert (result.cause, result.text) == ("ok", "")
        assert (work.out / "made.txt").read_text() == "made"
        assert work.log.read_text() == "a word\n"

    def test_an_exit_code_is_the_methods_error_with_the_last_line_of_its_log_made_printable(
        self, engine, work
    ):
        result = engine.run(work.spec("error"))
        assert result.cause == "method-error"
        assert result.text == "exit code 3; last line of its log: no such ?[31mthing"

    def test_a_crash_is_named_by_its_signal(self, engine, work):
        assert engine.run(work.spec("crash")).text.startswith("crashed with SIGABRT")

    def test_a_command_that_is_not_in_the_image_is_told(self, engine, work):
        result = engine.run(replace(work.spec("ok"), plugin=plugin("no-such-program")))
        assert result.cause in {"method-error", "engine-error"}
        assert "no-such-program" in result.text or "No such file" in result.text

    def test_a_stage_over_its_time_is_ended_and_called_a_timeout(self, engine, work):
        started = time.monotonic()
        result = engine.run(work.spec("sleep", timeout_s=1))
        assert result.cause == "timeout"
        assert 1 <= result.seconds < 3
        assert time.monotonic() - started < 10

    def test_a_stage_that_ignores_the_first_signal_is_killed_after_a_grace(self, engine, work):
        result = engine.run(work.spec("ignore-term", timeout_s=1))
        assert result.cause == "timeout"
        assert 4 <= result.seconds < 8

    def test_a_cancelled_run_ends_its_stage(self, engine, work):
        threading.Timer(1.5, work.cancelled.set).start()
        result = engine.run(work.spec("sleep"))
        assert result.cause == "cancelled"
        assert result.seconds < 6

    def test_a_process_left_behind_ends_with_the_stage(self, engine, work):
        result = engine.run(work.spec("leave-a-child"))
        assert result.cause == "ok"
        assert result.seconds < 10


class TestMemory:
    def test_a_stage_over_its_memory_is_told_so(self, engine, work, product):
        mode = "oom" if product == "docker" else "oom-slowly"
        result = engine.run(work.spec(mode, memory_mib=64))
        assert result.cause == "oom"
        assert "64 MiB" in result.text

    def test_a_worker_killed_for_memory_is_told_beside_the_exit_code(self, engine, work, product):
        result = engine.run(work.spec("oom-child", memory_mib=64))
        if product == "podman":  # it does not say
            assert result.text == "exit code 3; last line of its log: a worker died"
        else:
            assert result.cause == "oom"
            assert "exit code 3; last line of its log: a worker died" in result.text

    def test_a_kill_from_outside_is_no_lack_of_memory(self, engine, work, client):
        results = []
        thread = threading.Thread(target=lambda: results.append(engine.run(work.spec("sleep"))))
        thread.start()
        wait_for(work.out / "pid")
        only_container(client).kill()
        thread.join(30)
        assert [result.cause for result in results] == ["killed"]
        assert "which tonegap did not send" in results[0].text

    def test_memory_and_processor_time_of_a_stage_are_measured(self, engine, work):
        result = engine.run(work.spec("oom-slowly", memory_mib=100))
        assert 70 < result.peak_memory_mib < 110
        assert result.cpu_seconds > 0


class TestOutput:
    def test_a_stage_over_its_output_is_ended(self, engine, work):
        result = engine.run(work.spec("quota", output_mib=5))
        assert result.cause == "bad-output"
        assert "its limit is 5" in result.text
        assert sum(path.stat().st_size for path in work.out.iterdir()) < 60 << 20

    def test_files_deleted_while_they_are_open_count_as_output(self, engine, work):
        result = engine.run(work.spec("deleted", output_mib=15))
        assert result.cause == "bad-output"
        assert "its limit is 15" in result.text

    def test_what_a_stage_leaves_belongs_to_the_caller_with_plain_modes(self, engine, work):
        assert engine.run(work.spec("modes")).cause == "ok"
        weights = work.out / "model" / "weights"
        assert weights.stat().st_uid == work.folder.stat().st_uid
        assert oct(weights.stat().st_mode) == "0o100755"
        assert oct(weights.parent.stat().st_mode) == "0o40755"


class TestLog:
    def test_progress_lines_move_the_display_and_stay_out_of_the_log(self, engine, work):
        assert engine.run(work.spec("progress")).cause == "ok"
        assert work.progress == [(1, 3), (2, 3), (3, 3)]
        assert work.log.read_text() == "said tonegap-progress 9 9\n"

    @pytest.mark.slow
    def test_a_gigabyte_of_words_is_cut_to_its_first_8_mib_and_its_end(self, engine, work):
        result = engine.run(work.spec("flood", timeout_s=120))
        assert result.cause == "ok"
        log = work.log.read_bytes()
        assert 8 << 20 <= len(log) < (8 << 20) + 20_000
        assert log.endswith(b"the end\n")
        assert b"[log cut:" in log
