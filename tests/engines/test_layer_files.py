"""Layers of strangers: what a container engine would do with them, and never more than that, with the host beside."""

import io
import tarfile
from pathlib import Path

import pytest

from tonegap.engines.layer_files import tree_stamp, unpack_layer

DIR, LINK, HARD, DEVICE, PIPE = (
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.CHRTYPE,
    tarfile.FIFOTYPE,
)


@pytest.fixture
def host(tmp_path):
    """What must stay as it is, beside the root."""
    (folder := tmp_path / "host").mkdir()
    (folder / "victim").write_text("secret")
    (folder / "victim").chmod(0o600)
    return folder


@pytest.fixture
def unpacked(tmp_path, host):
    """Unpacks layers, one upon the other; a member is (name, text) or (name, kind, link). The host stays as it was."""
    (root := tmp_path / "cache" / "root").mkdir(parents=True)

    def unpack(*layers):
        before = {path: (path.stat(), path.read_text()) for path in host.iterdir()}
        try:
            for number, members in enumerate(layers):
                path = tmp_path / f"{number}.tar"
                with tarfile.open(path, "w") as archive:
                    for name, *said in members:
                        member = tarfile.TarInfo(name.replace("HOST", str(host)))
                        member.mode = 0o4777
                        content = b""
                        if isinstance(said[0], str):
                            content = said[0].encode()
                        else:
                            member.type = said[0]
                            member.linkname = said[1].replace("HOST", str(host)) if said[1:] else ""
                        member.size = len(content)
                        archive.addfile(member, io.BytesIO(content))
                unpack_layer(path, root)
        finally:
            after = {path: (path.stat(), path.read_text()) for path in host.iterdir()}
            assert after == before
        return {
            path.relative_to(root).as_posix(): path.read_text()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }

    unpack.root = root
    return unpack


@pytest.mark.parametrize(
    "layers",
    [
        ([("../../host/.wh.victim", "")],),
        ([("../../.wh.host", "")],),
        ([("../../host/.wh..wh..opq", "")],),
        ([("../../host/victim", "mine")],),
        ([("a/../../../host/victim", "mine")],),
        ([("stolen", HARD, "../../host/victim")],),
        ([("stolen", HARD, "HOST/victim")],),
        ([("a", LINK, "HOST"), ("stolen", HARD, "a/victim")],),
        ([("d", DIR), ("d/.wh...", "")],),
        ([("d", DIR), ("d/.wh.", "")],),
        ([(".", "a file")],),
        ([("a", LINK, "b"), ("b", LINK, "a"), ("a/x", "loop")],),
    ],
    ids=str,
)
def test_what_leads_out_is_refused(unpacked, layers):
    with pytest.raises(tarfile.TarError):
        unpacked(*layers)


@pytest.mark.parametrize(
    "layers",
    [
        ([("a", LINK, "HOST")], [("a/.wh.victim", "")]),
        ([("a", LINK, "HOST")], [("a/.wh..wh..opq", "")]),
        ([("a", LINK, "../../host")], [("a/.wh.victim", "")]),
    ],
    ids=str,
)
def test_what_is_hidden_behind_a_link_is_of_the_image(unpacked, layers):
    assert unpacked(*layers) == {}


def test_a_link_is_followed_as_if_the_folder_were_all(unpacked):
    found = unpacked(
        [("usr/bin", DIR), ("bin", LINK, "/usr/bin"), ("up", LINK, "../../usr")],
        [("bin/sh", "shell"), ("up/more", "more")],
    )
    assert found == {"usr/bin/sh": "shell", "usr/more": "more"}


def test_a_folder_takes_the_place_of_a_link(unpacked):
    found = unpacked([("e/old", "old"), ("d", LINK, "e")], [("d", DIR), ("d/new", "new")])
    assert found == {"d/new": "new", "e/old": "old"}
    assert not (unpacked.root / "d").is_symlink()


def test_a_layer_hides_what_lower_ones_have_and_not_its_own(unpacked):
    found = unpacked(
        [("a/one", "1"), ("a/two", "2"), ("b/three", "3")],
        [("a/.wh.one", ""), ("b/four", "4"), ("b/.wh..wh..opq", ""), ("c/.wh..wh..opq", "")],
    )
    assert found == {"a/two": "2", "b/four": "4"}


def test_devices_pipes_and_links_to_them_are_left_out_and_no_mode_gives_rights(unpacked):
    found = unpacked([("n", DEVICE), ("p", PIPE), ("to-n", HARD, "n"), ("x", "x")])
    assert found == {"x": "x"}
    assert (unpacked.root / "x").stat().st_mode & 0o7777 == 0o755


def test_a_hard_link_is_the_file_of_the_image(unpacked):
    unpacked([("a/x", "x"), ("b", HARD, "a/x"), ("l", LINK, "HOST/victim"), ("m", HARD, "l")])
    assert (unpacked.root / "b").samefile(unpacked.root / "a/x")
    assert (unpacked.root / "m").is_symlink()


def test_a_stamp_follows_names_sizes_modes_and_times(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    file = tmp_path / "a" / "b" / "x"
    file.write_text("one")
    before = tree_stamp(tmp_path)
    assert tree_stamp(tmp_path) == before
    file.chmod(0o600)
    assert (changed := tree_stamp(tmp_path)) != before
    file.write_text("two")
    assert tree_stamp(tmp_path) not in {before, changed}
    file.rename(Path(f"{file}-2"))
    assert tree_stamp(tmp_path) not in {before, changed}
