"""Layers of strangers put into a folder: what a container would see, and nothing of the host touched."""

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from tonegap.engines.images.unpack import place_in, tree_stamp, unpack_layer

FOLDER, LINK, HARD, DEVICE = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE


class Rooms:
    """A folder to unpack into, a file of the host beside it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.host = folder / "root", folder / "host"
        self.root.mkdir()
        self.host.mkdir()
        self.victim = self.host / "victim"
        self.victim.write_text("secret")
        self.victim.chmod(0o600)

    def unpack(self, *members: tuple[str, bytes | str]) -> None:
        """A layer of files (bytes), symbolic links (text), or other types (`TYPE:LINK`)."""
        path = self.root.with_name("layer.tar")
        with tarfile.open(path, "w") as archive:
            for name, content in members:
                member = tarfile.TarInfo(name)
                data = b""
                if isinstance(content, bytes):
                    data = content
                    member.size = len(content)
                else:
                    kind, _, member.linkname = content.partition(":")
                    member.type = kind.encode()
                archive.addfile(member, io.BytesIO(data))
        unpack_layer(path, self.root)

    def files(self) -> list[str]:
        found = [p for p in self.root.rglob("*") if p.is_symlink() or not p.is_dir()]
        return sorted(p.relative_to(self.root).as_posix() for p in found)

    def unharmed(self) -> bool:
        mode = stat.S_IMODE(self.victim.stat().st_mode)
        one = self.victim.stat().st_nlink == 1
        return (
            self.victim.read_text() == "secret"
            and mode == 0o600
            and one
            and len(list(self.host.iterdir())) == 1
        )


def of(kind: bytes, target: str = "") -> str:
    return f"{kind.decode()}:{target}"


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    return Rooms(tmp_path)


def test_a_layer_takes_away_what_it_says_is_gone(rooms):
    rooms.unpack(("a/one", b"1"), ("a/two", b"2"), ("b/three", b"3"))
    rooms.unpack(("a/.wh.one", b""), ("b/.wh..wh..opq", b""), ("b/four", b"4"))
    assert rooms.files() == ["a/two", "b/four"]


def test_what_a_layer_takes_away_is_of_lower_layers_alone(rooms):
    rooms.unpack(("b/old", b"1"), ("b/sub/old", b"1"), ("c/old", b"1"), ("d", b"1"))
    rooms.unpack(
        ("b/new", b"2"), ("b/sub/new", b"2"), ("b/.wh..wh..opq", b""),
        ("c/new", b"2"), (".wh.c", b""), ("d", b"2"), (".wh.d", b""), ("e/.wh..wh..opq", b""),
    )  # fmt: skip
    assert rooms.files() == ["b/new", "b/sub/new", "c/new", "d"]


def test_a_hard_link_to_a_link_is_the_link_wherever_it_leads(rooms):
    rooms.unpack(("s", of(LINK, str(rooms.host))), ("h", of(HARD, "s")))
    assert (rooms.root / "h").readlink() == rooms.host
    assert rooms.unharmed()


def test_a_name_that_is_no_utf_8_has_a_stamp(rooms):
    (rooms.root / os.fsdecode(b"caf\xe9")).write_text("x")
    assert len(tree_stamp(rooms.root)) == 64


def test_a_folder_in_place_of_a_link_is_a_folder(rooms):
    rooms.unpack(("e/old", b"1"), ("d", of(LINK, "e")))
    rooms.unpack(("d", of(FOLDER)), ("d/new", b"2"))
    assert rooms.files() == ["d/new", "e/old"]
    assert not (rooms.root / "d").is_symlink()


def test_a_name_behind_a_link_lies_where_the_link_leads_inside(rooms):
    rooms.unpack(("usr/lib/a", b"1"), ("lib", of(LINK, "usr/lib")), ("abs", of(LINK, "/usr/lib")))
    rooms.unpack(("lib/b", b"2"), ("abs/c", b"3"), ("abs/.wh.a", b""))
    assert rooms.files() == ["abs", "lib", "usr/lib/b", "usr/lib/c"]


def test_a_link_up_out_of_the_image_ends_at_its_root(rooms):
    rooms.unpack(("a", of(LINK, "../../host")), ("b", of(LINK, str(rooms.host))))
    rooms.unpack(("a/victim", b"x"), ("b/.wh.victim", b""), ("b/.wh..wh..opq", b""))
    assert rooms.unharmed()
    assert rooms.files() == ["a", "b", "host/victim"]


@pytest.mark.parametrize(
    "member",
    [
        ("../host/victim", b"x"),
        ("../host/.wh.victim", b""),
        ("../.wh.host", b""),
        ("../host/.wh..wh..opq", b""),
        ("a", of(HARD, "../host/victim")),
        ("a/../../host/victim", b"x"),
    ],
)
def test_a_name_that_leads_out_is_refused_before_anything_is_touched(rooms, member):
    with pytest.raises(tarfile.TarError, match="leads out of the image"):
        rooms.unpack(member)
    assert rooms.unharmed()


def test_a_hard_link_is_to_a_file_of_the_image_or_refused(rooms):
    rooms.unpack(("host/victim", b"own"))
    rooms.unpack(("one", of(HARD, "host/victim")), ("up", of(LINK, str(rooms.host))))
    assert (rooms.root / "one").samefile(rooms.root / "host/victim")
    for target in (str(rooms.victim), "up/nobody", "host"):
        with pytest.raises(tarfile.TarError, match="no file of the image"):
            rooms.unpack(("two", of(HARD, target)))
    assert rooms.unharmed()


def test_a_hard_link_to_a_device_makes_none(rooms):
    with pytest.raises(tarfile.TarError, match="no file of the image"):
        rooms.unpack(("null", of(DEVICE)), ("stolen", of(HARD, "null")))
    assert rooms.files() == []


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_a_whiteout_of_no_name_is_refused(rooms, name):
    rooms.unpack(("a", b"1"))
    with pytest.raises(tarfile.TarError, match="hides no name"):
        rooms.unpack((name, b""))
    assert rooms.files() == ["a"]


def test_links_without_end_are_refused(rooms):
    rooms.unpack(("a", of(LINK, "b")), ("b", of(LINK, "a")))
    with pytest.raises(tarfile.TarError, match="links without end"):
        rooms.unpack(("a/x", b"1"))


def test_modes_lose_what_nobody_needs_and_times_stay(rooms, tmp_path):
    path = tmp_path / "one.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("run")
        member.mode, member.mtime = 0o6777, 12345
        archive.addfile(member, io.BytesIO())
    unpack_layer(path, rooms.root)
    status = (rooms.root / "run").stat()
    assert stat.S_IMODE(status.st_mode) == 0o755
    assert status.st_mtime == 12345


def test_the_root_itself_is_no_member(rooms):
    rooms.unpack(("./", of(FOLDER)), ("./a", b"1"))
    assert rooms.files() == ["a"]
    assert place_in(rooms.root, "/") == rooms.root


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
