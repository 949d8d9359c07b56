"""What a store keeps is held against what was written: fast by size and time, by content where these differ."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonegap.errors import StoreError
from tonegap.files import sha256_bytes
from tonegap.formats.job import ImageSpec
from tonegap.run.decoded_arrays import ensure_pack
from tonegap.store import seals
from tonegap.store.seals import damage, read_sealed, remove_seal, write_seal
from tonegap.store.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def sealed(store, unit="records/a.json", content=b"0.75"):
    store.keep(unit, content)
    return store.folder / unit


def keep_times(path, change):
    """Changes a file behind its time of change, as a failing disk would."""
    before = path.stat()
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class TestAFile:
    def test_what_was_written_is_sound(self, store):
        sealed(store)
        assert damage(store.folder, "records/a.json") is None

    def test_what_lost_its_seal_among_others_is_named_and_never_read(self, store):
        sealed(store)
        (store.folder / "records/b.json").write_bytes(b"anything")
        assert damage(store.folder, "records/b.json") == "records/b.json is not what was written"
        with pytest.raises(StoreError, match=r"b\.json: is not what was written there"):
            read_sealed(store.folder, "records/b.json")
        assert read_sealed(store.folder, "records/c.json") is None

    def test_nothing_is_known_where_nothing_is_sealed(self, store):
        (store.folder / "records").mkdir(parents=True, exist_ok=True)
        (store.folder / "records/b.json").write_bytes(b"anything")
        assert damage(store.folder, "records/b.json") is None
        assert read_sealed(store.folder, "records/b.json") == b"anything"

    def test_an_edit_is_named_and_never_read(self, store):
        sealed(store).write_bytes(b"0.95")
        assert store.damage("records/a.json") == "records/a.json is not what was written"
        with pytest.raises(StoreError, match=r"a\.json: is not what was written there; .* again"):
            read_sealed(store.folder, "records/a.json")

    def test_a_change_behind_the_times_takes_a_deep_look(self, store):
        path = sealed(store)
        keep_times(path, lambda: path.write_bytes(b"0.95"))
        assert damage(store.folder, "records/a.json") is None
        assert Store(store.folder, deep=True).damage("records/a.json") is not None
        with pytest.raises(StoreError):  # what is read is always hashed
            read_sealed(store.folder, "records/a.json")

    def test_other_times_of_the_same_content_are_no_damage_and_are_hashed_once(
        self, store, monkeypatch
    ):
        path = sealed(store)
        os.utime(path, ns=(1, 978_307_200_000_000_000))  # a copy with times of 2001
        assert damage(store.folder, "records/a.json") is None
        monkeypatch.setattr(seals, "_sha256", lambda _path: pytest.fail("hashed again"))
        assert damage(store.folder, "records/a.json") is None

    @pytest.mark.parametrize("become", ["gone", "folder", "loop"])
    def test_what_is_no_file_any_more_is_named_and_can_be_written_again(self, store, become):
        path = sealed(store)
        path.unlink()
        if become == "folder":
            path.mkdir()
        elif become == "loop":
            path.symlink_to(path.name)
        assert damage(store.folder, "records/a.json").startswith("records/a.json ")
        sealed(store)
        assert read_sealed(store.folder, "records/a.json") == b"0.75"

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"":{"sha256":"1"}}'])
    def test_a_damaged_seal_fits_nothing(self, store, content):
        sealed(store)
        (store.folder / "seals/records/a.json.json").write_bytes(content)
        assert damage(store.folder, "records/a.json") is not None

    def test_the_seals_of_two_swapped_files_fit_neither(self, store):
        one, two = sealed(store), sealed(store, "records/b.json", b"0.5")
        one.write_bytes(b"0.5")
        two.write_bytes(b"0.75")
        assert store.damage("records/a.json")
        assert store.damage("records/b.json")

    def test_a_reader_between_a_file_and_its_seal_looks_again(self, store, monkeypatch):
        """Another process writes the file first and its seal a moment later."""
        path = sealed(store)
        path.write_bytes(b"0.95")
        monkeypatch.setattr(
            seals.time, "sleep", lambda _s: write_seal(store.folder, "records/a.json")
        )
        assert read_sealed(store.folder, "records/a.json") == b"0.95"


class TestAFolder:
    @pytest.fixture
    def folder(self, store):
        path = store.folder / "stages/ab/abc"
        (path / "images/inner").mkdir(parents=True)
        (path / "images/inner/0.png").write_bytes(b"white")
        (path / "images/1.png").write_bytes(b"black")
        (path / "synthetic.csv").write_bytes(b"rows")
        (path / "log.txt").write_bytes(b"words")
        write_seal(store.folder, "stages/ab/abc")
        return path

    def test_its_entries_are_sealed_one_by_one_and_a_log_is_not(self, store, folder):
        (folder / "log.txt").write_bytes(b"other")
        (folder / "README").write_bytes(b"new, and nobody's input")
        assert store.damage("stages/ab/abc") is None
        (folder / "images/inner/0.png").write_bytes(b"wh1te")
        assert store.damage("stages/ab/abc", without={"images"}) is None
        assert store.damage("stages/ab/abc") == "stages/ab/abc/images is not what was written"

    def test_a_file_that_was_added_to_images_changes_them(self, store, folder):
        (folder / "images/2.png").write_bytes(b"")
        assert store.damage("stages/ab/abc") == "stages/ab/abc/images is not what was written"

    def test_two_images_that_changed_places_change_them(self, store, folder):
        one, two = folder / "images/1.png", folder / "images/inner/0.png"
        one.rename(folder / "aside")
        two.rename(one)
        (folder / "aside").rename(two)
        assert store.damage("stages/ab/abc")

    def test_other_times_alone_change_nothing(self, store, folder):
        for path in folder.rglob("*"):
            os.utime(path, ns=(1, 1))
        assert store.damage("stages/ab/abc") is None


class TestPacks:
    def pack(self, store, tmp_path):
        path = tmp_path / "1.png"
        Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(path)
        return ensure_pack(store, [path], ["a"], ImageSpec(8, "crop"))

    @pytest.mark.parametrize("content", ["zeros", "short"])
    def test_a_damaged_pack_is_made_again_and_said(self, store, tmp_path, content):
        path = self.pack(store, tmp_path)
        whole = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes(len(whole)) if content == "zeros" else whole[:-10])
        assert self.pack(store, tmp_path) == path
        assert path.read_bytes() == whole
        assert np.load(path).min() == 200
        assert store.mended == [f"packs/{path.name} is not what was written"]

    def test_a_link_loop_in_its_place_too(self, store, tmp_path):
        path = self.pack(store, tmp_path)
        path.unlink()
        path.symlink_to(path.name)
        assert np.load(self.pack(store, tmp_path)).min() == 200

    def test_a_deep_look_finds_what_kept_its_times(self, store, tmp_path):
        path = self.pack(store, tmp_path)
        whole = path.read_bytes()
        path.chmod(0o644)
        keep_times(path, lambda: path.write_bytes(bytes(len(whole))))
        deep = Store(store.folder, deep=True)
        self.pack(deep, tmp_path)
        assert path.read_bytes() == whole
        assert len(deep.mended) == 1


class TestTruths:
    def test_a_damaged_truth_is_written_again(self, store):
        sha256 = store.keep_truth(b"truth")
        store.truth_path(sha256).write_bytes(b"truht")
        assert store.keep_truth(b"truth") == sha256
        assert store.truth_path(sha256).read_bytes() == b"truth"

    @pytest.mark.parametrize("content", [None, b"{"])
    def test_a_damaged_seal_of_a_truth_is_made_again(self, store, content):
        """The truth itself is sound: the next run has nothing to write again but the seal."""
        sha256 = store.keep_truth(b"truth")
        seal = store.folder / f"seals/truth/{sha256}.csv.json"
        other = seal.read_text().replace(sha256, "0" * 64).encode()
        seal.write_bytes(content or other)
        with pytest.raises(StoreError):
            read_sealed(store.folder, f"truth/{sha256}.csv")
        store.keep_truth(b"truth")
        assert read_sealed(store.folder, f"truth/{sha256}.csv") == b"truth"

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"0" * 64 + b"\n"])
    def test_a_damaged_first_truth_is_found_among_the_truths(self, store, content):
        from tonegap.store.marks import first_truth

        sha256 = store.keep_truth(b"truth")
        store.keep_truth(b"another")
        store.remember_truth("place", sha256)
        (store.folder / "truth/first/place").write_bytes(content)
        assert first_truth(store.folder, "place") == sha256 == sha256_bytes(b"truth")
        store.truth_path(sha256).unlink()
        with pytest.raises(StoreError, match="remove it, and the next run"):
            first_truth(store.folder, "place")

    @pytest.mark.parametrize(
        "content", [b"", b"\xff\xfe", b"0" * 63 + b"\xe9", b"../../etc/passwd\n"]
    )
    def test_one_without_a_seal_that_is_no_digest_is_named(self, store, content):
        """As in a store of an earlier version: with a seal it could be found again."""
        from tonegap.store.marks import first_truth

        sha256 = store.keep_truth(b"truth")
        store.remember_truth("place", sha256)
        remove_seal(store.folder, "truth/first/place")
        assert first_truth(store.folder, "place") == sha256
        (store.folder / "truth/first/place").write_bytes(content)
        with pytest.raises(
            StoreError, match="truth/first/place: is no SHA-256; remove it, and the"
        ):
            first_truth(store.folder, "place")


def test_a_file_and_its_folder_reach_the_disk_before_a_write_returns(tmp_path, monkeypatch):
    synced = []

    def fsync(handle):
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())

    monkeypatch.setattr(os, "fsync", fsync)
    Store(tmp_path / "store").keep("records/a.json", b"1")
    folder = tmp_path / "store/records"
    assert [p.parent for p in synced].count(folder) == 1  # the file, beside its place
    assert folder in synced


def test_a_file_system_that_cannot_sync_folders_is_no_fault(tmp_path, monkeypatch):
    whole = os.fsync

    def fsync(handle):
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        whole(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    store = Store(tmp_path / "store")
    store.keep("records/a.json", b"1")
    assert read_sealed(store.folder, "records/a.json") == b"1"


class TestReadOnly:
    def test_a_store_that_is_only_read_makes_nothing(self, tmp_path):
        store = Store(tmp_path / "none", read_only=True)
        assert store.finished_records() == frozenset()
        assert not (tmp_path / "none").exists()

    def test_another_layout_is_refused_all_the_same(self, store):
        (store.folder / "store.json").write_text('{"schema":"tonegap/store@99"}\n')
        with pytest.raises(StoreError, match="another layout"):
            Store(store.folder, read_only=True)
