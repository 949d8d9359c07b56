"""The store: whole or not at all, one process at a time, and honest about damage."""

import errno
import os
import threading
import time
from pathlib import Path

import msgspec
import pytest

from tonegap.errors import StoreError
from tonegap.formats.matrix import Failure
from tonegap.formats.record import Isolation
from tonegap.store.layout import stage_unit
from tonegap.store.marks import StageMark
from tonegap.store.seals import remove_seal
from tonegap.store.store import Store
from tonegap.untrusted import remove_tree

KEY = "ab" + "0" * 62


def mark(key=KEY, **ingredients):
    return StageMark(
        key=key,
        stage="train",
        plugin="baselines/plain",
        ingredients={"task": "t", "seed": "0", **ingredients},
        environment="e",
        versions={},
        seconds=1.0,
        cpu_seconds=None,
        peak_memory_mib=None,
        isolation=Isolation("local", False, "none", "host", {}),
    )


def failure(key=KEY):
    return Failure(key, "train", "baselines/plain", "timeout", "too long", "2026-01-01T00:00:00")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def commit(store, content="result", **ingredients):
    with store.work_folder("w") as folder:
        (folder / "out").mkdir()
        (folder / "out" / "predictions.csv").write_text(content)
        store.commit_stage(folder / "out", mark(**ingredients))


class TestCommit:
    def test_a_committed_stage_is_there_with_its_mark(self, store):
        assert not store.has_stage(KEY)
        commit(store)
        assert store.has_stage(KEY)
        assert store.read_mark(KEY) == mark()
        assert (store.stage_folder(KEY) / "predictions.csv").read_text() == "result"

    def test_a_folder_without_a_mark_is_not_a_finished_stage_and_gives_way(self, store):
        half = store.stage_folder(KEY)
        half.mkdir(parents=True)
        (half / "predictions.csv").write_text("half")
        assert not store.has_stage(KEY)
        commit(store)
        assert (store.stage_folder(KEY) / "predictions.csv").read_text() == "result"

    def test_a_commit_that_fails_leaves_nothing_under_the_key(self, store, monkeypatch):
        def full(*_args):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left on device; make room"):
            commit(store)
        assert not store.stage_folder(KEY).exists()
        assert list((store.folder / "work").iterdir()) == []

    def test_the_newest_mark_answers_for_the_same_question_alone(self, store):
        commit(store, parameter="1")
        question = {"task": "t", "seed": "0"}
        assert store.last_mark("baselines/plain", "train", question) == mark(parameter="1")
        assert store.last_mark("baselines/plain", "train", {**question, "seed": "1"}) is None
        assert store.last_mark("baselines/other", "train", question) is None


class TestRecords:
    def test_a_record_forgets_an_earlier_failure(self, store):
        store.write_failure(failure())
        assert store.failure_path(KEY).exists()
        store.write_record(KEY, b"{}")
        assert not store.failure_path(KEY).exists()
        assert store.finished_records() == {KEY}

    def test_what_a_cut_off_write_left_beside_is_no_record(self, store):
        (store.folder / "records" / f".{KEY}.json.k3x").write_bytes(b"{")
        assert store.finished_records() == frozenset()

    def test_a_full_disk_keeps_the_record_that_was_there(self, store, monkeypatch):
        store.write_record(KEY, b"old")

        def full(*_args):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="what is finished is kept"):
            store.write_record(KEY, b"new")
        assert store.record_path(KEY).read_bytes() == b"old"


class TestDamage:
    @pytest.mark.parametrize("content", [b"", b'{"key": "ab', b"[]", b"\xff\xfe"])
    def test_a_damaged_mark_is_named(self, store, content):
        commit(store)
        path = store.stage_folder(KEY) / "stage.json"
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"stage.json: is not what was written there; .*again"):
            store.read_mark(KEY)
        remove_seal(store.folder, stage_unit(KEY))  # as in a store of an earlier version
        with pytest.raises(StoreError, match=r"stage.json: damaged .*remove .* and run again"):
            store.read_mark(KEY)

    def test_a_damaged_slot_of_the_newest_mark_explains_nothing(self, store):
        commit(store)
        for path in (store.folder / "last").iterdir():
            path.write_text("{")
        assert store.last_mark("baselines/plain", "train", {"task": "t", "seed": "0"}) is None

    def test_a_store_of_another_layout_is_left_alone(self, store):
        (store.folder / "store.json").write_text('{"schema":"tonegap/store@99"}\n')
        with pytest.raises(StoreError, match="found another layout"):
            Store(store.folder)
        assert "99" in (store.folder / "store.json").read_text()


class TestUnwritable:
    def test_a_file_in_place_of_the_store(self, tmp_path):
        (tmp_path / "runs").write_text("")
        with pytest.raises(StoreError, match=r"runs: cannot keep results there: .*; pass --store"):
            Store(tmp_path / "runs")

    def test_a_file_in_place_of_one_of_its_folders(self, store):
        (store.folder / "records").rmdir()
        (store.folder / "records").write_text("")
        with pytest.raises(StoreError, match="cannot keep results there: File exists"):
            Store(store.folder)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_without_permission(self, tmp_path):
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(StoreError, match="Permission denied"):
            Store(tmp_path / "locked" / "runs")


class TestWork:
    def test_a_work_folder_is_gone_afterwards_even_with_folders_that_refuse(self, store):
        with store.work_folder("w") as folder:
            (folder / "out").mkdir()
            (folder / "out" / "file").write_text("")
            (folder / "out").chmod(0)
        assert not folder.exists()

    def test_a_sweep_takes_the_dead_and_leaves_the_living(self, store):
        dead = store.folder / "work" / "dead.1"
        (dead / "out").mkdir(parents=True)
        (dead / ".lock").write_text("")
        unlocked = store.folder / "work" / "dead.2"
        unlocked.mkdir()
        with store.work_folder("alive") as alive:
            assert store.sweep() == 2
            assert alive.exists()
        assert not dead.exists()
        assert not unlocked.exists()

    def test_a_sweep_takes_half_written_files_of_killed_processes(self, store):
        folders = ("records", "suites", "truth/first", "seals/records", "seals/stages/ab")
        commit(store)
        store.keep("truth/first/place", b"1")
        store.write_record(KEY, b"{}")
        kept = set()
        for folder in (store.folder / name for name in folders):
            folder.mkdir(exist_ok=True)
            dead, alive, other = (
                folder / f".{KEY}.json.{end}" for end in ("ab_1x9zq", "cd_1x9zq", "bak")
            )
            for path in (dead, alive, other):
                path.write_text("{")
            for path in (dead, other):
                os.utime(path, (0, time.time() - 3700))
            kept |= {alive, other}
        whole = {path for path in store.folder.rglob("*") if path.is_file() and path.name[0] != "."}
        store.sweep()
        assert {p for p in store.folder.rglob("*") if p.is_file()} == whole | kept

    def test_a_file_that_somebody_left_in_work_stops_no_sweep(self, store):
        (store.folder / "work" / "README").write_text("hello")
        assert store.sweep() == 0

    def test_a_sweep_never_takes_a_folder_that_is_just_being_made(self, store):
        """Many sweeps against many folders: each must still be there for as long as its block lasts."""
        stop, lost = threading.Event(), []

        def sweep():
            other = Store(store.folder)
            while not stop.is_set():
                other.sweep()

        thread = threading.Thread(target=sweep)
        thread.start()
        for _ in range(200):
            with store.work_folder("w") as folder:
                if not folder.exists():
                    lost.append(folder)
        stop.set()
        thread.join()
        assert lost == []

    def test_a_link_below_a_removed_folder_is_not_followed(self, tmp_path):
        kept = tmp_path / "kept"
        (kept / "inner").mkdir(parents=True)
        (kept / "inner").chmod(0o555)
        (tmp_path / "gone").mkdir()
        (tmp_path / "gone" / "link").symlink_to(kept / "inner")
        remove_tree(tmp_path / "gone")
        assert not (tmp_path / "gone").exists()
        assert (kept / "inner").stat().st_mode & 0o777 == 0o555


class TestLocks:
    def test_a_lock_has_one_holder_and_is_free_again_after_the_block(self, store):
        with store.try_lock("a") as mine:
            assert mine
            with store.try_lock("a") as again, store.try_lock("b") as other:
                assert not again
                assert other
        with store.try_lock("a") as mine:
            assert mine

    def test_a_lock_that_cannot_be_made_is_a_store_error(self, store):
        (store.folder / "locks").rmdir()
        with pytest.raises(StoreError, match="cannot be written"), store.try_lock("a"):
            pass


def test_two_processes_may_open_a_new_store_at_once(tmp_path):
    errors = []

    def open_store():
        try:
            Store(tmp_path / "s")
        except StoreError as e:
            errors.append(e)

    threads = [threading.Thread(target=open_store) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_failure_is_kept_whole(store):
    store.write_failure(failure())
    kept = msgspec.json.decode(Path(store.failure_path(KEY)).read_bytes(), type=Failure)
    assert kept == failure()
